//! Writing: what the stream answers to bytes of the client.

use std::task::Context;
use std::time::{Instant, SystemTime};

use sandgate_filter::{ByteMeter, prepare_local_reply};
use sandgate_http::LocalReply;
use sandgate_http::h1::{ResponseEncodeOptions, encode_continue, encode_response, reason_phrase};

use super::Connection;
use super::close::Drain;
use crate::active_stream::ResponseEvent;
use crate::response_headers;
use crate::stats::milliseconds;

/// The status line without the reason, and the empty line.
const FIRST_AND_LAST_LINE: usize = "HTTP/1.1 200 \r\n\r\n".len();

impl Connection {
    /// Lets the stream run and encodes what it answers.
    pub(super) fn respond(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let limit = self.hcm.output_limit();
        let Some(stream) = &mut self.stream else { return false };
        let progress = stream.poll(cx, now, self.output.len() < limit);
        self.encode_events(now) || progress
    }

    /// Encodes what has come through the chain, as long as there is room for it.
    pub(super) fn encode_events(&mut self, now: Instant) -> bool {
        let limit = self.hcm.output_limit();
        let mut progress = false;
        while !self.message.response_complete
            && let Some(stream) = &mut self.stream
            && (self.output.len() < limit || stream.ends_with_reset())
            && let Some(event) = stream.next_event(now)
        {
            progress = true;
            let before = self.output.len();
            self.encode(event, now);
            self.bytes.wire_sent += (self.output.len() - before) as u64;
        }
        progress
    }

    fn encode(&mut self, event: ResponseEvent, now: Instant) {
        match event {
            ResponseEvent::Informational => encode_continue(&mut self.output),
            ResponseEvent::Headers { end_stream } => self.encode_headers(end_stream, now),
            ResponseEvent::Data(data, end_stream) => {
                let Some(encoder) = &mut self.message.encoder else { return };
                encoder.pieces(data, &mut self.output);
                if end_stream {
                    encoder.end(&mut self.output);
                    self.message.response_complete = true;
                }
            }
            ResponseEvent::Trailers => {
                let (Some(encoder), Some(stream)) = (&mut self.message.encoder, &self.stream) else { return };
                let written = match stream.response_trailers() {
                    Some(trailers) => encoder.trailers(&trailers, &mut self.output),
                    None => {
                        encoder.end(&mut self.output);
                        Ok(())
                    }
                };
                if let Err(error) = written {
                    log::warn!(target: "http", "[C{}] response trailers cannot be written: {error}", self.info.id);
                    self.message.broken = true;
                }
                self.message.response_complete = true;
            }
            ResponseEvent::Reset => {
                self.message.broken = true;
                self.message.response_complete = true;
            }
        }
    }

    fn encode_headers(&mut self, end_stream: bool, now: Instant) {
        self.decide_close(now);
        let Some(stream) = &self.stream else { return };
        if stream.switches_protocol() {
            // What follows is not HTTP: there is nothing to say of the connection.
        } else if self.drain != Drain::No {
            stream.set_connection_header(b"close");
        } else if self.message.http_10 {
            stream.set_connection_header(b"keep-alive");
        }
        let options = ResponseEncodeOptions {
            head_request: self.message.head_request,
            connect_request: self.message.connect_request,
            upgrade: stream.is_upgraded(),
            http_10: self.message.http_10,
            end_stream,
            enable_trailers: self.hcm.config.http1.enable_trailers,
        };
        let before = self.output.len();
        let result = match stream.response_headers() {
            Some(headers) => encode_response(&headers, options, &mut self.output),
            None => return,
        };
        match result {
            Ok(encoder) => {
                let head = self.output.len() - before;
                let status = stream.response_code().unwrap_or_default();
                let first_line = FIRST_AND_LAST_LINE + reason_phrase(status).len();
                self.bytes.header_sent = head.saturating_sub(first_line) as u64;
                self.message.encoder = Some(encoder);
                self.message.response_complete = end_stream;
            }
            Err(error) => {
                log::warn!(target: "http", "[C{}] response headers cannot be written: {error}", self.info.id);
                self.encode_replacement(error.to_string());
            }
        }
    }

    /// Whether the connection ends with this response, which then says so.
    fn decide_close(&mut self, now: Instant) {
        let Some(stream) = &self.stream else { return };
        if self.drain == Drain::No && self.hcm.is_drained(&self.worker) {
            self.hcm.stats.downstream_cx_drain_close().inc();
            self.drain = Drain::Draining;
            // A server that goes away does not wait for clients to take the hint, as Envoy does.
            self.drain_deadline = (!self.worker.is_draining()).then(|| now + self.hcm.config.drain_timeout);
        }
        let has_length = stream.response_headers().is_some_and(|headers| headers.contains(b"content-length"));
        self.message.framed_by_close = self.message.http_10 && !has_length && !self.message.head_request;
        if self.message.wants_close || self.message.framed_by_close {
            self.drain = Drain::Closing;
        }
        if stream.is_bad_request() {
            self.drain = Drain::Closing;
        }
        if !stream.request_complete() {
            self.hcm.stats.downstream_rq_response_before_rq_complete().inc();
            self.drain = Drain::Closing;
        }
    }

    /// The response that filters made cannot be written: another one that says so.
    fn encode_replacement(&mut self, message: String) {
        self.drain = Drain::Closing;
        let reply = LocalReply { status: 502, body: message.into_bytes(), ..LocalReply::default() };
        let mut prepared = prepare_local_reply(&reply, sandgate_filter::RequestKind::default());
        response_headers::mutate(
            &mut prepared.headers,
            &self.hcm.config,
            None,
            (&self.worker.date, SystemTime::now()),
            false,
        );
        prepared.headers.set(b"connection", b"close");
        let options =
            ResponseEncodeOptions { head_request: self.message.head_request, ..ResponseEncodeOptions::default() };
        if let Ok(mut encoder) = encode_response(&prepared.headers, options, &mut self.output) {
            encoder.data(prepared.body, &mut self.output);
            encoder.end(&mut self.output);
        }
        self.message.broken = true;
        self.message.response_complete = true;
    }

    /// The response is encoded: ends the stream, and the connection if that was agreed.
    pub(super) fn complete(&mut self, now: Instant) -> bool {
        if !self.message.response_complete {
            return false;
        }
        let Some(mut stream) = self.stream.take() else { return false };
        let request_complete = stream.request_complete();
        let waiting = ByteMeter { wire_received: self.input.len() as u64, ..ByteMeter::default() };
        stream.set_bytes(std::mem::replace(&mut self.bytes, waiting));
        stream.finish(now);
        drop(stream);
        self.end_request_count();
        let took = Instant::now().saturating_duration_since(self.request_began);
        self.hcm.stats.downstream_rq_time().record(milliseconds(took));
        // A client that was promised more would take the next response for the rest of this one.
        let short = self.message.encoder.as_ref().is_some_and(|encoder| !encoder.is_complete());
        if short {
            self.drain = Drain::Closing;
        }
        let broken = self.message.broken;
        let no_more = self.message.wants_close || short && !broken;
        let prompt = self.message.framed_by_close || no_more && request_complete;
        self.message = super::request::Message::default();
        self.idle_since = now;
        if !request_complete || broken {
            self.hcm.stats.downstream_rq_rx_reset().inc();
            self.drain = Drain::Closing;
        }
        if self.drain == Drain::Closing || self.drain == Drain::Draining && self.drain_deadline.is_none() {
            // A client that knew of the close and sent all it had to send needs no time to react; one that waits for
            // the close as the end of the response must not wait longer.
            self.close(!prompt, now);
        }
        true
    }
}
