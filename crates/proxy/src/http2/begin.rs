//! From a request of the `h2` crate, and its head, to a stream.

use std::time::Instant;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::Request;
use sandgate_config::model::HeadersWithUnderscoresAction;
use sandgate_filter::{ByteMeter, response_flag};
use sandgate_http::HeaderMap;

use super::connection::Http2Connection;
use super::head_limits::Refusal;
use super::shared::Drain;
use super::stream::Http2Stream;
use super::upgrade;
use crate::active_stream::{ActiveStream, RequestKind, RequestStart, log_unread};
use crate::hcm::Hcm;
use crate::worker::guarded;

/// The length of RST_STREAM.
const RESET_BYTES: u64 = 13;

impl Http2Connection {
    /// Starts a stream, or refuses the request; whether the connection may go on.
    pub(super) fn begin(
        &mut self,
        request: Request<RecvStream>,
        mut respond: SendResponse<Bytes>,
        now: Instant,
    ) -> bool {
        let shared = &self.shared;
        let hcm = &shared.hcm;
        if shared.drain.get() == Drain::Closing {
            // It was told that no further stream is served.
            respond.send_reset(Reason::REFUSED_STREAM);
            return true;
        }
        let body = request.into_body();
        let id = respond.stream_id().as_u32();
        let head = {
            let frames = &mut shared.io.get_mut().frames;
            frames.accept(id);
            frames.take_head(id)
        };
        hcm.stats.downstream_rq_total().inc();
        hcm.stats.downstream_rq_http2_total().inc();
        hcm.stats.downstream_rq_active().inc();
        hcm.http2_stats.streams_active().inc();
        let start = RequestStart::now(now);
        self.requests += 1;
        let checked = head.unwrap_or(Err(Refusal::TooMany)).and_then(|headers| check_underscores(headers, hcm));
        let mut headers = match checked {
            Ok(headers) => headers,
            Err(refusal) => return self.refuse(refusal, start, &mut respond, now),
        };
        if hcm.config.max_requests_per_connection.is_some_and(|max| max > 0 && self.requests >= max.into()) {
            hcm.stats.downstream_cx_max_requests_reached().inc();
            shared.drain_wanted.set(shared.drain.get() == Drain::No);
        }
        let end_stream = body.is_end_stream();
        if !hcm.config.proxy_100_continue
            && !end_stream
            && headers.get(b"expect").is_some_and(|value| value.eq_ignore_ascii_case(b"100-continue"))
        {
            shared.send_continue(&mut respond);
            hcm.count_response(100);
            headers.remove(b"expect");
        }
        let upgrade = headers.get(b":method") == Some(b"CONNECT");
        if upgrade::is_upgrade(&headers) {
            upgrade::request_from_http2(&mut headers);
        }
        let bytes = shared.io.get().frames.bytes(id);
        let kind = RequestKind { protocol: "HTTP/2", end_stream, upgrade, bytes };
        let active = Box::new(ActiveStream::new(&shared.worker, hcm, &shared.info, start, headers, kind, now));
        let stream = Http2Stream::new(std::rc::Rc::clone(shared), active, body, respond, now);
        tokio::task::spawn_local(guarded("stream", stream));
        true
    }

    fn refuse(
        &mut self,
        refusal: Refusal,
        start: RequestStart,
        respond: &mut SendResponse<Bytes>,
        now: Instant,
    ) -> bool {
        let shared = &self.shared;
        let id = respond.stream_id().as_u32();
        let stats = &shared.hcm.http2_stats;
        let invalid = response_flag::DOWNSTREAM_PROTOCOL_ERROR;
        let reset = response_flag::DOWNSTREAM_REMOTE_RESET;
        let (flag, details, reason) = match refusal {
            Refusal::Invalid(details) => (invalid, details, Reason::PROTOCOL_ERROR),
            Refusal::FieldTooLarge => (invalid, "http2.inflate_header_error", Reason::COMPRESSION_ERROR),
            Refusal::TooLarge => {
                stats.header_list_size_too_large().inc();
                (reset, "http2.header_list_size_too_large", Reason::INTERNAL_ERROR)
            }
            Refusal::TooMany => {
                stats.header_overflow().inc();
                (reset, "http2.too_many_headers", Reason::INTERNAL_ERROR)
            }
            Refusal::Underscore => {
                stats.requests_rejected_with_underscores_in_headers().inc();
                (reset, "http2.unexpected_underscore", Reason::INTERNAL_ERROR)
            }
        };
        log::debug!(target: "http", "[C{}] refusing a request: {details}", shared.info.id);
        shared.io.get_mut().forget(id);
        // Envoy counts nothing of such a request, but the frame that refuses it.
        let wire_sent = if flag == reset { RESET_BYTES } else { 0 };
        let bytes = ByteMeter { wire_sent, ..ByteMeter::default() };
        log_unread(&shared.hcm, &shared.info, start, ("HTTP/2", bytes), Some((flag, details)), now);
        shared.hcm.stats.downstream_rq_rx_reset().inc();
        shared.end_request(now, now);
        let stream_errors = shared.hcm.config.http2.stream_error_on_invalid_http_message;
        match refusal {
            Refusal::Invalid(details) if !stream_errors => {
                self.on_invalid(details, now);
                false
            }
            Refusal::FieldTooLarge => {
                self.abort(reason);
                false
            }
            _ => {
                respond.send_reset(reason);
                true
            }
        }
    }
}

impl Http2Connection {
    /// Counts and logs a request that the `h2` crate would not read.
    pub(super) fn note_unread(&self, details: &'static str, now: Instant) {
        let (shared, hcm) = (&self.shared, &self.shared.hcm);
        hcm.stats.downstream_rq_total().inc();
        hcm.stats.downstream_rq_http2_total().inc();
        hcm.stats.downstream_rq_rx_reset().inc();
        let failure = (response_flag::DOWNSTREAM_PROTOCOL_ERROR, details);
        let bytes = ByteMeter::default();
        log_unread(hcm, &shared.info, RequestStart::now(now), ("HTTP/2", bytes), Some(failure), now);
    }
}

/// Applies `headers_with_underscores_action`.
fn check_underscores(mut headers: HeaderMap, hcm: &Hcm) -> Result<HeaderMap, Refusal> {
    let action = hcm.config.headers_with_underscores_action;
    if action == HeadersWithUnderscoresAction::Allow {
        return Ok(headers);
    }
    let odd =
        |headers: &HeaderMap| headers.iter().find(|(name, _)| name.contains(&b'_')).map(|(name, _)| name.to_vec());
    while let Some(name) = odd(&headers) {
        if action == HeadersWithUnderscoresAction::RejectRequest {
            return Err(Refusal::Underscore);
        }
        headers.remove(&name);
        hcm.http2_stats.dropped_headers_with_underscores().inc();
    }
    Ok(headers)
}
