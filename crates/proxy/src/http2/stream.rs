//! One stream of a connection: the task between the `h2` crate and the filter chain.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use sandgate_filter::response_flag;
use sandgate_http::h1::is_upgrade;
use sandgate_http::{BodyBuffer, HeaderMap, HeaderMapKind};

use super::head_limits::{Refusal, VIOLATION};
use super::headers;
use super::output::{Gone, Output};
use super::shared::{Drain, Finished, Shared};
use super::upgrade;
use crate::active_stream::{ActiveStream, ResponseEvent};
use crate::hcm::Hcm;

/// Steps before the task lets others run.
const STEPS_PER_POLL: usize = 32;
/// A stream that its client resets earlier counts as premature: Envoy's default.
const PREMATURE: Duration = Duration::from_secs(1);

/// How long a stream that is reset waits for the client to take what was sent before.
const RESET_DELAY: Duration = Duration::from_secs(1);
/// How often others go first.
const RESET_ROUNDS: u8 = 4;

/// A stream in flight.
pub(super) struct Http2Stream {
    shared: Rc<Shared>,
    id: u32,
    /// Its place among the deadlines.
    key: usize,
    /// Large, and moved often.
    active: Option<Box<ActiveStream>>,
    body: RecvStream,
    respond: SendResponse<Bytes>,
    send: Option<SendStream<Bytes>>,
    output: Output,
    began: Instant,
    reset_here: bool,
    resetting: Option<Resetting>,
}

/// The stream is about to be reset. The `h2` crate then forgets what it has not written, so that goes first, if the client
/// takes it soon.
struct Resetting {
    reason: Reason,
    until: Instant,
    /// How often the connection's task is let go first, once all is handed over.
    rounds: u8,
}

/// How a stream goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Waits,
    Moved,
    /// The response is complete.
    Complete,
    /// The client reset it or is gone, or we reset it.
    Gone,
}

/// Why no more can be read of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unread {
    /// The stream is reset, or its connection closed.
    Gone,
    /// Its trailers are too many or too large.
    TooLarge,
}

impl Http2Stream {
    pub(super) fn new(
        shared: Rc<Shared>,
        active: Box<ActiveStream>,
        body: RecvStream,
        respond: SendResponse<Bytes>,
        began: Instant,
    ) -> Self {
        let key = shared.deadlines.insert();
        shared.streams.set(shared.streams.get() + 1);
        let id = respond.stream_id().as_u32();
        Self {
            shared,
            id,
            key,
            active: Some(active),
            body,
            respond,
            send: None,
            output: Output::default(),
            began,
            resetting: None,
            reset_here: false,
        }
    }

    fn step(&mut self, cx: &mut Context<'_>, now: Instant) -> Outcome {
        if self.resetting.is_some() {
            return self.step_reset(cx, now);
        }
        let Some(active) = &mut self.active else { return Outcome::Complete };
        if self.shared.closed.get() {
            return Outcome::Gone;
        }
        let mut moved = match read(&mut self.body, active, (&self.shared, self.id), cx, now) {
            Ok(moved) => moved,
            Err(Unread::TooLarge) => {
                self.reset(Reason::INTERNAL_ERROR);
                return Outcome::Gone;
            }
            Err(Unread::Gone) => {
                let (ended_with_headers, reset) = {
                    let io = self.shared.io.get();
                    (io.frames.ended_with_headers(self.id), io.frames.reset(self.id).is_some())
                };
                let stream_errors = self.shared.hcm.config.http2.stream_error_on_invalid_http_message;
                if ended_with_headers && !reset && !self.shared.closed.get() && !stream_errors {
                    // Trailers before all of the body has come.
                    self.shared.broken.set(Some(VIOLATION));
                    self.shared.invalid.set(true);
                    self.shared.wake_connection();
                }
                return Outcome::Gone;
            }
        };
        let limit = self.shared.hcm.output_limit();
        moved |= active.poll(cx, now, self.output.len() < limit);
        match self.encode(cx, now) {
            Ok(encoded) => moved |= encoded,
            Err(outcome) => return outcome,
        }
        if self.output.is_complete() {
            return Outcome::Complete;
        }
        if self.is_reset(cx) {
            return Outcome::Gone;
        }
        if moved { Outcome::Moved } else { Outcome::Waits }
    }

    /// Writes what is left, then resets the stream.
    fn step_reset(&mut self, cx: &mut Context<'_>, now: Instant) -> Outcome {
        if self.shared.closed.get() || self.flush(cx).is_err() {
            return Outcome::Gone;
        }
        let waiting = self.output.len() > 0;
        let Some(resetting) = &mut self.resetting else { return Outcome::Waits };
        if now < resetting.until && (waiting || resetting.rounds > 0) {
            if !waiting {
                resetting.rounds -= 1;
                cx.waker().wake_by_ref();
            }
            return Outcome::Waits;
        }
        let reason = resetting.reason;
        self.reset(reason);
        Outcome::Gone
    }

