//! An HTTP/2 connection to an upstream host, shared by the requests that run on it.

mod driver;
mod frames;
mod io;
mod keepalive;
mod responses;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Waker;
use std::time::Instant;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, SendStream};
use http::Method;
use sandgate_config::model::{Http2Options, Keepalive, UpstreamHttpOptions};
use sandgate_filter::{ByteMeter, UpstreamInfo};
use sandgate_http::HeaderMap;

use super::connection::ConnectionCount;
use super::lease::ConnectionFacts;
use super::{CloseSide, HostPool};
use crate::cluster::WorkerCluster;
use crate::connection_id::next_connection_id;
use crate::http2::head_limits::Refusal;
use crate::http2::response_head::Asked;
use crate::router::ResetReason;
use crate::stats::milliseconds;
use crate::transport::Transport;
use crate::worker::guarded;
use io::{CountedIo, Signs};
use responses::Fault;

/// A connection as its streams and its pool see it; the task that moves its bytes is [`driver`].
pub(crate) struct Http2Connection {
    facts: ConnectionFacts,
    pool: Rc<HostPool>,
    cluster: Rc<WorkerCluster>,
    /// Nothing once it is closed.
    send: RefCell<Option<SendRequest<Bytes>>>,
    /// Streams it may have at once: the configuration's or the host's word, whichever is less.
    limit: Cell<u32>,
    active: Cell<u32>,
    served: Cell<u32>,
    /// It takes no more requests, and ends with those it has.
    draining: Cell<bool>,
    /// Its host has said that it takes no more.
    goaway: Cell<bool>,
    signs: Rc<Signs>,
    /// A PING is to go before the next request.
    ping_wanted: Cell<bool>,
    began: Instant,
    opened: Instant,
    idle_since: Cell<Instant>,
    /// Why its streams end, if it is not their own affair.
    fate: RefCell<Option<ResetReason>>,
    count: RefCell<Option<ConnectionCount>>,
    /// The driver's.
    waker: RefCell<Option<Waker>>,
}

/// The right to one stream of a connection; given back when dropped.
pub(crate) struct StreamLease {
    connection: Rc<Http2Connection>,
    /// Once it is opened.
    stream: Cell<Option<u32>>,
}

/// How many streams a connection may have at once before its host has said anything.
pub(super) fn stream_limit(options: &UpstreamHttpOptions) -> u32 {
    let limit = options.http2.max_concurrent_streams;
    options.max_requests_per_connection.map_or(limit, |max| limit.min(max)).max(1)
}

/// A transport on which both sides are to speak HTTP/2.
pub(super) struct Opened {
    send: SendRequest<Bytes>,
    codec: h2::client::Connection<CountedIo<Transport>, Bytes>,
    facts: ConnectionFacts,
    signs: Rc<Signs>,
    now: Instant,
}

/// Begins to speak HTTP/2: does not wait for the host to do so, too.
///
/// # Errors
/// The socket fails.
pub(super) async fn open(transport: Transport, cluster: &Rc<WorkerCluster>, now: Instant) -> Result<Opened, h2::Error> {
    let facts = ConnectionFacts {
        id: next_connection_id(),
        local_address: transport.local_addr(),
        remote_address: transport.peer_addr(),
    };
    let options = &cluster.config.http;
    let signs = Rc::new(Signs::new(now, options));
    let io = CountedIo::new(transport, cluster, &signs);
    let (send, codec) = builder(&options.http2, options).handshake(io).await?;
    Ok(Opened { send, codec, facts, signs, now })
}

/// Starts the task that goes on with it.
pub(super) fn start(opened: Opened, count: ConnectionCount) -> Rc<Http2Connection> {
    let Opened { send, codec, facts, signs, now } = opened;
    let (pool, cluster, began) = (Rc::clone(&count.pool), Rc::clone(&count.cluster), count.began());
    cluster.stats.upstream_cx_connect_ms().record(milliseconds(now.saturating_duration_since(began)));
    let connection = Rc::new(Http2Connection {
        facts,
        pool,
        send: RefCell::new(Some(send)),
        limit: Cell::new(stream_limit(&cluster.config.http)),
        active: Cell::new(0),
        served: Cell::new(0),
        draining: Cell::new(false),
        goaway: Cell::new(false),
        signs,
        ping_wanted: Cell::new(false),
        began,
        opened: now,
        idle_since: Cell::new(now),
        fate: RefCell::default(),
        count: RefCell::new(Some(count)),
        waker: RefCell::default(),
        cluster,
    });
    tokio::task::spawn_local(guarded("upstream http2", driver::drive(Rc::clone(&connection), codec)));
    connection
}

