//! One plugin in one TCP connection.

use std::fmt;
use std::rc::Rc;

use bytes::BytesMut;
use sandgate_abi::Callback;

use crate::NetworkSide;
use crate::plugin_handle::PluginInstance;
use crate::vm::connection::ConnectionState;
use crate::vm::context::{Context, Phase};
use crate::vm::instance::{Dead, Outcome, fail_stream};

/// What a plugin answers when a connection begins.
#[derive(Debug)]
pub enum NetworkOutcome {
    /// The plugin takes part in the connection.
    Context(NetworkContext),
    /// The plugin's VM has failed and its policy is closed: the connection must be closed as it begins.
    FailClosed,
    /// The plugin's VM has failed and its policy is open: the connection goes on without it.
    Bypass,
}

/// What a plugin answers to a callback of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkStatus {
    /// The filter behind is next.
    Continue,
    /// The data stays where it is.
    Stop,
}

/// Who closed a connection; the guest is given the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClosePeer {
    /// Not known: of the upstream, whose end is seen in its data alone.
    Unknown = 0,
    /// This side.
    Local = 1,
    /// The other side.
    Remote = 2,
}

/// A plugin's context of a connection.
///
/// Before [`NetworkContext::on_new_connection`] every other callback answers "continue" without calling the guest. Once the
/// plugin's VM has failed, the connection is told to close (once) and every answer is a stop; with the old `fail_open` every
/// answer is "continue". Dropping it before the connection's end tells the guest of a close by this side.
pub struct NetworkContext {
    instance: Rc<PluginInstance>,
    context: Rc<Context>,
}

impl NetworkContext {
    pub(crate) fn new(instance: Rc<PluginInstance>, context: Rc<Context>) -> Self {
        Self { instance, context }
    }

    /// The id the guest knows it by.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.context.id
    }

    /// `proxy_on_context_create` and `proxy_on_new_connection`.
    pub fn on_new_connection(&self) -> NetworkStatus {
        let Some(state) = self.context.as_connection() else { return NetworkStatus::Continue };
        let context = self.context.id;
        if state.phase.get() == Phase::New {
            state.phase.set(Phase::Open);
            // If this kills the VM, the next callback finds it dead.
            let _ = self.call(Callback::ContextCreate { context, parent: state.root.id });
        }
        let result = self.call(Callback::NewConnection { context });
        let status = self.status(result);
        state.waits.set(status == NetworkStatus::Stop);
        status
    }

    /// Shows what the client has sent, all that the connection keeps; the guest may change `data`.
    pub fn on_downstream_data(&self, data: &mut BytesMut, end_of_stream: bool) -> NetworkStatus {
        let Some(state) = self.open() else { return NetworkStatus::Continue };
        let status = self.data(state, NetworkSide::Downstream, data, end_of_stream);
        state.waits.set(status == NetworkStatus::Stop);
        status
    }

    /// Shows what is to be written to the client; the guest may change `data`. Its end is told as the upstream's close, too.
    pub fn on_upstream_data(&self, data: &mut BytesMut, end_of_stream: bool) -> NetworkStatus {
        let Some(state) = self.open() else { return NetworkStatus::Continue };
        let status = self.data(state, NetworkSide::Upstream, data, end_of_stream);
        if end_of_stream {
            // A failed VM is not told, and has said so.
            let callback =
                Callback::UpstreamConnectionClose { context: self.context.id, peer: ClosePeer::Unknown as u32 };
            let _ = self.call(callback);
        }
        status
    }

    /// The connection is closed: `proxy_on_downstream_connection_close`, then `proxy_on_done`, `proxy_on_log` and
    /// `proxy_on_delete`; then the context is gone. Later calls do nothing.
    pub fn on_close(&self, peer: ClosePeer) {
        let Some(state) = self.context.as_connection() else { return };
        let context = self.context.id;
        let phase = state.phase.replace(Phase::Ending);
        if phase == Phase::Open {
            for callback in [
                Callback::DownstreamConnectionClose { context, peer: peer as u32 },
                // What a connection's context answers is ignored (as in Envoy).
                Callback::Done { context },
                Callback::Log { context },
                Callback::Delete { context },
            ] {
                let _ = self.call(callback);
            }
        }
        if matches!(phase, Phase::New | Phase::Open) {
            self.instance.vm.state.remove(&self.context);
        }
        state.phase.set(Phase::Ended);
    }

    fn open(&self) -> Option<&ConnectionState> {
        self.context.as_connection().filter(|state| state.phase.get() == Phase::Open)
    }

    fn data(
        &self,
        state: &ConnectionState,
        side: NetworkSide,
        data: &mut BytesMut,
        end_of_stream: bool,
    ) -> NetworkStatus {
        let (context, size) = (self.context.id, u32::try_from(data.len()).unwrap_or(u32::MAX));
        let result = state.showing(side, data, || {
            self.call(match side {
                NetworkSide::Downstream => Callback::DownstreamData { context, size, end_of_stream },
                NetworkSide::Upstream => Callback::UpstreamData { context, size, end_of_stream },
            })
        });
        let status = self.status(result);
        state.set_stopped(side, status == NetworkStatus::Stop);
        status
    }

    fn call(&self, callback: Callback) -> Result<Outcome, Dead> {
        self.instance.vm.call(&self.context, callback)
    }

    /// A local response that was asked for changes nothing here (observed in Envoy 1.40).
    fn status(&self, result: Result<Outcome, Dead>) -> NetworkStatus {
        match result {
            Ok(Outcome { value: None | Some(0), .. }) => NetworkStatus::Continue,
            Ok(_) => NetworkStatus::Stop,
            Err(Dead) => {
                fail_stream(&self.context);
                if self.context.plugin.config().legacy_fail_open {
                    NetworkStatus::Continue
                } else {
                    NetworkStatus::Stop
                }
            }
        }
    }
}

impl Drop for NetworkContext {
    fn drop(&mut self) {
        self.on_close(ClosePeer::Local);
    }
}

impl fmt::Debug for NetworkContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NetworkContext").field(&self.context).finish()
    }
}
