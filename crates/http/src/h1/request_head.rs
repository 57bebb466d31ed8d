//! A complete request head to headers and framing.

use super::body::BodyDecoder;
use super::chars::is_authority;
use super::chunked::ChunkDecoder;
use super::connection::{keeps_alive, sanitize, takes_upgrade};
use super::error::DecodeError;
use super::event::{RequestHead, Version};
use super::fields::read_fields;
use super::framing::{Framing, content_length};
use super::options::RequestOptions;
use super::request_line::RequestLine;
use super::target::{AbsoluteUrl, is_host_and_port};
use crate::{HeaderMap, HeaderMapKind};

/// Bytes and headers that the connection manager and filters will add; so that the map need not grow then.
const SPARE_BYTES: usize = 256;
const SPARE_HEADERS: usize = 8;

/// Reads a head whose first line has been read: `bytes` has the `lines` lines of it and the empty one at the end.
pub(super) fn read_head(
    bytes: &[u8],
    line: &RequestLine,
    lines: usize,
    options: &RequestOptions,
) -> Result<(RequestHead, Option<BodyDecoder>), DecodeError> {
    let method = bytes.get(line.method.clone()).unwrap_or_default();
    let target = bytes.get(line.target.clone()).unwrap_or_default();
    let first_line = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |feed| feed + 1);
    let capacity = lines.min(options.max_headers.saturating_add(2)).saturating_add(SPARE_HEADERS);
    let mut headers = HeaderMap::with_capacity(HeaderMapKind::Request, capacity, bytes.len() + SPARE_BYTES);

    let notes = read_fields(bytes.get(first_line..).unwrap_or_default(), options.max_headers, &mut headers)?;
    if headers.get(b":authority").is_some_and(|host| !is_authority(host)) {
        return Err(DecodeError::AUTHORITY);
    }
    let length = content_length(&headers, &notes)?;
    if line.version == Version::Http10 && !options.accept_http_10 {
        return Err(DecodeError::LOW_VERSION);
    }
    let connect = method == b"CONNECT";
    let framing = Framing::of(&mut headers, &notes, options.allow_chunked_length)?;
    if connect && framing == Framing::Chunked {
        return Err(DecodeError::TRANSFER_ENCODING);
    }
    if connect && length.is_some_and(|length| length > 0) {
        return Err(DecodeError::BODY_DISALLOWED);
    }

    let mut keep_alive = line.version == Version::Http11;
    let (mut upgrade, mut expect_continue) = (connect, false);
    if notes.steers {
        keep_alive = keeps_alive(&headers, line.version);
        expect_continue = headers.get(b"expect").is_some_and(|expect| expect.eq_ignore_ascii_case(b"100-continue"));
        upgrade |= takes_upgrade(&mut headers);
        if !upgrade || connect {
            sanitize(&mut headers)?;
        }
    }
    place_target(&mut headers, method, target)?;
    if line.version == Version::Http10
        && !headers.contains(b":authority")
        && let Some(host) = &options.default_host
    {
        headers.append(b":authority", host);
    }

    let body = match framing {
        _ if upgrade => Some(BodyDecoder::UntilClose),
        Framing::Unsaid | Framing::Length(0) => None,
        Framing::Length(length) => Some(BodyDecoder::Length(length)),
        Framing::Chunked => Some(BodyDecoder::Chunked(ChunkDecoder::new())),
    };
    let head = RequestHead {
        headers,
        end_stream: body.is_none(),
        version: line.version,
        keep_alive,
        expect_continue,
        upgrade,
        header_bytes: notes.header_bytes(),
    };
    Ok((head, body))
}

/// Adds the pseudo headers, in Envoy's order. A host in the target replaces `Host`.
fn place_target(headers: &mut HeaderMap, method: &[u8], target: &[u8]) -> Result<(), DecodeError> {
    match target {
        _ if method == b"CONNECT" => {
            if !is_host_and_port(target, true) {
                return Err(DecodeError::URL);
            }
            headers.set(b":authority", target);
        }
        [b'/', ..] => headers.append(b":path", target),
        b"*" if method == b"OPTIONS" => headers.append(b":path", target),
        [b'*', ..] => return Err(DecodeError::URL),
        _ => {
            let url = AbsoluteUrl::parse(target)?;
            headers.set(b":authority", url.authority);
            headers.append(b":scheme", url.scheme);
            headers.append(b":path", url.path);
        }
    }
    headers.append(b":method", method);
    Ok(())
}
