//! Reading: bytes of the client to its stream.

use std::task::{Context, Poll};
use std::time::Instant;

use sandgate_config::model::{CodecType, HeadersWithUnderscoresAction};
use sandgate_http::h1::{
    BodyEncoder, DecodeError, Event, RequestDecoder, RequestHead, Version, encode_continue, reason_phrase,
};
use sandgate_http::{BodyBuffer, HeaderMap};

use super::Connection;
use super::close::Drain;
use crate::active_stream::{ActiveStream, RequestKind, RequestStart};
use crate::http2::PREFACE;
use crate::socket::{ReadOutcome, owned, recycle};

/// What the framing of a response needs to know of its request, and how far the response is.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub(super) head_request: bool,
    pub(super) connect_request: bool,
    pub(super) http_10: bool,
    /// The end of the connection is the end of the response.
    pub(super) framed_by_close: bool,
    /// The client wants the connection to end.
    pub(super) wants_close: bool,
    /// The head asked for another protocol: what comes next, be it nothing, is passed on as its first bytes, as in Envoy.
    pub(super) upgrading: bool,
    pub(super) encoder: Option<BodyEncoder>,
    /// The response's end is encoded.
    pub(super) response_complete: bool,
    /// The response cannot end as it should.
    pub(super) broken: bool,
}

impl Connection {
    /// Reads and decodes as much as the stream can take; whether anything came.
    pub(super) fn read(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let mut progress = false;
        let mut body = BodyBuffer::new();
        while !self.remote_closed && !self.message.response_complete && self.wants_input(body.len()) {
            // The end of a body with a length comes without further bytes.
            if (self.decoder.in_message() || !self.input.is_empty()) && self.knows_codec() {
                match self.decoder.decode(&mut self.input) {
                    Ok(Some(event)) => {
                        progress = true;
                        self.on_event(cx, event, &mut body, now);
                        continue;
                    }
                    Ok(None) => self.note_partial(now),
                    Err(error) => {
                        // What came in the same read is lost with it, as in Envoy.
                        self.on_codec_error(&error, now);
                        return true;
                    }
                }
            }
            if self.closing.is_some() || self.is_http2 {
                return true;
            }
            match self.socket.poll_read(cx, &mut self.input) {
                Poll::Pending => break,
                Poll::Ready(Ok(ReadOutcome::More(count) | ReadOutcome::Drained(count))) => {
                    progress = true;
                    self.bytes.wire_received += count as u64;
                    let stats = &self.hcm.stats;
                    stats.downstream_cx_rx_bytes_total().add(count as u64);
                    stats.downstream_cx_rx_bytes_buffered().change(&mut self.unread, self.input.len());
                }
                Poll::Ready(Ok(ReadOutcome::Closed)) => self.remote_closed = true,
                Poll::Ready(Err(error)) => {
                    log::debug!(target: "connection", "[C{}] read error: {error}", self.info.id);
                    self.remote_closed = true;
                }
            }
        }
        recycle(&mut self.input);
        self.pass_on(cx, body, now);
        if !self.remote_closed && !self.wants_input(0) && self.socket.poll_closed(cx).is_ready() {
            self.remote_closed = true;
        }
        progress
    }

    /// Whether bytes of the client have somewhere to go.
    pub(super) fn wants_input(&self, gathered: usize) -> bool {
        match &self.stream {
            _ if self.input_failed => false,
            Some(stream) if stream.request_complete() => false,
            Some(stream) => gathered < self.hcm.output_limit() && stream.wants_request_data(),
            None => self.drain != Drain::Closing,
        }
    }

    /// Whether what comes is HTTP/1. Decides with the first bytes.
    fn knows_codec(&mut self) -> bool {
        if self.has_codec {
            return true;
        }
        if self.hcm.config.codec_type != CodecType::Http1 && RequestDecoder::is_http2_preface(&self.input) {
            self.is_http2 = self.input.len() >= PREFACE.len();
            return false;
        }
        self.has_codec = true;
        self.base.set_protocol("HTTP/1.1");
        self.hcm.stats.downstream_cx_http1_total().inc();
        self.hcm.stats.downstream_cx_http1_active().inc();
        self.hcm.codec_stats.show();
        true
    }

    fn on_event(&mut self, cx: &mut Context<'_>, event: Event<RequestHead>, body: &mut BodyBuffer, now: Instant) {
        match event {
            Event::Head(head) => {
                self.begin(head, now);
                self.settle(cx, now);
            }
            Event::Data(data) => body.push(owned(data)),
            Event::End => {
                self.pass_on(cx, std::mem::take(body), now);
                if let Some(stream) = &mut self.stream {
                    stream.request_data(BodyBuffer::new(), true, now);
                }
            }
            Event::Trailers(trailers) => {
                self.pass_on(cx, std::mem::take(body), now);
                if let Some(stream) = &mut self.stream {
                    stream.request_trailers(trailers, now);
                }
            }
        }
    }