fn builder(http2: &Http2Options, options: &UpstreamHttpOptions) -> h2::client::Builder {
    let mut builder = h2::client::Builder::new();
    builder
        .enable_push(false)
        .header_table_size(http2.hpack_table_size)
        .initial_window_size(http2.initial_stream_window_size)
        .initial_connection_window_size(http2.initial_connection_window_size)
        .max_concurrent_streams(http2.max_concurrent_streams)
        .initial_max_send_streams(stream_limit(options) as usize);
    builder
}

// === impl Http2Connection ===

impl Http2Connection {
    pub(crate) fn pool(&self) -> &Rc<HostPool> {
        &self.pool
    }

    pub(super) fn facts(&self) -> &ConnectionFacts {
        &self.facts
    }

    pub(super) fn is_idle(&self) -> bool {
        self.active.get() == 0
    }

    /// Since when it has had no stream, if it has none.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        self.is_idle().then(|| self.idle_since.get())
    }

    /// When it has lived as long as it may.
    pub(super) fn too_old_at(&self) -> Option<Instant> {
        let max = self.cluster.config.http.max_connection_duration?;
        (!self.draining.get()).then(|| self.opened + max)
    }

    pub(super) fn has_room(&self) -> bool {
        !self.draining.get() && self.active.get() < self.limit.get() && self.send.borrow().is_some()
    }

    /// What the stream's info tells of the connection.
    pub(super) fn note(&self, info: &mut UpstreamInfo) {
        info.connection_id = Some(self.facts.id);
        info.local_address = self.facts.local_address;
        info.remote_address = self.facts.remote_address;
        info.protocol = Some("HTTP/2");
        info.connect_start = Some(self.began);
        info.connect_end = Some(self.opened);
        if let Some(count) = &*self.count.borrow() {
            count.note_tls(info);
        }
    }

    /// One of its streams, if there is one to have.
    pub(super) fn lease(self: &Rc<Self>) -> Option<StreamLease> {
        if !self.has_room() {
            return None;
        }
        self.active.set(self.active.get() + 1);
        Some(StreamLease { connection: Rc::clone(self), stream: Cell::new(None) })
    }

    /// It takes no more requests, and ends with the last it has.
    pub(super) fn drain(&self) {
        self.draining.set(true);
        if self.is_idle() {
            self.close();
        }
    }

    /// Ends it at once.
    pub(super) fn close(&self) {
        if self.send.take().is_some() {
            self.wake();
        }
    }

    fn is_closed(&self) -> bool {
        self.send.borrow().is_none()
    }

    /// Ends it at once, and with it all its streams, for this reason.
    pub(crate) fn fail(&self, reason: ResetReason) {
        self.fate.borrow_mut().get_or_insert(reason);
        self.draining.set(true);
        self.close();
    }

    /// What came cannot be gone on with: no stream survives that.
    fn on_fault(&self, fault: Fault) {
        log::debug!(target: "upstream", "[C{}] closing for {fault:?}", self.facts.id);
        match fault {
            Fault::Message(_) => self.cluster.http2_stats.rx_messaging_error().inc(),
            Fault::Flood(flood) => flood.count(&self.cluster.http2_stats),
            Fault::Frames(_) => {}
        }
        self.cluster.stats.upstream_cx_protocol_error().inc();
        self.fail(ResetReason::ProtocolError);
    }

    fn keepalive(&self) -> Option<Keepalive> {
        self.cluster.config.http.http2.connection_keepalive
    }

    fn take_ping_wanted(&self) -> bool {
        self.ping_wanted.take()
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// What the streams that it has are to say of their end.
    pub(crate) fn fate(&self) -> Option<ResetReason> {
        self.fate.borrow().clone()
    }

    /// The driver is done.
    fn gone(self: &Rc<Self>, side: CloseSide) {
        self.draining.set(true);
        self.send.take();
        self.pool.forget(self);
        if let Some(mut count) = self.count.take() {
            count.close_side = side;
            let invalid = *self.fate.borrow() == Some(ResetReason::ProtocolError);
            // Streams that are over may not have noticed yet, but those of a lost connection are not over.
            count.active = self.active.get() > 0 && !invalid && !(side == CloseSide::Local && self.goaway.get());
            self.cluster.stats.upstream_rq_per_cx().record(self.served.get().into());
        }
    }

    fn stream_ended(self: &Rc<Self>) {
        self.active.set(self.active.get().saturating_sub(1));
        if self.is_idle() {
            self.idle_since.set(Instant::now());
        }
        if self.draining.get() {
            if self.is_idle() {
                self.close();
            }
            return;
        }
        self.pool.stream_ended(self);
    }
}

