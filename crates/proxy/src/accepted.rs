//! A connection that a listener has accepted, whatever becomes of it.

use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use sandgate_filter::ConnectionInfo;

use crate::connection_id::next_connection_id;
use crate::listener_filters::AcceptedSocket;
use crate::listener_tls::Secured;
use crate::network::{ActiveListener, ConnectionHandle, FilterChain, Terminal};
use crate::stats::milliseconds;
use crate::worker::{ConnectionSlot, Worker};

/// A connection of a listener. It counts: made when it was accepted, dropped when it is closed.
pub(crate) struct AcceptedConnection {
    pub(crate) worker: Rc<Worker>,
    pub(crate) listener: Rc<ActiveListener>,
    pub(crate) chain: Rc<FilterChain>,
    pub(crate) info: Rc<ConnectionInfo>,
    /// What its network filters hold, and what is told of it as a stream of bytes; nothing if it has HTTP alone.
    pub(crate) handle: Option<Rc<ConnectionHandle>>,
    pub(crate) opened: Instant,
    slot: ConnectionSlot,
}

// === impl AcceptedConnection ===

impl AcceptedConnection {
    pub(crate) fn new(
        worker: &Rc<Worker>,
        listener: &Rc<ActiveListener>,
        chain: &Rc<FilterChain>,
        socket: &AcceptedSocket,
    ) -> Self {
        let now = Instant::now();
        let info = Rc::new(ConnectionInfo {
            id: next_connection_id(),
            remote_address: Some(socket.remote),
            direct_remote_address: Some(socket.direct_remote),
            opened: Some(now),
            local_address: socket.local,
            direct_local_address: socket.direct_local,
            requested_server_name: Arc::clone(&socket.server_name),
            listener: Arc::clone(&chain.info),
            dynamic_metadata: socket.metadata(),
            ..ConnectionInfo::default()
        });
        let only_http = chain.filters.is_empty() && matches!(chain.terminal, Terminal::Http(_));
        let handle = (!only_http).then(|| {
            let handle = ConnectionHandle::of(&info, now);
            let mut stream_info = handle.stream_info().borrow_mut();
            stream_info.dynamic_metadata = info.dynamic_metadata.clone();
            stream_info.upstream.wanted = matches!(chain.terminal, Terminal::TcpProxy(_));
            drop(stream_info);
            handle
        });
        listener.stats.downstream_cx_total().inc();
        listener.stats.downstream_cx_active().inc();
        listener.thread_stats.downstream_cx_total().inc();
        listener.thread_stats.downstream_cx_active().inc();
        log::debug!(target: "conn_handler", "[C{}] new connection from {:?}", info.id, info.remote_address);
        Self {
            worker: Rc::clone(worker),
            listener: Rc::clone(listener),
            chain: Rc::clone(chain),
            info,
            handle,
            opened: now,
            slot: ConnectionSlot::new(worker),
        }
    }

    /// The handshake of TLS is complete.
    pub(crate) fn set_tls(&mut self, secured: &Secured) {
        let info = Rc::make_mut(&mut self.info);
        info.tls = Some(Arc::clone(&secured.info));
        info.handshake_start = Some(secured.start);
        info.handshake_complete = Some(secured.complete);
        if let Some(handle) = &self.handle {
            handle.set_info(&self.info);
        }
    }

    /// The handshake of TLS has failed; why, in Envoy's words.
    pub(crate) fn set_transport_failure(&mut self, reason: &str) {
        Rc::make_mut(&mut self.info).transport_failure_reason = reason.into();
        if let Some(handle) = &self.handle {
            handle.set_info(&self.info);
        }
    }

    /// The bytes are those of this protocol.
    pub(crate) fn set_protocol(&self, protocol: &'static str) {
        if let Some(handle) = &self.handle {
            handle.stream_info().borrow_mut().protocol = Some(protocol);
        }
    }

    /// Tells how to wake the connection when the worker ends its connections.
    pub(crate) fn register(&self, waker: &Waker) {
        self.slot.register(waker);
    }
}

impl Drop for AcceptedConnection {
    fn drop(&mut self) {
        let stats = &self.listener.stats;
        stats.downstream_cx_active().dec();
        self.listener.thread_stats.downstream_cx_active().dec();
        stats.downstream_cx_length_ms().record(milliseconds(self.opened.elapsed()));
        stats.downstream_cx_destroy().inc();
        log::debug!(target: "connection", "[C{}] closed", self.info.id);
    }
}
