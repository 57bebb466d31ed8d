//! A connection of a client, whatever is spoken on it.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use sandgate_config::model::CodecType;

use crate::accepted::AcceptedConnection;
use crate::chain_drain::ChainDrain;
use crate::connection::{Connection, Served};
use crate::hcm::Hcm;
use crate::http2::Http2Connection;
use crate::listener_filters::AcceptedSocket;
use crate::listener_tls::{Secured, Unsecured, secure};
use crate::network::{ActiveListener, ConnectionEvent, FilterChain, FilterDriver, FilterManager, Filtered, Terminal};
use crate::pool::CloseSide;
use crate::socket::Socket;
use crate::stats::milliseconds;
use crate::tcp_proxy::{TcpProxyConnection, TcpProxyStart};
use crate::transport::{Tcp, Transport};
use crate::worker::Worker;

/// A connection from its accept to its end: the task that serves it.
pub(crate) struct Downstream {
    state: State,
    /// Of its filter chain.
    drain: Rc<ChainDrain>,
}

enum State {
    /// Nothing has been done yet.
    Accepted(Box<Starting>),
    /// The handshake of TLS is going on.
    Handshake(Box<Handshake>),
    /// HTTP/1, or nothing has come yet.
    Http1(Box<Connection>),
    Http2(Box<Http2Connection>),
    /// Passed on as it is.
    Tcp(Box<TcpProxyConnection>),
    /// Served by one of its network filters.
    InChain(FilterDriver, AcceptedConnection),
    Over,
}

/// A connection that was accepted.
struct Starting {
    base: Base,
    tcp: Tcp,
    manager: Option<FilterManager>,
}

struct Handshake {
    base: Base,
    manager: Option<FilterManager>,
    securing: Pin<Box<dyn Future<Output = Result<Secured, Unsecured>>>>,
}

/// What a connection is to what its chain ends in.
enum Base {
    Http(DownstreamConnection),
    Tcp(Box<TcpProxyStart>),
    InChain(AcceptedConnection),
}

/// What a connection is to an HTTP codec. It counts: made when the connection was accepted, dropped when it is closed.
pub(crate) struct DownstreamConnection {
    accepted: AcceptedConnection,
    pub(crate) hcm: Rc<Hcm>,
    closed_by: CloseSide,
    had_request: bool,
    /// It has TLS.
    secured: bool,
}

// === impl Downstream ===

impl Downstream {
    /// A connection that was accepted, and has a filter chain.
    pub(crate) fn new(
        worker: &Rc<Worker>,
        listener: &Rc<ActiveListener>,
        chain: &Rc<FilterChain>,
        socket: AcceptedSocket,
    ) -> Self {
        let accepted = AcceptedConnection::new(worker, listener, chain, &socket);
        let tcp = socket.tcp;
        let drain = Rc::clone(&chain.drain);
        let manager = accepted.handle.as_ref().filter(|_| !chain.filters.is_empty());
        let manager = manager.map(|handle| FilterManager::new(handle, &chain.filters));
        let base = match &chain.terminal {
            Terminal::Http(hcm) => Base::Http(DownstreamConnection::new(accepted, hcm)),
            Terminal::TcpProxy(proxy) => Base::Tcp(Box::new(TcpProxyStart::new(accepted, proxy))),
            Terminal::InChain => Base::InChain(accepted),
        };
        if manager.is_none() && chain.tls.is_none() {
            return Self { state: State::new(base, Transport::Tcp(tcp)), drain };
        }
        Self { state: State::Accepted(Box::new(Starting { base, tcp, manager })), drain }
    }
}

// === impl Base ===

impl Base {
    fn accepted(&mut self) -> &mut AcceptedConnection {
        match self {
            Self::Http(base) => &mut base.accepted,
            Self::Tcp(base) => base.accepted(),
            Self::InChain(accepted) => accepted,
        }
    }
}

// === impl State ===

