//! One downstream HTTP/1 connection: the task that moves bytes between its socket and its stream.

mod close;
mod request;
mod response;
mod timers;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::BytesMut;
use sandgate_filter::{ByteMeter, ConnectionInfo};
use sandgate_http::WriteBuffer;
use sandgate_http::h1::RequestDecoder;

use crate::active_stream::{ActiveStream, RequestStart};
use crate::connection_id::next_connection_id;
use crate::hcm::Hcm;
use crate::pool::CloseSide;
use crate::socket::Socket;
use crate::stats::milliseconds;
use crate::transport::Transport;
use crate::worker::{ConnectionSlot, Worker};
use close::{Closing, Drain};
use request::Message;
use timers::Alarm;

/// Steps before the task lets others run.
const STEPS_PER_POLL: usize = 32;
/// Bytes that wait for the client, if `per_connection_buffer_limit_bytes` is no limit.
const DEFAULT_OUTPUT_LIMIT: usize = 1024 * 1024;

/// A downstream connection. One request at a time: a second one waits in the socket until the first is answered.
pub(crate) struct Connection {
    worker: Rc<Worker>,
    hcm: Rc<Hcm>,
    info: Rc<ConnectionInfo>,
    socket: Socket,
    decoder: RequestDecoder,
    input: BytesMut,
    output: WriteBuffer,
    /// Bytes of the request in flight and of its response.
    bytes: ByteMeter,
    /// A request whose head is not complete.
    partial: Option<RequestStart>,
    stream: Option<ActiveStream>,
    /// How the request in flight and its response are framed.
    message: Message,
    drain: Drain,
    closing: Option<Closing>,
    /// The client has closed or reset the connection.
    remote_closed: bool,
    /// What the client sends cannot be read any further.
    input_failed: bool,
    /// The first bytes have come, and they are HTTP/1.
    has_codec: bool,
    requests: u64,
    /// When the request in flight, or the last one, began.
    request_began: Instant,
    /// What the stats of buffered bytes hold of this connection.
    unread: u64,
    unwritten: u64,
    opened: Instant,
    idle_since: Instant,
    drain_deadline: Option<Instant>,
    alarm: Alarm,
    slot: ConnectionSlot,
}

impl Connection {
    pub(crate) fn new(worker: &Rc<Worker>, hcm: &Rc<Hcm>, transport: Transport, peer: SocketAddr) -> Self {
        let now = Instant::now();
        let socket = Socket::new(transport);
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
            decoder: RequestDecoder::new(hcm.request_options.clone()),
            hcm: Rc::clone(hcm),
            info: Rc::new(info),
            socket,
            input: BytesMut::new(),
            output: WriteBuffer::new(),
            bytes: ByteMeter::default(),
            partial: None,
            stream: None,
            message: Message::default(),
            drain: Drain::No,
            closing: None,
            remote_closed: false,
            input_failed: false,
            has_codec: false,
            requests: 0,
            request_began: now,
            unread: 0,
            unwritten: 0,
            opened: now,
            idle_since: now,
            drain_deadline: None,
            alarm: Alarm::default(),
            slot: ConnectionSlot::new(worker),
        }
    }

    fn output_limit(&self) -> usize {
        if self.hcm.buffer_limit == 0 { DEFAULT_OUTPUT_LIMIT } else { self.hcm.buffer_limit }
    }

    /// One round over everything that may move; whether something did.
    fn step(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        if self.closing.is_some() {
            return self.step_closing(cx, now);
        }
        let mut progress = self.read(cx, now);
        let reading = self.wants_input(0);
        progress |= self.respond(cx, now);
        if self.remote_closed {
            // What the client sent before it went has been passed on; it takes no answer any more.
            self.abandon(now);
            return true;
        }
        progress |= self.complete(now);
        // What had to wait for room is looked at again once there is some: nothing else would wake it.
        progress |= self.flush(cx);
        progress |= !reading && self.wants_input(0);
        if self.remote_closed {
            self.abandon(now);
        }
        progress
    }

    /// Writes what waits for the client; whether that made room for more of a response that had to wait.
    fn flush(&mut self, cx: &mut Context<'_>) -> bool {
        if self.output.is_empty() && !self.socket.holds_back() {
            return false;
        }
        let before = self.output.len();
        let result = self.socket.poll_write(cx, &mut self.output);
        let stats = &self.hcm.stats;
        stats.downstream_cx_tx_bytes_total().add((before - self.output.len()) as u64);
        stats.downstream_cx_tx_bytes_buffered().change(&mut self.unwritten, self.output.len());
        if let Poll::Ready(Err(error)) = result {
            log::debug!(target: "connection", "[C{}] write error: {error}", self.info.id);
            self.output.clear();
            self.remote_closed = true;
        }
        before >= self.output_limit() && self.output.len() < self.output_limit()
    }

    fn is_over(&self) -> bool {
        self.closing.as_ref().is_some_and(Closing::is_over)
    }
}

impl Future for Connection {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let now = Instant::now();
        this.slot.register(cx.waker());
        if this.worker.is_draining() && this.stream.is_none() {
            // A request that has come is not to be taken for an idle connection.
            let _ = this.step(cx, now);
        }
        this.on_alarm(now);
        for _ in 0..STEPS_PER_POLL {
            let progress = this.step(cx, now);
            if this.is_over() {
                return Poll::Ready(());
            }
            if !progress {
                this.arm(cx, now);
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let side = self.closing.as_ref().map_or(CloseSide::Local, Closing::side);
        let active = self.stream.is_some() || self.partial.is_some();
        self.abandon(Instant::now());
        let stats = &self.hcm.stats;
        stats.downstream_cx_active().dec();
        self.hcm.listener_stats.downstream_cx_active().dec();
        self.hcm.thread_stats.downstream_cx_active().dec();
        let lived = milliseconds(Instant::now().saturating_duration_since(self.opened));
        stats.downstream_cx_length_ms().record(lived);
        self.hcm.listener_stats.downstream_cx_length_ms().record(lived);
        stats.downstream_cx_rx_bytes_buffered().change(&mut self.unread, 0);
        stats.downstream_cx_tx_bytes_buffered().change(&mut self.unwritten, 0);
        stats.downstream_cx_destroy().inc();
        self.hcm.listener_stats.downstream_cx_destroy().inc();
        if self.has_codec {
            stats.downstream_cx_http1_active().dec();
        }
        match side {
            CloseSide::Local => stats.downstream_cx_destroy_local().inc(),
            CloseSide::Remote => stats.downstream_cx_destroy_remote().inc(),
        }
        if active || self.closing.as_ref().is_some_and(Closing::had_request) {
            stats.downstream_cx_destroy_active_rq().inc();
            match side {
                CloseSide::Local => stats.downstream_cx_destroy_local_active_rq().inc(),
                CloseSide::Remote => stats.downstream_cx_destroy_remote_active_rq().inc(),
            }
        }
        log::debug!(target: "connection", "[C{}] closed", self.info.id);
    }
}
