//! The request line.

use std::ops::Range;

use super::chars::{is_space, trim};
use super::error::DecodeError;
use super::event::Version;

/// The methods Envoy 1.40 knows (each asked of the binary), frequent ones first; it answers 400 to others.
const METHODS: &[&str] = &[
    "GET",
    "POST",
    "PUT",
    "HEAD",
    "DELETE",
    "OPTIONS",
    "PATCH",
    "CONNECT",
    "TRACE",
    "ACL",
    "BIND",
    "CHECKOUT",
    "COPY",
    "LINK",
    "LOCK",
    "MERGE",
    "MKACTIVITY",
    "MKCALENDAR",
    "MKCOL",
    "MOVE",
    "MSEARCH",
    "NOTIFY",
    "PROPFIND",
    "PROPPATCH",
    "PURGE",
    "REBIND",
    "REPORT",
    "SEARCH",
    "SOURCE",
    "SUBSCRIBE",
    "UNBIND",
    "UNLINK",
    "UNLOCK",
    "UNSUBSCRIBE",
];

/// Where the words of a request line lie in it, and its version.
#[derive(Clone, Debug)]
pub(super) struct RequestLine {
    pub(super) method: Range<usize>,
    pub(super) target: Range<usize>,
    pub(super) version: Version,
}

impl RequestLine {
    /// Reads a line (without its line feed). As Envoy does it, any white space separates words, a missing version is an old one, and all versions but 1.1
    /// count as 1.0.
    pub(super) fn parse(line: &[u8]) -> Result<Self, DecodeError> {
        let method = word(line, 0);
        let target = word(line, method.end);
        let version = match trim(line.get(target.end..).unwrap_or_default()) {
            [] => Version::Http10,
            version => Version::parse(version).ok_or(DecodeError::CODEC)?,
        };
        let name = line.get(method.clone()).unwrap_or_default();
        let known = METHODS.iter().any(|known| known.as_bytes() == name);
        if !known || !is_target(line.get(target.clone()).unwrap_or_default(), name == b"CONNECT") {
            return Err(DecodeError::CODEC);
        }
        Ok(Self { method, target, version })
    }
}

/// The next word of a line.
fn word(line: &[u8], from: usize) -> Range<usize> {
    let rest = line.get(from..).unwrap_or_default();
    let start = rest.iter().position(|byte| !is_space(*byte)).unwrap_or(rest.len());
    let len = rest.get(start..).unwrap_or_default().iter().position(|byte| is_space(*byte));
    from + start..len.map_or(line.len(), |len| from + start + len)
}

/// Whether this can be a target: what Envoy refuses before it has seen the headers. (Control bytes are refused later.)
fn is_target(target: &[u8], connect: bool) -> bool {
    if target.is_empty() || !target.is_ascii() {
        return false;
    }
    if connect || matches!(target, [b'/' | b'*', ..]) {
        return !connect || is_plain(target);
    }
    let Some(colon) = memchr::memmem::find(target, b"://") else { return false };
    let scheme = target.get(..colon).unwrap_or_default();
    let rest = target.get(colon + 3..).unwrap_or_default();
    let host = rest.split(|byte| matches!(byte, b'/' | b'?')).next().unwrap_or_default();
    matches!(scheme, [first, ..] if first.is_ascii_alphabetic())
        && scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
        && is_plain(host)
}

fn is_plain(host: &[u8]) -> bool {
    !host.iter().any(|byte| matches!(byte, b'"' | b'#' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}'))
}