impl State {
    /// What is spoken, by the configuration, by ALPN, or else by the first bytes.
    fn new(base: Base, transport: Transport) -> Self {
        let base = match base {
            Base::Http(base) => base,
            Base::Tcp(start) => return Self::Tcp(Box::new(start.open(transport))),
            Base::InChain(accepted) => return Self::InChain(FilterDriver::new(transport), accepted),
        };
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

    /// The same behind filters, if there are any.
    fn filtered(mut base: Base, transport: Transport, manager: Option<FilterManager>) -> Self {
        let Some(manager) = manager else { return Self::new(base, transport) };
        let limit = base.accepted().chain.buffer_limit;
        Self::new(base, Transport::Filtered(Box::new(Filtered::new(transport, manager, limit))))
    }
}

// === impl Starting ===

impl Starting {
    fn start(self) -> State {
        let Self { mut base, tcp, mut manager } = self;
        let accepted = base.accepted();
        let Some(tls) = accepted.chain.tls.clone() else {
            return State::filtered(base, Transport::Tcp(tcp), manager);
        };
        let (id, listener) = (accepted.info.id, Rc::clone(&accepted.listener));
        if let Base::Http(base) = &mut base {
            base.set_secured();
        }
        let hcm = if let Base::Http(base) = &base { Some(Rc::clone(&base.hcm)) } else { None };
        if let Some(manager) = &mut manager {
            manager.initialize();
        }
        let securing = Box::pin(secure(hcm, listener, tls, tcp, id));
        State::Handshake(Box::new(Handshake { base, manager, securing }))
    }
}

// === impl Handshake ===

impl Handshake {
    /// Goes on with it; ready when it has succeeded, or failed.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Transport>> {
        let accepted = self.base.accepted();
        accepted.register(cx.waker());
        if accepted.worker.is_draining() {
            return Poll::Ready(None);
        }
        if let Some(manager) = &mut self.manager {
            manager.register(cx);
            if !manager.handle().is_open() {
                manager.raise(ConnectionEvent::LocalClose);
                return Poll::Ready(None);
            }
        }
        let passed = self.manager.as_ref().is_none_or(FilterManager::is_initialized);
        if passed
            && let Base::Tcp(start) = &mut self.base
            && start.poll_meanwhile(cx)
        {
            return Poll::Ready(None);
        }
        Poll::Ready(match ready!(self.securing.as_mut().poll(cx)) {
            Ok(secured) => {
                self.base.accepted().set_tls(&secured);
                if let Some(manager) = &mut self.manager {
                    manager.raise(ConnectionEvent::Connected);
                }
                Some(secured.transport)
            }
            Err(Unsecured { side, reason }) => {
                self.base.accepted().set_transport_failure(&reason);
                if let Base::Http(base) = &mut self.base {
                    base.ended(side, false);
                }
                if let Some(manager) = &mut self.manager {
                    manager.raise(match side {
                        CloseSide::Local => ConnectionEvent::LocalClose,
                        CloseSide::Remote => ConnectionEvent::RemoteClose,
                    });
                }
                None
            }
        })
    }
}

impl Future for Downstream {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if this.drain.is_over() {
            // What is dropped with it tells its end.
            return Poll::Ready(());
        }
        loop {
            match &mut this.state {
                State::Accepted(_) => {
                    if let State::Accepted(starting) = std::mem::replace(&mut this.state, State::Over) {
                        this.state = starting.start();
                    }
                }
                State::Handshake(handshake) => {
                    let transport = ready!(handshake.poll(cx));
                    let state = std::mem::replace(&mut this.state, State::Over);
                    if let (Some(transport), State::Handshake(handshake)) = (transport, state) {
                        let Handshake { base, manager, .. } = *handshake;
                        this.state = State::filtered(base, transport, manager);
                    }
                }
                State::Http1(connection) => match ready!(connection.poll(cx)) {
                    Served::Over => return Poll::Ready(()),
                    Served::Http2 => {
                        if let State::Http1(connection) = std::mem::replace(&mut this.state, State::Over) {
                            this.state = State::Http2(Box::new(connection.into_http2()));
                        }
                    }
                },
                State::Http2(connection) => return connection.poll(cx),
                State::Tcp(connection) => return connection.poll(cx),
                State::InChain(driver, accepted) => {
                    accepted.register(cx.waker());
                    if accepted.worker.is_draining() {
                        return Poll::Ready(());
                    }
                    return Pin::new(driver).poll(cx);
                }
                State::Over => return Poll::Ready(()),
            }
        }
    }
}

impl Drop for Downstream {
    fn drop(&mut self) {
        match &mut self.state {
            State::Http1(connection) => connection.end(),
            State::Http2(connection) => connection.end(),
            State::Tcp(connection) => connection.end(),
            State::Accepted(_) | State::Handshake(_) | State::InChain(..) | State::Over => {}
        }
    }
}

// === impl DownstreamConnection ===

impl DownstreamConnection {
    fn new(accepted: AcceptedConnection, hcm: &Rc<Hcm>) -> Self {
        hcm.stats.downstream_cx_total().inc();
        hcm.stats.downstream_cx_active().inc();
        Self { accepted, hcm: Rc::clone(hcm), closed_by: CloseSide::Local, had_request: false, secured: false }
    }

    fn set_secured(&mut self) {
        self.secured = true;
        self.hcm.stats.downstream_cx_ssl_total().inc();
        self.hcm.stats.downstream_cx_ssl_active().inc();
    }

    /// Who closed it, and whether there was a request in flight then. Until this is said: we did, and there was none.
    pub(crate) fn ended(&mut self, side: CloseSide, had_request: bool) {
        self.closed_by = side;
        self.had_request = had_request;
    }
}

impl std::ops::Deref for DownstreamConnection {
    type Target = AcceptedConnection;

    fn deref(&self) -> &AcceptedConnection {
        &self.accepted
    }
}

impl Drop for DownstreamConnection {
    fn drop(&mut self) {
        let stats = &self.hcm.stats;
        stats.downstream_cx_active().dec();
        if self.secured {
            stats.downstream_cx_ssl_active().dec();
        }
        if self.accepted.handle.as_ref().is_some_and(|handle| !handle.is_open()) {
            // One of its filters.
            self.closed_by = CloseSide::Local;
        }
        stats.downstream_cx_length_ms().record(milliseconds(self.accepted.opened.elapsed()));
        stats.downstream_cx_destroy().inc();
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
    }
}
