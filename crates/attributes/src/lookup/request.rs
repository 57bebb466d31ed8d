//! `request.*`

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use sandgate_http::{HeaderMap, HeaderMapKind};

use super::{Found, Rest, Take, View, scalar};
use crate::{LookupError, Value};

pub(super) fn lookup(view: &View<'_>, name: &[u8], rest: Rest<'_, '_>, take: Take<'_>) -> Found {
    let source = view.source;
    let headers = if view.request_headers { source.request_headers() } else { None };
    let headers = headers.as_deref();
    let header = |name: &[u8]| headers.and_then(|h| h.get(name)).map(|v| Value::String(Cow::Borrowed(v)));
    let received = || int(source.request_body_bytes());
    let value = match name {
        b"headers" => return header_map(headers, rest, take),
        b"path" => header(b":path"),
        b"url_path" => headers.and_then(|h| h.get(b":path")).map(|p| Value::String(Cow::Borrowed(split_query(p).0))),
        b"query" => headers.and_then(|h| h.get(b":path")).map(|p| Value::String(Cow::Borrowed(split_query(p).1))),
        b"host" => header(b":authority"),
        b"scheme" => header(b":scheme"),
        b"method" => header(b":method"),
        b"referer" => header(b"referer"),
        b"useragent" => header(b"user-agent"),
        b"id" => header(b"x-request-id"),
        b"headers_bytes" => Some(Value::Int(bytes(headers))),
        b"time" => source.start_time().map(|t| Value::Timestamp(since_epoch(t))),
        b"duration" => source.duration().map(|d| Value::Duration(nanoseconds(d))),
        b"protocol" => source.protocol().map(Value::str),
        b"size" => match headers.and_then(|h| h.get(b"content-length")) {
            Some(length) => content_length(length).map(Value::Int),
            None => Some(Value::Int(received())),
        },
        b"total_size" => Some(Value::Int(received().saturating_add(bytes(headers)))),
        _ => None,
    };
    scalar(value, rest, take)
}

/// Values of one name joined by commas, or the whole map with unique names.
pub(super) fn header_map(headers: Option<&HeaderMap>, rest: Rest<'_, '_>, take: Take<'_>) -> Found {
    let Some(name) = rest.next() else { return take(whole(headers)) };
    // In request headers `host` is another name of `:authority`, and in no map an entry.
    let is_host = name.eq_ignore_ascii_case(b"host") && headers.is_some_and(|h| h.kind() == HeaderMapKind::Request);
    let joined = headers.and_then(|h| joined(h, if is_host { b":authority" } else { name }));
    if rest.next().is_some() {
        return Err(LookupError::NotFound);
    }
    joined.map_or(Err(LookupError::NotFound), |v| take(Value::String(v)))
}

fn joined<'h>(headers: &'h HeaderMap, name: &'h [u8]) -> Option<Cow<'h, [u8]>> {
    let mut values = headers.get_all(name);
    let mut all = Cow::Borrowed(values.next()?);
    for value in values {
        let all = all.to_mut();
        all.push(b',');
        all.extend_from_slice(value);
    }
    Some(all)
}

fn whole(headers: Option<&HeaderMap>) -> Value<'_> {
    let mut entries: Vec<(&[u8], Cow<'_, [u8]>)> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for (name, _) in headers.into_iter().flat_map(HeaderMap::iter) {
        if seen.insert(name) {
            entries.extend(headers.and_then(|h| joined(h, name)).map(|v| (name, v)));
        }
    }
    let text = |name| Value::String(Cow::Borrowed(name));
    Value::Map(entries.into_iter().map(|(n, v)| (text(n), Value::String(v))).collect())
}

/// Bytes of names and values; 0 if the map cannot be seen.
pub(super) fn bytes(headers: Option<&HeaderMap>) -> i64 {
    headers.map_or(0, |h| int(h.byte_size() as u64))
}

pub(super) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

fn since_epoch(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => nanoseconds(after),
        Err(before) => -nanoseconds(before.duration()),
    }
}

fn content_length(value: &[u8]) -> Option<i64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// The path before `?`, and the query behind it up to `#`; without `?` there is no query.
fn split_query(path: &[u8]) -> (&[u8], &[u8]) {
    let mut parts = path.splitn(2, |&b| b == b'?');
    let before = parts.next().unwrap_or_default();
    let query = parts.next().unwrap_or_default();
    (before, query.split(|&b| b == b'#').next().unwrap_or_default())
}