    /// What one read brought of a body is one piece for the filters, as in Envoy.
    fn pass_on(&mut self, cx: &mut Context<'_>, body: BodyBuffer, now: Instant) {
        if let Some(stream) = &mut self.stream
            && (!body.is_empty() || std::mem::take(&mut self.message.upgrading))
        {
            stream.request_data(body, false, now);
            self.settle(cx, now);
        }
    }

    /// Encodes an answer that what has come so far was enough for. Whether the rest was there already does not count:
    /// Envoy, too, ends the connection after such an answer.
    fn settle(&mut self, cx: &mut Context<'_>, now: Instant) {
        if let Some(stream) = &mut self.stream
            && !stream.request_complete()
            && stream.settle(cx, now)
        {
            self.encode_events(now);
        }
    }

    /// The first byte of a request has come, not its whole head.
    fn note_partial(&mut self, now: Instant) {
        if self.stream.is_none() && self.partial.is_none() && self.decoder.in_message() {
            self.partial = Some(self.begin_request_count(now));
        }
    }

    fn begin_request_count(&mut self, now: Instant) -> RequestStart {
        self.hcm.stats.downstream_rq_total().inc();
        self.hcm.stats.downstream_rq_http1_total().inc();
        self.hcm.stats.downstream_rq_active().inc();
        self.request_began = now;
        RequestStart::now(now)
    }

    pub(super) fn end_request_count(&mut self) {
        self.hcm.stats.downstream_rq_active().dec();
    }

    fn start(&mut self, now: Instant) -> RequestStart {
        match self.partial.take() {
            Some(start) => start,
            None => self.begin_request_count(now),
        }
    }

    fn begin(&mut self, head: RequestHead, now: Instant) {
        let RequestHead { mut headers, end_stream, version, keep_alive, expect_continue, upgrade, header_bytes } = head;
        self.bytes.header_received = header_bytes;
        if !self.accepts_underscores(&mut headers) {
            self.refuse(400, "http1.unexpected_underscore", now);
            return;
        }
        let start = self.start(now);
        let method = headers.get(b":method").unwrap_or_default();
        self.message = Message {
            head_request: method == b"HEAD",
            connect_request: method == b"CONNECT",
            http_10: version == Version::Http10,
            wants_close: !keep_alive,
            upgrading: upgrade,
            ..Message::default()
        };
        self.requests += 1;
        if self.hcm.config.max_requests_per_connection.is_some_and(|max| max > 0 && self.requests >= max.into()) {
            self.hcm.stats.downstream_cx_max_requests_reached().inc();
            self.message.wants_close = true;
            self.drain = Drain::Closing;
        }
        if expect_continue && !self.hcm.config.proxy_100_continue {
            encode_continue(&mut self.output);
            self.hcm.count_response(100);
            headers.remove(b"expect");
        }
        let kind = RequestKind {
            protocol: if self.message.http_10 { "HTTP/1.0" } else { "HTTP/1.1" },
            end_stream,
            upgrade,
            bytes: self.bytes,
        };
        let stream = ActiveStream::new(&self.worker, &self.hcm, &self.info, start, headers, kind, now);
        if stream.ends_connection() {
            self.drain = Drain::Closing;
        }
        self.stream = Some(stream);
    }

    /// Applies `headers_with_underscores_action`; whether the request may go on.
    fn accepts_underscores(&self, headers: &mut HeaderMap) -> bool {
        let action = self.hcm.config.headers_with_underscores_action;
        let odd =
            |headers: &HeaderMap| headers.iter().find(|(name, _)| name.contains(&b'_')).map(|(name, _)| name.to_vec());
        match action {
            HeadersWithUnderscoresAction::Allow => true,
            HeadersWithUnderscoresAction::RejectRequest if odd(headers).is_some() => {
                self.hcm.codec_stats.requests_rejected_with_underscores_in_headers().inc();
                false
            }
            HeadersWithUnderscoresAction::RejectRequest => true,
            HeadersWithUnderscoresAction::DropHeader => {
                while let Some(name) = odd(headers) {
                    headers.remove(&name);
                    self.hcm.codec_stats.dropped_headers_with_underscores().inc();
                }
                true
            }
        }
    }

    fn on_codec_error(&mut self, error: &DecodeError, now: Instant) {
        log::debug!(target: "http", "[C{}] dispatch error: {}", self.info.id, error.details());
        self.refuse(error.status(), error.details(), now);
    }

    /// Answers a request that cannot be read, as the last one of its connection.
    fn refuse(&mut self, status: u16, details: &str, now: Instant) {
        self.hcm.stats.downstream_cx_protocol_error().inc();
        self.input_failed = true;
        if self.stream.is_none() {
            let start = self.start(now);
            self.message = Message::default();
            self.stream = Some(ActiveStream::without_headers(&self.worker, &self.hcm, &self.info, start, now));
        }
        self.drain = Drain::Closing;
        if let Some(stream) = &mut self.stream {
            stream.codec_error(status, reason_phrase(status.into()), details);
        }
    }
}
