//! The little of gRPC that local replies and logs need.

use std::fmt::Write as _;

use sandgate_http::HeaderMap;

/// Whether these are the headers of a gRPC request: a path, and `application/grpc` or `application/grpc+…`.
#[must_use]
pub fn is_grpc_request(headers: &HeaderMap) -> bool {
    let Some(content_type) = headers.get(b"content-type") else { return false };
    let rest = content_type.strip_prefix(b"application/grpc");
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+'))) && headers.contains(b":path")
}

/// The gRPC status for an HTTP code (gRPC's `http-grpc-status-mapping.md`).
#[must_use]
pub fn grpc_status_from_http(code: u32) -> u32 {
    match code {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502 | 503 | 504 => 14,
        _ => 2,
    }
}

/// `grpc-message` as Envoy writes it: everything outside of space to `}` and the percent sign as `%XX`.
pub(crate) fn encode_message(message: &[u8]) -> Vec<u8> {
    let mut encoded = String::with_capacity(message.len());
    for &byte in message {
        if (b' '..b'~').contains(&byte) && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded.into_bytes()
}
