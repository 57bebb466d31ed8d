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
use tokio::net::TcpStream;

use crate::connection::{Connection, Served};
use crate::connection_id::next_connection_id;
use crate::hcm::Hcm;
use crate::http2::Http2Connection;
use crate::listener_tls::{Secured, WorkerTls, secure};
use crate::pool::CloseSide;
use crate::socket::Socket;
use crate::stats::milliseconds;
use crate::transport::{Tcp, Transport};
use crate::worker::{ConnectionSlot, Worker};

/// A connection from its accept to its end: the task that serves it.
pub(crate) struct Downstream {
    codec: Codec,
}

enum Codec {
    /// The handshake of TLS is going on.
    Handshake(Box<Handshake>),
    /// HTTP/1, or nothing has come yet.
    Http1(Box<Connection>),
    Http2(Box<Http2Connection>),
    Over,
}

struct Handshake {
    base: DownstreamConnection,
    securing: Pin<Box<dyn Future<Output = Result<Secured, CloseSide>>>>,
}

/// What a connection is to any codec. It counts: made when the connection was accepted, dropped when it is closed.
pub(crate) struct DownstreamConnection {
    pub(crate) worker: Rc<Worker>,
    pub(crate) hcm: Rc<Hcm>,
    pub(crate) info: Rc<ConnectionInfo>,
    pub(crate) opened: Instant,
    closed_by: CloseSide,
    had_request: bool,
    /// It has TLS.
    secured: bool,
    slot: ConnectionSlot,
}

// === impl Downstream ===

impl Downstream {
    /// A connection that was accepted; `local` is its address here, if it need not be asked for.
    pub(crate) fn new(
        worker: &Rc<Worker>,
        hcm: &Rc<Hcm>,
        stream: TcpStream,
        local: Option<SocketAddr>,
        peer: SocketAddr,
    ) -> Self {
        let transport = Transport::accepted(stream);
        let base = DownstreamConnection::new(worker, hcm, local.or_else(|| transport.local_addr()), peer);
        Self { codec: Codec::new(base, transport) }
    }

    /// The same with TLS.
    pub(crate) fn with_tls(
        worker: &Rc<Worker>,
        hcm: &Rc<Hcm>,
        tls: &Rc<WorkerTls>,
        stream: TcpStream,
        local: Option<SocketAddr>,
        peer: SocketAddr,
    ) -> Self {
        let tcp = Tcp::accepted(stream);
        let mut base = DownstreamConnection::new(worker, hcm, local.or_else(|| tcp.local_addr()), peer);
        base.set_secured();
        let securing = Box::pin(secure(Rc::clone(hcm), Rc::clone(tls), tcp, base.info.id));
        Self { codec: Codec::Handshake(Box::new(Handshake { base, securing })) }
    }
}

// === impl Codec ===

impl Codec {
    /// What is spoken, by the configuration, by ALPN, or else by the first bytes.
    fn new(base: DownstreamConnection, transport: Transport) -> Self {
        let http2 = match base.hcm.config.codec_type {
            CodecType::Http2 => true,
            CodecType::Auto => transport.alpn_protocol() == Some(b"h2"),
            CodecType::Http1 => false,
        };
        let socket = Socket::new(transport);
        if http2 {
            return Self::Http2(Box::new(Http2Connection::new(base, socket, BytesMut::new())));
        }
        Self::Http1(Box::new(Connection::new(base, socket)))
    }
}

// === impl Handshake ===

impl Handshake {
    /// Goes on with it; ready when it has succeeded, or failed.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Transport>> {
        self.base.register(cx.waker());
        if self.base.worker.is_draining() {
            return Poll::Ready(None);
        }
        Poll::Ready(match ready!(self.securing.as_mut().poll(cx)) {
            Ok(secured) => {
                if let Some(info) = Rc::get_mut(&mut self.base.info) {
                    info.tls = Some(secured.info);
                    info.handshake_start = Some(secured.start);
                    info.handshake_complete = Some(secured.complete);
                }
                Some(secured.transport)
            }
            Err(side) => {
                self.base.ended(side, false);
                None
            }
        })
    }
}

impl Future for Downstream {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        loop {
            match &mut this.codec {
                Codec::Handshake(handshake) => {
                    let transport = ready!(handshake.poll(cx));
                    let codec = std::mem::replace(&mut this.codec, Codec::Over);
                    if let (Some(transport), Codec::Handshake(handshake)) = (transport, codec) {
                        this.codec = Codec::new(handshake.base, transport);
                    }
                }
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
            Codec::Handshake(_) | Codec::Over => {}
        }
    }
}

// === impl DownstreamConnection ===

impl DownstreamConnection {
    fn new(worker: &Rc<Worker>, hcm: &Rc<Hcm>, local: Option<SocketAddr>, peer: SocketAddr) -> Self {
        let now = Instant::now();
        let info = ConnectionInfo {
            id: next_connection_id(),
            remote_address: Some(peer),
            direct_remote_address: Some(peer),
            opened: Some(now),
            local_address: local,
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
            secured: false,
            slot: ConnectionSlot::new(worker),
        }
    }

    fn set_secured(&mut self) {
        self.secured = true;
        self.hcm.stats.downstream_cx_ssl_total().inc();
        self.hcm.stats.downstream_cx_ssl_active().inc();
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
        if self.secured {
            stats.downstream_cx_ssl_active().dec();
        }
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
