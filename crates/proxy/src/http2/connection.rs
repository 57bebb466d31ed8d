//! One downstream HTTP/2 connection: the task that drives the `h2` crate and starts a task for each stream.

use std::future::Future as _;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use h2::Reason;
use h2::server::{Builder, Connection, Handshake};
use sandgate_config::model::Http2Options;

use super::alarm::Alarm;
use super::drain::Pings;
use super::frames::Fault;
use super::head_limits::{INVALID_FIELD, VIOLATION};
use super::io::SharedIo;
use super::shared::{Finished, Shared};
use crate::downstream::DownstreamConnection;
use crate::pool::CloseSide;
use crate::socket::Socket;

/// Requests that are begun before the task lets others run.
const REQUESTS_PER_POLL: usize = 32;
/// Bytes of one stream that the `h2` crate holds for the socket.
const SEND_BUFFER: usize = 128 * 1024;
/// Envoy's `overload.premature_reset_total_stream_count`.
const PREMATURE_RESETS: u64 = 500;

/// A downstream HTTP/2 connection.
pub(crate) struct Http2Connection {
    pub(super) shared: Rc<Shared>,
    pub(super) base: DownstreamConnection,
    codec: Codec,
    pub(super) closing: Option<Closing>,
    pub(super) drain_deadline: Option<Instant>,
    pub(super) idle_since: Instant,
    pub(super) pings: Option<Pings>,
    pub(super) ping_due: Option<Instant>,
    pub(super) alarm: Alarm,
    pub(super) requests: u64,
}

enum Codec {
    /// The preface has not come.
    Handshake(Handshake<SharedIo, Bytes>),
    Open(Connection<SharedIo, Bytes>),
    /// It never came.
    Failed,
}

/// The last phase: what is left is written, then the client gets time to close first.
pub(super) struct Closing {
    /// How long the client may take; `None` is not at all.
    pub(super) deadline: Option<Instant>,
    side: CloseSide,
    had_request: bool,
}

/// What the `h2` crate is to do.
fn builder(options: &Http2Options) -> Builder {
    let mut builder = Builder::new();
    builder
        .header_table_size(options.hpack_table_size)
        .max_concurrent_streams(options.max_concurrent_streams)
        .initial_window_size(options.initial_stream_window_size)
        .initial_connection_window_size(options.initial_connection_window_size)
        .max_send_buffer_size(SEND_BUFFER)
        // Resets have their own limit here, which is Envoy's.
        .max_pending_accept_reset_streams(usize::MAX);
    if options.allow_connect {
        builder.enable_connect_protocol();
    }
    builder
}

impl Http2Connection {
    /// Serves a connection of which `input` has been read.
    pub(crate) fn new(base: DownstreamConnection, socket: Socket, input: BytesMut) -> Self {
        let hcm = &base.hcm;
        base.set_protocol("HTTP/2");
        let io = SharedIo::new(hcm, socket, input);
        let shared = Shared::new(&base.worker, hcm, &base.info, io.clone());
        hcm.stats.downstream_cx_http2_total().inc();
        hcm.stats.downstream_cx_http2_active().inc();
        hcm.http2_stats.show();
        hcm.http2_stats.nghttp2_downstream_connections().inc();
        let codec = Codec::Handshake(builder(&hcm.config.http2).handshake(io));
        Self {
            shared,
            base,
            codec,
            closing: None,
            drain_deadline: None,
            idle_since: Instant::now(),
            pings: None,
            ping_due: None,
            alarm: Alarm::default(),
            requests: 0,
        }
    }

