//! A complete response head to headers and framing.

use super::body::BodyDecoder;
use super::chunked::ChunkDecoder;
use super::connection::{is_upgrade, keeps_alive};
use super::error::DecodeError;
use super::event::{ResponseHead, Version};
use super::fields::read_fields;
use super::framing::Framing;
use super::options::ResponseOptions;
use super::status_line::StatusLine;
use crate::{HeaderMap, HeaderMapKind};

/// Bytes and headers that the router, the connection manager and filters will add.
const SPARE_BYTES: usize = 128;
const SPARE_HEADERS: usize = 6;

/// What the request was, as far as its response depends on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    head: bool,
    connect: bool,
    upgrade: bool,
}

impl Expected {
    pub(super) fn new(method: &[u8], upgrade: bool) -> Self {
        Self { head: method == b"HEAD", connect: method == b"CONNECT", upgrade }
    }
}

/// Reads a head: `bytes` has `lines` lines, the first (already read as `line`) and the empty one included.
pub(super) fn read_head(
    bytes: &[u8],
    line: StatusLine,
    lines: usize,
    expected: Expected,
    options: &ResponseOptions,
) -> Result<(ResponseHead, Option<BodyDecoder>), DecodeError> {
    let status = line.status;
    let first_line = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |feed| feed + 1);
    let capacity = lines.min(options.max_headers.saturating_add(2)).saturating_add(SPARE_HEADERS);
    let mut headers = HeaderMap::with_capacity(HeaderMapKind::Response, capacity, bytes.len() + SPARE_BYTES);
    headers.append(b":status", status.to_string().as_bytes());
    let notes = read_fields(bytes.get(first_line..).unwrap_or_default(), options.max_headers, &mut headers)?;
    let keep_alive = if notes.steers { keeps_alive(&headers, line.version) } else { line.version == Version::Http11 };
    let announces_close = !keep_alive;

    let upgrade =
        expected.upgrade && notes.steers && is_upgrade(&headers) || expected.connect && (200..300).contains(&status);
    let framing = Framing::of(&mut headers, &notes, options.allow_chunked_length)?;
    let never_has_body = status < 200 || status == 204;
    if upgrade {
        headers.remove(b"transfer-encoding");
    } else if never_has_body {
        if !matches!(framing, Framing::Unsaid | Framing::Length(0)) {
            return Err(DecodeError::CODEC);
        }
        headers.remove(b"content-length");
    }

    let body = match framing {
        _ if upgrade => Some(BodyDecoder::UntilClose),
        _ if never_has_body || status == 304 || expected.head => None,
        Framing::Length(0) => None,
        Framing::Length(length) => Some(BodyDecoder::Length(length)),
        Framing::Chunked => Some(BodyDecoder::Chunked(ChunkDecoder::new())),
        Framing::Unsaid => Some(BodyDecoder::UntilClose),
    };
    // Nothing tells where the next message would begin after bytes until close, or after a protocol change nobody asked for.
    let keep_alive = keep_alive && !matches!(body, Some(BodyDecoder::UntilClose)) && status != 101;
    let version = line.version;
    let mut head = ResponseHead {
        headers,
        status,
        end_stream: false,
        version,
        keep_alive,
        announces_close,
        upgrade,
        header_bytes: notes.header_bytes(),
    };
    // A 101 that nobody asked for has an end of its own in Envoy.
    head.end_stream = body.is_none() && !head.is_informational() && status != 101;
    Ok((head, body))
}
