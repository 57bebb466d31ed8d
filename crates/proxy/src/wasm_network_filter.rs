//! `envoy.filters.network.wasm`: a plugin as a filter of one connection.

mod stream;

use std::rc::Rc;

use bytes::BytesMut;
use sandgate_host::{ClosePeer, NetworkContext, NetworkOutcome, NetworkStream, PluginHandle};

use self::stream::FilterConnection;
use crate::network::{CloseType, ConnectionEvent, NetworkCallbacks, NetworkFilter, NetworkStatus};

/// One plugin in one connection. The plugin's context is made with the chain, so that context ids are given in the order of
/// the chain; the guest hears of it with the new connection.
pub(crate) struct WasmNetworkFilter {
    /// The host holds the connection only weakly, so it lives here.
    _stream: Rc<dyn NetworkStream>,
    state: State,
}

enum State {
    Active(NetworkContext),
    /// The plugin's VM has failed and connections pass without it.
    Absent,
    /// The plugin's VM has failed and connections are not to pass without it.
    Closed(NetworkCallbacks),
}

/// Closes every connection as a plugin does whose VM has failed: its code did not come, or is none.
pub(crate) struct FailedNetworkPlugin(pub(crate) NetworkCallbacks);

// === impl WasmNetworkFilter ===

impl WasmNetworkFilter {
    /// A filter for a new connection.
    pub(crate) fn new(handle: &PluginHandle, callbacks: NetworkCallbacks) -> Self {
        let stream: Rc<dyn NetworkStream> = Rc::new(FilterConnection::new(callbacks.clone()));
        let state = match handle.create_network_context(&stream) {
            NetworkOutcome::Context(context) => State::Active(context),
            NetworkOutcome::Bypass => State::Absent,
            NetworkOutcome::FailClosed => State::Closed(callbacks),
        };
        Self { _stream: stream, state }
    }
}

impl NetworkFilter for WasmNetworkFilter {
    fn on_new_connection(&mut self) -> NetworkStatus {
        match &self.state {
            State::Active(context) => status(context.on_new_connection()),
            State::Absent => NetworkStatus::Continue,
            State::Closed(callbacks) => close(callbacks),
        }
    }

    fn on_data(&mut self, data: &mut BytesMut, end_stream: bool) -> NetworkStatus {
        match &self.state {
            State::Active(context) => status(context.on_downstream_data(data, end_stream)),
            State::Absent | State::Closed(_) => NetworkStatus::Continue,
        }
    }

    fn on_write(&mut self, data: &mut BytesMut, end_stream: bool) -> NetworkStatus {
        match &self.state {
            State::Active(context) => status(context.on_upstream_data(data, end_stream)),
            State::Absent | State::Closed(_) => NetworkStatus::Continue,
        }
    }

    fn writes(&self) -> bool {
        matches!(self.state, State::Active(_))
    }

    fn on_event(&mut self, event: ConnectionEvent) {
        let State::Active(context) = &self.state else { return };
        match event {
            ConnectionEvent::Connected => {}
            ConnectionEvent::LocalClose => context.on_close(ClosePeer::Local),
            ConnectionEvent::RemoteClose => context.on_close(ClosePeer::Remote),
        }
    }
}

impl NetworkFilter for FailedNetworkPlugin {
    fn on_new_connection(&mut self) -> NetworkStatus {
        close(&self.0)
    }
}

fn close(callbacks: &NetworkCallbacks) -> NetworkStatus {
    // Without a reason (observed in Envoy 1.40).
    callbacks.connection().close(CloseType::FlushWrite, "");
    NetworkStatus::Stop
}

fn status(answer: sandgate_host::NetworkStatus) -> NetworkStatus {
    match answer {
        sandgate_host::NetworkStatus::Continue => NetworkStatus::Continue,
        sandgate_host::NetworkStatus::Stop => NetworkStatus::Stop,
    }
}
