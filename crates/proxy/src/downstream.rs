//! A connection of a client, whatever is spoken on it.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;

use bytes::BytesMut;
use sandgate_config::model::CodecType;
use sandgate_filter::ConnectionInfo;

use crate::connection::{Connection, Served};
use crate::connection_id::next_connection_id;
use crate::hcm::Hcm;
use crate::http2::Http2Connection;
use crate::pool::CloseSide;
use crate::socket::Socket;
use crate::stats::milliseconds;
use crate::transport::Transport;
use crate::worker::{ConnectionSlot, Worker};

/// A connection from its accept to its end: the task that serves it.
pub(crate) struct Downstream {
    codec: Codec,
}

enum Codec {
    /// HTTP/1, or nothing has come yet.
    Http1(Box<Connection>),
    Http2(Box<Http2Connection>),
    Over,
}

/// What a connection is to any codec. It counts: made when the connection was accepted, dropped when it is closed.
pub(crate) struct DownstreamConnection {
    pub(crate) worker: Rc<Worker>,
    pub(crate) hcm: Rc<Hcm>,
    pub(crate) info: Rc<ConnectionInfo>,
    pub(crate) opened: Instant,
    closed_by: CloseSide,
    had_request: bool,
    slot: ConnectionSlot,
}

// === impl Downstream ===

impl Downstream {
    pub(crate) fn new(worker: &Rc<Worker>, hcm: &Rc<Hcm>, transport: Transport, peer: SocketAddr) -> Self {
        let socket = Socket::new(transport);
        let base = DownstreamConnection::new(worker, hcm, &socket, peer);
        let codec = match hcm.config.codec_type {
            CodecType::Http2 => Codec::Http2(Box::new(Http2Connection::new(base, socket, BytesMut::new()))),
            CodecType::Auto | CodecType::Http1 => Codec::Http1(Box::new(Connection::new(base, socket))),
        };
        Self { codec }
    }
}

impl Future for Downstream {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        loop {
            match &mut this.codec {
                Codec::Http1(connection) => match ready!(connection.poll(cx)) {
                    Served::Over => return Poll::Ready(()),
                    Served::Http2 => {
                        if let Codec::Http1(connection) = std::mem::replace(&mut this.codec, Codec::Over) {
                            this.codec = Codec::Http2(Box::new(connection.into_http2()));
                        }
                    }
                },
                Codec::Http2(connection) => return connection.poll(cx),
                Codec::Over => return Poll::Ready(()),
            }
        }
    }
}

impl Drop for Downstream {
    fn drop(&mut self) {
        match &mut self.codec {
            Codec::Http1(connection) => connection.end(),
            Codec::Http2(connection) => connection.end(),
            Codec::Over => {}
        }
    }
}

// === impl DownstreamConnection ===

impl DownstreamConnection {
    fn new(worker: &Rc<Worker>, hcm: &Rc<Hcm>, socket: &Socket, peer: SocketAddr) -> Self {
        let now = Instant::now();
        let info = ConnectionInfo {
            id: next_connection_id(),
            remote_address: Some(peer),
            direct_remote_address: Some(peer),
            opened: Some(now),
            local_address: socket.local_addr(),
            listener: std::sync::Arc::clone(&hcm.listener),
            ..ConnectionInfo::default()
        };
        hcm.stats.downstream_cx_total().inc();
        hcm.stats.downstream_cx_active().inc();
        hcm.listener_stats.downstream_cx_total().inc();
        hcm.listener_stats.downstream_cx_active().inc();
        hcm.listener_stats.downstream_pre_cx_active().set(0);
        hcm.thread_stats.downstream_cx_total().inc();
        hcm.thread_stats.downstream_cx_active().inc();
        log::debug!(target: "conn_handler", "[C{}] new connection from {:?}", info.id, info.remote_address);
        Self {
            worker: Rc::clone(worker),
            hcm: Rc::clone(hcm),
            info: Rc::new(info),
            opened: now,
            closed_by: CloseSide::Local,
            had_request: false,
            slot: ConnectionSlot::new(worker),
        }
    }

    /// Tells how to wake the connection when the worker ends its connections.
    pub(crate) fn register(&self, waker: &Waker) {
        self.slot.register(waker);
    }

    /// Who closed it, and whether there was a request in flight then. Until this is said: we did, and there was none.
    pub(crate) fn ended(&mut self, side: CloseSide, had_request: bool) {
        self.closed_by = side;
        self.had_request = had_request;
    }
}

impl Drop for DownstreamConnection {
    fn drop(&mut self) {
        let (stats, listener_stats) = (&self.hcm.stats, &self.hcm.listener_stats);
        stats.downstream_cx_active().dec();
        listener_stats.downstream_cx_active().dec();
        self.hcm.thread_stats.downstream_cx_active().dec();
        let lived = milliseconds(Instant::now().saturating_duration_since(self.opened));
        stats.downstream_cx_length_ms().record(lived);
        listener_stats.downstream_cx_length_ms().record(lived);
        stats.downstream_cx_destroy().inc();
        listener_stats.downstream_cx_destroy().inc();
        match self.closed_by {
            CloseSide::Local => stats.downstream_cx_destroy_local().inc(),
            CloseSide::Remote => stats.downstream_cx_destroy_remote().inc(),
        }
        if self.had_request {
            stats.downstream_cx_destroy_active_rq().inc();
            match self.closed_by {
                CloseSide::Local => stats.downstream_cx_destroy_local_active_rq().inc(),
                CloseSide::Remote => stats.downstream_cx_destroy_remote_active_rq().inc(),
            }
        }
        log::debug!(target: "connection", "[C{}] closed", self.info.id);
    }
}
