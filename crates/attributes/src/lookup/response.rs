//! `response.*`

use sandgate_http::HeaderMap;

use super::request::{bytes, header_map, int, nanoseconds};
use super::{Found, Rest, Take, View, scalar};
use crate::Value;

pub(super) fn lookup(view: &View<'_>, name: &[u8], rest: Rest<'_, '_>, take: Take<'_>) -> Found {
    let source = view.source;
    let headers = if view.response_headers { source.response_headers() } else { None };
    let headers = headers.as_deref();
    let trailers = if view.response_trailers { source.response_trailers() } else { None };
    let trailers = trailers.as_deref();
    let details;
    let value = match name {
        b"headers" => return header_map(headers, rest, take),
        b"trailers" => return header_map(trailers, rest, take),
        b"code" => source.response_code().map(|c| Value::Int(i64::from(c))),
        b"code_details" => {
            details = source.response_code_details();
            details.as_deref().map(Value::str)
        }
        b"flags" => Some(Value::Int(int(source.response_flags().0))),
        b"grpc_status" => grpc_status(trailers, headers, source.response_code()).map(Value::Int),
        b"headers_bytes" => Some(Value::Int(bytes(headers))),
        b"size" => Some(Value::Int(int(source.response_body_bytes()))),
        b"total_size" => {
            let body = int(source.response_body_bytes());
            Some(Value::Int(body.saturating_add(bytes(headers)).saturating_add(bytes(trailers))))
        }
        b"backend_latency" => source.backend_latency().map(|d| Value::Duration(nanoseconds(d))),
        _ => None,
    };
    scalar(value, rest, take)
}

/// From the trailers, else the headers, else what the HTTP status means to gRPC.
fn grpc_status(trailers: Option<&HeaderMap>, headers: Option<&HeaderMap>, code: Option<u32>) -> Option<i64> {
    let given = |map: Option<&HeaderMap>| {
        let value = map?.get(b"grpc-status")?;
        // Envoy's -1 for a number that cannot be read.
        Some(std::str::from_utf8(value).ok().and_then(|v| v.parse::<u32>().ok()).map_or(-1, i64::from))
    };
    given(trailers).or_else(|| given(headers)).or_else(|| code.map(from_http))
}

/// The gRPC specification's "HTTP to gRPC status code mapping".
fn from_http(code: u32) -> i64 {
    match code {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502 | 503 | 504 => 14,
        _ => 2,
    }
}