// === impl StreamLease ===

impl StreamLease {
    pub(crate) fn connection(&self) -> &Rc<Http2Connection> {
        &self.connection
    }

    /// A request begins. The last one that the connection may serve makes it take no more.
    pub(super) fn begin(&self) {
        let connection = &self.connection;
        if let Some(idle) = connection.keepalive().and_then(|keepalive| keepalive.connection_idle_interval)
            && connection.signs.received.get().elapsed() >= idle
        {
            connection.ping_wanted.set(true);
            connection.wake();
        }
        let served = connection.served.get() + 1;
        connection.served.set(served);
        let options = &connection.cluster.config.http;
        if options.max_requests_per_connection.is_some_and(|max| served >= max) && !connection.draining.replace(true) {
            connection.cluster.stats.upstream_cx_max_requests().inc();
        }
    }

    /// Opens the stream, whose head has these fields.
    ///
    /// # Errors
    /// The connection is over, or the request breaks HTTP/2's rules.
    pub(crate) fn send_request(
        &self,
        request: http::Request<()>,
        fields: HeaderMap,
        end_stream: bool,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        // A clone of its own: the handle itself would wait for its last request to be opened.
        let connection = &self.connection;
        let Some(mut send) = connection.send.borrow().clone() else { return Err(Reason::CANCEL.into()) };
        let asked = match *request.method() {
            Method::HEAD => Asked::Head,
            Method::CONNECT => Asked::Connect,
            _ => Asked::Other,
        };
        let (response, sending) = send.send_request(request, end_stream)?;
        let stream = sending.stream_id().as_u32();
        connection.signs.frames.borrow_mut().begin(stream, asked);
        connection.signs.responses.borrow_mut().opened();
        connection.signs.outbound.borrow_mut().queue(stream, fields);
        connection.cluster.http2_stats.streams_active().inc();
        self.stream.set(Some(stream));
        Ok((response, sending))
    }

    /// The trailers that its stream is about to send.
    pub(crate) fn queue_trailers(&self, trailers: HeaderMap) {
        if let Some(stream) = self.stream.get() {
            self.connection.signs.outbound.borrow_mut().queue(stream, trailers);
        }
    }

    /// The first 1xx response on its stream.
    pub(crate) fn take_informational(&self) -> Option<HeaderMap> {
        self.connection.signs.frames.borrow_mut().take_informational(self.stream.get()?)
    }

    /// The head of the response, once the `h2` crate has told of one, or why it is refused.
    pub(crate) fn take_head(&self) -> Option<Result<HeaderMap, Refusal>> {
        self.connection.signs.frames.borrow_mut().take_head(self.stream.get()?)
    }

    /// The trailers of the response, likewise.
    pub(crate) fn take_trailers(&self) -> Option<Result<HeaderMap, Refusal>> {
        self.connection.signs.frames.borrow_mut().take_trailers(self.stream.get()?)
    }

    /// The bytes of its stream so far.
    pub(crate) fn bytes(&self) -> ByteMeter {
        let frames = self.connection.signs.frames.borrow();
        self.stream.get().map(|stream| frames.bytes(stream)).unwrap_or_default()
    }
}

impl Drop for StreamLease {
    fn drop(&mut self) {
        if let Some(stream) = self.stream.get() {
            self.connection.signs.frames.borrow_mut().forget(stream);
            self.connection.signs.outbound.borrow_mut().abandon(stream);
            self.connection.cluster.http2_stats.streams_active().dec();
        }
        self.connection.stream_ended();
    }
}
