//! From a request of the `h2` crate to a stream: what Envoy demands of a head beyond what that crate does.

use std::time::Instant;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{Method, Request, request};
use sandgate_config::model::HeadersWithUnderscoresAction;
use sandgate_filter::{ByteMeter, response_flag};
use sandgate_http::HeaderMap;

use super::connection::Http2Connection;
use super::headers;
use super::shared::Drain;
use super::stream::Http2Stream;
use super::upgrade;
use crate::active_stream::{ActiveStream, RequestKind, RequestStart, log_unread};
use crate::hcm::Hcm;
use crate::worker::guarded;

/// What no field may be larger than: the limit of Envoy's codec.
const DEFAULT_FIELD_LIMIT: usize = 64 * 1024;

/// The details of a request with a name or a value that must not be, observed in Envoy 1.40.
pub(super) const INVALID_FIELD: &str = "http2.invalid.header.field";
/// The length of RST_STREAM.
const RESET_BYTES: u64 = 13;

/// Why a request is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is none: the connection ends, unless told otherwise. With the details of Envoy's access log.
    Invalid(&'static str),
    /// Its stream is reset.
    Reset(Reason, &'static str),
    /// A field is too large for the codec.
    FieldTooLarge,
}

const TOO_LARGE: Refusal = Refusal::Reset(Reason::INTERNAL_ERROR, "http2.header_list_size_too_large");

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
        let (parts, body) = request.into_parts();
        let id = respond.stream_id().as_u32();
        shared.io.get_mut().frames.accept(id);
        hcm.stats.downstream_rq_total().inc();
        hcm.stats.downstream_rq_http2_total().inc();
        hcm.stats.downstream_rq_active().inc();
        hcm.http2_stats.streams_active().inc();
        let start = RequestStart::now(now);
        self.requests += 1;
        // Few bytes can become very many: those are not copied.
        if headers::byte_size(&parts.headers) > hcm.max_head_bytes() {
            hcm.http2_stats.header_list_size_too_large().inc();
            return self.refuse(TOO_LARGE, start, &mut respond, now);
        }
        let mut headers = headers::request_headers(&parts);
        if let Err(refusal) = check(&parts, &mut headers, hcm) {
            return self.refuse(refusal, start, &mut respond, now);
        }
        if hcm.config.max_requests_per_connection.is_some_and(|max| max > 0 && self.requests >= max.into()) {
            hcm.stats.downstream_cx_max_requests_reached().inc();
            shared.drain_wanted.set(shared.drain.get() == Drain::No);
        }
        let end_stream = body.is_end_stream();
        if !hcm.config.proxy_100_continue
            && !end_stream
            && headers.get(b"expect").is_some_and(|value| value.eq_ignore_ascii_case(b"100-continue"))
        {
            let mut response = http::Response::new(());
            *response.status_mut() = http::StatusCode::CONTINUE;
            let _ = respond.send_informational(response);
            hcm.count_response(100);
            headers.remove(b"expect");
        }
        if upgrade::is_upgrade(&headers) {
            upgrade::request_from_http2(&mut headers);
        }
        let bytes = shared.io.get().frames.bytes(id);
        let upgrade = parts.method == Method::CONNECT;
        let kind = RequestKind { protocol: "HTTP/2", end_stream, upgrade, bytes };
        let active = ActiveStream::new(&shared.worker, hcm, &shared.info, start, headers, kind, now);
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
        let (flag, details, reason) = match refusal {
            Refusal::Invalid(details) => (response_flag::DOWNSTREAM_PROTOCOL_ERROR, details, Reason::PROTOCOL_ERROR),
            Refusal::Reset(reason, details) => (response_flag::DOWNSTREAM_REMOTE_RESET, details, reason),
            Refusal::FieldTooLarge => {
                (response_flag::DOWNSTREAM_PROTOCOL_ERROR, "http2.inflate_header_error", Reason::COMPRESSION_ERROR)
            }
        };
        log::debug!(target: "http", "[C{}] refusing a request: {details}", shared.info.id);
        shared.io.get_mut().frames.forget(id);
        // Envoy counts nothing of such a request, but the frame that refuses it.
        let wire_sent = if let Refusal::Reset(..) = refusal { RESET_BYTES } else { 0 };
        let bytes = ByteMeter { wire_sent, ..ByteMeter::default() };
        log_unread(&shared.hcm, &shared.info, start, ("HTTP/2", bytes), Some((flag, details)), now);
        shared.hcm.stats.downstream_rq_rx_reset().inc();
        shared.end_request(now);
        let stream_errors = shared.hcm.config.http2.stream_error_on_invalid_http_message;
        match refusal {
            Refusal::Invalid(details) if !stream_errors => {
                self.on_invalid(details, now);
                false
            }
            Refusal::Invalid(_) | Refusal::Reset(..) => {
                respond.send_reset(reason);
                true
            }
            Refusal::FieldTooLarge => {
                self.abort(reason);
                false
            }
        }
    }
}

