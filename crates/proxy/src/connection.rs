//! One downstream HTTP/1 connection: the task that moves bytes between its socket and its stream.

mod close;
mod request;
mod response;
mod timers;

use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::BytesMut;
use sandgate_filter::{ByteMeter, ConnectionInfo};
use sandgate_http::WriteBuffer;
use sandgate_http::h1::RequestDecoder;

use crate::active_stream::{ActiveStream, RequestStart};
use crate::downstream::DownstreamConnection;
use crate::hcm::Hcm;
use crate::http2::Http2Connection;
use crate::socket::Socket;
use crate::worker::Worker;
use close::{Closing, Drain};
use request::Message;
use timers::Alarm;

/// Steps before the task lets others run.
const STEPS_PER_POLL: usize = 32;

/// A downstream connection. One request at a time: a second one waits in the socket until the first is answered.
pub(crate) struct Connection {
    worker: Rc<Worker>,
    hcm: Rc<Hcm>,
    info: Rc<ConnectionInfo>,
    base: DownstreamConnection,
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
    /// They are HTTP/2.
    is_http2: bool,
    requests: u64,
    /// When the request in flight, or the last one, began.
    request_began: Instant,
    /// What the stats of buffered bytes hold of this connection.
    unread: u64,
    unwritten: u64,
    idle_since: Instant,
    drain_deadline: Option<Instant>,
    alarm: Alarm,
}

/// How the work on a connection came to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Served {
    /// It is closed.
    Over,
    /// The client speaks HTTP/2: [`Connection::into_http2`] is what goes on.
    Http2,
}

impl Connection {
    /// Serves a connection that has just been accepted.
    pub(crate) fn new(base: DownstreamConnection, socket: Socket) -> Self {
        let now = Instant::now();
        let (worker, hcm) = (Rc::clone(&base.worker), Rc::clone(&base.hcm));
        Self {
            worker,
            decoder: RequestDecoder::new(hcm.request_options.clone()),
            hcm,
            info: Rc::clone(&base.info),
            base,
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
            is_http2: false,
            requests: 0,
            request_began: now,
            unread: 0,
            unwritten: 0,
            idle_since: now,
            drain_deadline: None,
            alarm: Alarm::default(),
        }
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
        before >= self.hcm.output_limit() && self.output.len() < self.hcm.output_limit()
    }

    fn is_over(&self) -> bool {
        self.closing.as_ref().is_some_and(Closing::is_over)
    }

    /// Serves it as far as it goes now.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Served> {
        let now = Instant::now();
        self.base.register(cx.waker());
        if self.worker.is_draining() && self.stream.is_none() {
            // A request that has come is not to be taken for an idle connection.
            let _ = self.step(cx, now);
        }
        self.on_alarm(now);
        for _ in 0..STEPS_PER_POLL {
            let progress = self.step(cx, now);
            if self.is_over() {
                return Poll::Ready(Served::Over);
            }
            if self.is_http2 {
                return Poll::Ready(Served::Http2);
            }
            if !progress {
                self.arm(cx, now);
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Goes on with HTTP/2, with what has come so far.
    pub(crate) fn into_http2(self) -> Http2Connection {
        self.hcm.stats.downstream_cx_rx_bytes_buffered().sub(self.unread);
        Http2Connection::new(self.base, self.socket, self.input)
    }

    /// Ends what is still there, and tells how it ended.
    pub(crate) fn end(&mut self) {
        let active = self.stream.is_some() || self.partial.is_some();
        self.abandon(Instant::now());
        let stats = &self.hcm.stats;
        stats.downstream_cx_rx_bytes_buffered().change(&mut self.unread, 0);
        stats.downstream_cx_tx_bytes_buffered().change(&mut self.unwritten, 0);
        if self.has_codec {
            stats.downstream_cx_http1_active().dec();
        }
        if let Some(closing) = &self.closing {
            self.base.ended(closing.side(), active || closing.had_request());
        }
    }
}