    /// Whether the client has reset the stream or is gone.
    fn is_reset(&mut self, cx: &mut Context<'_>) -> bool {
        match &mut self.send {
            Some(send) => send.poll_reset(cx).is_ready(),
            None => self.respond.poll_reset(cx).is_ready(),
        }
    }

    /// Encodes what has come through the chain, as long as there is room for it.
    fn encode(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<bool, Outcome> {
        let limit = self.shared.hcm.output_limit();
        let mut moved = self.flush(cx)?;
        while !self.output.is_complete()
            && let Some(active) = &mut self.active
            && (self.output.len() < limit || active.ends_with_reset())
            && let Some(event) = active.next_event(now)
        {
            moved = true;
            match event {
                ResponseEvent::Informational => {
                    self.shared.send_continue(&mut self.respond);
                }
                ResponseEvent::Headers { end_stream } => self.send_headers(end_stream)?,
                ResponseEvent::Data(data, end_stream) => self.output.push(data, end_stream),
                ResponseEvent::Trailers => {
                    let trailers = active.response_trailers().map(|trailers| HeaderMap::clone(&trailers));
                    match trailers.and_then(headers::sent_trailers) {
                        Some(trailers) => {
                            self.shared.io.get_mut().queue(self.id, trailers);
                            self.output.end_with_trailers();
                        }
                        None => self.output.push(BodyBuffer::new(), true),
                    }
                }
                ResponseEvent::Reset => {
                    let lost = self.active.as_ref().is_some_and(|active| active.has_lost_tunnel());
                    let reason = if lost { Reason::CONNECT_ERROR } else { Reason::INTERNAL_ERROR };
                    self.resetting = Some(Resetting { reason, until: now + RESET_DELAY, rounds: RESET_ROUNDS });
                    cx.waker().wake_by_ref();
                    return Err(Outcome::Waits);
                }
            }
            self.flush(cx)?;
        }
        Ok(moved)
    }

    fn flush(&mut self, cx: &mut Context<'_>) -> Result<bool, Outcome> {
        match &mut self.send {
            Some(send) => self.output.flush(cx, send).map_err(|Gone| Outcome::Gone),
            None => Ok(false),
        }
    }

    fn send_headers(&mut self, end_stream: bool) -> Result<(), Outcome> {
        let Some(active) = &self.active else { return Ok(()) };
        self.shared.decide_drain();
        if active.refuses_upgrade() {
            // Who sends bytes of another protocol all the same is to find nobody, as in Envoy.
            self.shared.drain_wanted.set(true);
            self.shared.wake_connection();
        }
        if !active.request_complete() {
            self.shared.hcm.stats.downstream_rq_response_before_rq_complete().inc();
        }
        let fields = match active.response_headers() {
            Some(headers) if active.is_upgraded() && is_upgrade(&headers) => upgrade::response_to_http2(&headers),
            Some(headers) => HeaderMap::clone(&headers),
            None => return Ok(()),
        };
        let response = match headers::response(&fields) {
            Ok(response) => response,
            Err(error) => {
                log::warn!(target: "http", "[C{}] response headers cannot be written: {error}", self.shared.info.id);
                self.reset(Reason::INTERNAL_ERROR);
                return Err(Outcome::Gone);
            }
        };
        self.shared.io.get_mut().queue(self.id, fields);
        let send = self.respond.send_response(response, end_stream).map_err(|_| Outcome::Gone)?;
        self.send = Some(send);
        if end_stream {
            self.output.set_complete();
        }
        Ok(())
    }

    fn reset(&mut self, reason: Reason) {
        match &mut self.send {
            Some(send) => send.send_reset(reason),
            None => self.respond.send_reset(reason),
        }
        self.reset_here = true;
    }

    /// The stream ends without a complete response.
    fn abort(&mut self, now: Instant) {
        let Some(mut active) = self.active.take() else { return };
        let reset = self.shared.io.get().frames.reset(self.id);
        if let Some(details) = self.shared.broken.get() {
            active.failed(response_flag::DOWNSTREAM_PROTOCOL_ERROR, details);
        } else if let Some(code) = reset.map(Reason::from) {
            let protocol_error = code == Reason::PROTOCOL_ERROR;
            let flag = if protocol_error {
                response_flag::DOWNSTREAM_PROTOCOL_ERROR
            } else {
                response_flag::DOWNSTREAM_REMOTE_RESET
            };
            let refused = code == Reason::REFUSED_STREAM;
            active.failed(flag, if refused { "http2.remote_refuse" } else { "http2.remote_reset" });
            self.shared.hcm.http2_stats.rx_reset().inc();
            if now.saturating_duration_since(self.began) < PREMATURE {
                self.shared.premature_resets.set(self.shared.premature_resets.get() + 1);
                self.shared.wake_connection();
            }
        } else if self.shared.closed.get() {
            active.disconnected();
        } else if !self.reset_here {
            // The `h2` crate found a body that is not as long as was said.
            active.failed(response_flag::DOWNSTREAM_PROTOCOL_ERROR, "http2.remote_reset");
        }
        self.shared.hcm.stats.downstream_rq_rx_reset().inc();
        active.set_bytes(self.shared.io.get_mut().forget(self.id));
        active.finish(now);
        self.shared.end_request(self.began, now);
    }

    fn on_deadline(&mut self, now: Instant) {
        if self.resetting.is_none()
            && let Some(active) = &mut self.active
            && active.deadline().is_some_and(|deadline| deadline <= now)
        {
            active.set_bytes(self.shared.io.get().frames.bytes(self.id));
            active.on_timers(now);
        }
    }
}

impl Future for Http2Stream {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let now = Instant::now();
        this.on_deadline(now);
        for _ in 0..STEPS_PER_POLL {
            match this.step(cx, now) {
                Outcome::Moved => {}
                Outcome::Waits => {
                    let deadline = match &this.resetting {
                        Some(resetting) => Some(resetting.until),
                        None => this.active.as_ref().and_then(|active| active.deadline()),
                    };
                    if this.shared.deadlines.set(this.key, deadline, cx.waker()) {
                        this.shared.wake_connection();
                    }
                    return Poll::Pending;
                }
                Outcome::Complete => {
                    if let Some(active) = this.active.take() {
                        let finished = Finished { id: this.id, active, began: this.began };
                        this.shared.finished.borrow_mut().push(finished);
                    }
                    return Poll::Ready(());
                }
                Outcome::Gone => {
                    this.abort(now);
                    return Poll::Ready(());
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Http2Stream {
    fn drop(&mut self) {
        if self.active.is_some() {
            self.abort(Instant::now());
        }
        self.shared.deadlines.remove(self.key);
        self.shared.streams.set(self.shared.streams.get().saturating_sub(1));
        self.shared.wake_connection();
    }
}

/// Reads what has come of a request and has somewhere to go; whether anything did. Each DATA frame is one piece for the
/// filters, and what came before it has reached the upstream's side by then, as in Envoy.
fn read(
    body: &mut RecvStream,
    active: &mut ActiveStream,
    (shared, id): (&Shared, u32),
    cx: &mut Context<'_>,
    now: Instant,
) -> Result<bool, Unread> {
    let mut moved = false;
    while !active.request_complete() && active.wants_request_data() {
        match body.poll_data(cx) {
            Poll::Pending => break,
            Poll::Ready(Some(Ok(data))) => {
                let _ = body.flow_control().release_capacity(data.len());
                let mut piece = BodyBuffer::new();
                piece.push(data);
                active.pass_on(cx, now);
                active.request_data(piece, body.is_end_stream(), now);
            }
            Poll::Ready(Some(Err(_))) => return Err(Unread::Gone),
            Poll::Ready(None) => match body.poll_trailers(cx) {
                Poll::Pending => break,
                Poll::Ready(Ok(Some(_))) => {
                    let trailers = shared.io.get_mut().frames.take_trailers(id).unwrap_or_else(|| Ok(HeaderMap::new()));
                    let trailers = trailers.map_err(|refusal| note_refusal(refusal, &shared.hcm))?;
                    shared.hcm.http2_stats.trailers().inc();
                    active.pass_on(cx, now);
                    active.request_trailers(trailers, now);
                }
                Poll::Ready(Ok(None)) => active.request_data(BodyBuffer::new(), true, now),
                Poll::Ready(Err(_)) => return Err(Unread::Gone),
            },
        }
        moved = true;
    }
    Ok(moved)
}

/// Trailers have the limits of headers.
fn note_refusal(refusal: Refusal, hcm: &Hcm) -> Unread {
    match refusal {
        Refusal::TooMany => hcm.http2_stats.header_overflow().inc(),
        _ => hcm.http2_stats.header_list_size_too_large().inc(),
    }
    Unread::TooLarge
}

impl Shared {
    /// A request is over.
    pub(super) fn end_request(&self, began: Instant, now: Instant) {
        let stats = &self.hcm.stats;
        stats.downstream_rq_active().dec();
        self.hcm.http2_stats.streams_active().dec();
        let took = now.saturating_duration_since(began);
        stats.downstream_rq_time().record(crate::stats::milliseconds(took));
        self.destroyed.set(self.destroyed.get() + 1);
    }

    /// Tells the client to go on.
    pub(super) fn send_continue(&self, respond: &mut SendResponse<Bytes>) {
        let mut fields = HeaderMap::with_kind(HeaderMapKind::Response);
        fields.append(b":status", b"100");
        self.io.get_mut().queue(respond.stream_id().as_u32(), fields);
        let mut response = http::Response::new(());
        *response.status_mut() = http::StatusCode::CONTINUE;
        let _ = respond.send_informational(response);
    }

    /// Whether the connection is to end, now that a response begins.
    fn decide_drain(&self) {
        if self.drain.get() == Drain::No && !self.drain_wanted.get() && self.hcm.is_drained(&self.worker) {
            self.hcm.stats.downstream_cx_drain_close().inc();
            self.drain_wanted.set(true);
            self.wake_connection();
        }
    }
}