impl Http2Connection {
    /// Counts and logs a request that the `h2` crate would not read.
    pub(super) fn note_unread(&self, now: Instant) {
        let (shared, hcm) = (&self.shared, &self.shared.hcm);
        hcm.stats.downstream_rq_total().inc();
        hcm.stats.downstream_rq_http2_total().inc();
        hcm.stats.downstream_rq_rx_reset().inc();
        let failure = (response_flag::DOWNSTREAM_PROTOCOL_ERROR, INVALID_FIELD);
        let bytes = ByteMeter::default();
        log_unread(hcm, &shared.info, RequestStart::now(now), ("HTTP/2", bytes), Some(failure), now);
    }
}

/// Whether Envoy would serve this request.
fn check(parts: &request::Parts, headers: &mut HeaderMap, hcm: &Hcm) -> Result<(), Refusal> {
    const RULE: Refusal = Refusal::Invalid("http2.violation.of.messaging.rule");
    const FIELD: Refusal = Refusal::Invalid(INVALID_FIELD);
    let (config, options) = (&hcm.config, &hcm.config.http2);
    let has_path = headers.contains(b":path");
    let plain_connect = parts.method == Method::CONNECT && !headers.contains(b":protocol");
    if !headers.contains(b":authority") || !has_path && !plain_connect {
        return Err(RULE);
    }
    let path = headers.get(b":path").unwrap_or(b"/");
    let asterisk = path == b"*" && parts.method == Method::OPTIONS;
    if !path.starts_with(b"/") && !asterisk || headers.get(b":authority").is_some_and(|value| value.contains(&b'@')) {
        return Err(FIELD);
    }
    for name in [http::header::CONTENT_LENGTH, http::header::HOST] {
        if parts.headers.get_all(name).iter().nth(1).is_some() {
            return Err(FIELD);
        }
    }
    let obs_text = |value: &[u8]| value.iter().any(|byte| *byte >= 0x80);
    if options.disallow_obs_text && headers.iter().any(|(name, value)| !name.starts_with(b":") && obs_text(value)) {
        return Err(FIELD);
    }
    let field_limit = options.max_header_field_size_kb.map_or(DEFAULT_FIELD_LIMIT, |kb| kb as usize * 1024);
    if headers.iter().any(|(name, value)| name.len() + value.len() > field_limit) {
        return Err(Refusal::FieldTooLarge);
    }
    if headers.len() > config.max_headers_count as usize {
        hcm.http2_stats.header_overflow().inc();
        return Err(Refusal::Reset(Reason::INTERNAL_ERROR, "http2.too_many_headers"));
    }
    if headers.byte_size() > hcm.max_head_bytes() {
        hcm.http2_stats.header_list_size_too_large().inc();
        return Err(TOO_LARGE);
    }
    check_underscores(headers, hcm)
}

/// Applies `headers_with_underscores_action`.
fn check_underscores(headers: &mut HeaderMap, hcm: &Hcm) -> Result<(), Refusal> {
    let action = hcm.config.headers_with_underscores_action;
    if action == HeadersWithUnderscoresAction::Allow {
        return Ok(());
    }
    let odd =
        |headers: &HeaderMap| headers.iter().find(|(name, _)| name.contains(&b'_')).map(|(name, _)| name.to_vec());
    while let Some(name) = odd(headers) {
        if action == HeadersWithUnderscoresAction::RejectRequest {
            hcm.http2_stats.requests_rejected_with_underscores_in_headers().inc();
            return Err(Refusal::Reset(Reason::INTERNAL_ERROR, "http2.unexpected_underscore"));
        }
        headers.remove(&name);
        hcm.http2_stats.dropped_headers_with_underscores().inc();
    }
    Ok(())
}