    /// Serves it as far as it goes now; ready once it is closed.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let now = Instant::now();
        self.base.register(cx.waker());
        self.shared.register(cx.waker());
        if self.closing.is_none() {
            self.drive(cx, now);
            self.finish_streams(false, now);
            self.on_time(cx, now);
            self.look_at_frames(now);
            let written = self.shared.io.get_mut().poll_write_out(cx);
            if let Poll::Ready(Err(_)) = written {
                self.closed_by_client();
            }
        }
        if self.closing.is_some() && self.poll_closing(cx, now) {
            return Poll::Ready(());
        }
        self.arm(cx, now);
        Poll::Pending
    }

    /// Lets the `h2` crate read and write, and starts the streams that have come.
    fn drive(&mut self, cx: &mut Context<'_>, now: Instant) {
        if let Codec::Handshake(handshake) = &mut self.codec {
            match Pin::new(handshake).poll(cx) {
                Poll::Pending => return,
                Poll::Ready(Ok(mut connection)) => {
                    let keepalive = self.shared.hcm.config.http2.connection_keepalive;
                    self.pings = keepalive.and_then(|settings| Pings::new(settings, connection.ping_pong()?, now));
                    self.codec = Codec::Open(connection);
                }
                Poll::Ready(Err(error)) => {
                    self.codec = Codec::Failed;
                    self.on_error(&error, now);
                    return;
                }
            }
        }
        for _ in 0..REQUESTS_PER_POLL {
            let Codec::Open(connection) = &mut self.codec else { return };
            match connection.poll_accept(cx) {
                Poll::Pending => return,
                Poll::Ready(Some(Ok((request, respond)))) => {
                    self.idle_since = now;
                    if !self.begin(request, respond, now) {
                        return;
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    self.on_error(&error, now);
                    return;
                }
                Poll::Ready(None) => {
                    if self.shared.io.get().remote_closed() {
                        self.closed_by_client();
                    } else {
                        // The client has said that it is done, and is.
                        self.close(true, now);
                    }
                    return;
                }
            }
        }
        cx.waker().wake_by_ref();
    }

    fn on_error(&mut self, error: &h2::Error, now: Instant) {
        log::debug!(target: "http", "[C{}] dispatch error: {error}", self.shared.info.id);
        if error.is_io() || error.is_remote() || self.shared.io.get().remote_closed() {
            self.closed_by_client();
        } else if self.shared.io.get().frames.has_unread_request() {
            self.note_unread(INVALID_FIELD, now);
            self.on_invalid(INVALID_FIELD, now);
        } else {
            self.on_broken(VIOLATION, now);
        }
    }

    /// The client sent a message that is none, or something else that ends the connection.
    pub(super) fn on_invalid(&mut self, details: &'static str, now: Instant) {
        self.shared.hcm.http2_stats.rx_messaging_error().inc();
        self.on_broken(details, now);
        if let Some(closing) = &mut self.closing {
            closing.had_request = true;
        }
    }

    /// The client broke the protocol: no stream survives that.
    fn on_broken(&mut self, details: &'static str, now: Instant) {
        self.shared.hcm.stats.downstream_cx_protocol_error().inc();
        self.shared.broken.set(Some(details));
        self.close(true, now);
    }

    /// Ends the connection with a GOAWAY of this reason.
    pub(super) fn abort(&mut self, reason: Reason) {
        self.shared.hcm.stats.downstream_cx_protocol_error().inc();
        if let Codec::Open(connection) = &mut self.codec {
            connection.abrupt_shutdown(reason);
        }
    }

    /// Acts on what the frames tell.
    fn look_at_frames(&mut self, now: Instant) {
        let shared = Rc::clone(&self.shared);
        let stats = &shared.hcm.http2_stats;
        let fault = {
            let frames = &mut shared.io.get_mut().frames;
            stats.goaway_sent().add(std::mem::take(&mut frames.goaways_sent));
            stats.tx_reset().add(std::mem::take(&mut frames.resets_sent));
            stats.stream_refused_errors().add(std::mem::take(&mut frames.refusals_sent));
            frames.fault.take()
        };
        if shared.invalid.take() {
            self.on_invalid(VIOLATION, now);
        }
        if let Some(fault) = fault {
            log::debug!(target: "http", "[C{}] closing for {fault:?}", shared.info.id);
            match fault {
                Fault::Flood(flood) => flood.count(stats),
                Fault::HeaderBlock => stats.header_list_size_too_large().inc(),
                Fault::InvalidMessage(_) | Fault::InvalidTrailers(_) | Fault::Broken(..) | Fault::Resets => {}
            }
            match fault {
                Fault::InvalidMessage(details) => {
                    self.note_unread(details, now);
                    self.on_invalid(details, now);
                }
                Fault::InvalidTrailers(details) => self.on_invalid(details, now),
                Fault::Broken(reason, text) => {
                    stats.goaway_sent().inc();
                    let mut io = shared.io.get_mut();
                    let last = io.frames.last_id();
                    io.go_away_for(last, reason, text);
                    drop(io);
                    self.on_broken(VIOLATION, now);
                }
                // Envoy does not count these as errors of the protocol.
                Fault::Flood(flood) => {
                    shared.broken.set(Some(flood.details()));
                    self.close(true, now);
                }
                Fault::HeaderBlock => self.on_broken("http2.header_list_size_too_large", now),
                Fault::Resets => self.on_broken("http2.remote_reset", now),
            }
        }
        self.look_at_resets(now);
    }

    /// Envoy's measure against clients that open streams only to reset them.
    fn look_at_resets(&mut self, now: Instant) {
        let (premature, destroyed) = (self.shared.premature_resets.get(), self.shared.destroyed.get());
        let bad = premature.saturating_mul(2);
        if bad > 0 && bad >= destroyed.max(PREMATURE_RESETS) && self.closing.is_none() {
            self.shared.hcm.stats.downstream_rq_too_many_premature_resets().inc();
            self.close(false, now);
        }
    }

    /// Finishes the streams whose last frame is written, or all.
    fn finish_streams(&mut self, all: bool, now: Instant) {
        let mut finished = self.shared.finished.borrow_mut();
        if finished.is_empty() {
            return;
        }
        let is_over = |stream: &mut Finished| all || self.shared.io.get().frames.is_sent(stream.id);
        let done: Vec<_> = finished.extract_if(.., is_over).collect();
        drop(finished);
        for Finished { id, mut active, began } in done {
            let request_complete = active.request_complete();
            let bytes = self.shared.io.get_mut().forget(id);
            active.set_bytes(bytes);
            active.finish(now);
            if !request_complete {
                self.shared.hcm.stats.downstream_rq_rx_reset().inc();
            }
            self.shared.end_request(began, now);
            self.idle_since = now;
        }
    }

    fn closed_by_client(&mut self) {
        let had_request = self.shared.open_streams() > 0;
        if self.closing.is_none() {
            self.closing = Some(Closing { deadline: None, side: CloseSide::Remote, had_request });
        }
        self.end_streams();
    }

    /// Ends the connection; with `delay`, the client gets `delayed_close_timeout` to close it first.
    pub(super) fn close(&mut self, delay: bool, now: Instant) {
        if self.closing.is_some() {
            return;
        }
        let timeout = self.shared.hcm.config.delayed_close_timeout.filter(|timeout| delay && !timeout.is_zero());
        let had_request = self.shared.open_streams() > 0;
        let deadline = timeout.map(|timeout| now + timeout);
        self.closing = Some(Closing { deadline, side: CloseSide::Local, had_request });
        self.end_streams();
    }

    /// No stream outlives the connection.
    fn end_streams(&mut self) {
        self.shared.closed.set(true);
        self.shared.deadlines.wake_all();
        self.finish_streams(true, Instant::now());
    }

    /// Whether the last phase is over.
    fn poll_closing(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        // Streams end themselves, each in its task, and the last one wakes us.
        if self.shared.streams.get() > 0 {
            return false;
        }
        let gone = {
            let mut io = self.shared.io.get_mut();
            let _ = io.poll_write_out(cx);
            io.poll_closed(cx).is_ready()
        };
        let Some(closing) = &mut self.closing else { return false };
        if gone && closing.deadline.is_some() {
            closing.side = CloseSide::Remote;
        }
        let late = closing.deadline.is_none_or(|deadline| deadline <= now);
        if late && !gone && closing.deadline.is_some() {
            self.shared.hcm.stats.downstream_cx_delayed_close_timeout().inc();
        }
        gone || late
    }

    /// Ends what is still there, and tells how it ended.
    pub(crate) fn end(&mut self) {
        if self.closing.is_none() {
            self.close(false, Instant::now());
        }
        self.shared.hcm.stats.downstream_cx_http2_active().dec();
        if let Some(closing) = &self.closing {
            self.base.ended(closing.side, closing.had_request);
        }
    }
}
