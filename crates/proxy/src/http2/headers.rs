//! Between our header maps and those of the `http` crate, in which the `h2` crate speaks.
//!
//! The `http` crate keeps values of one name together, at the place of the first: that is a listed difference.

use bytes::{Bytes, BytesMut};
use http::header::{HeaderName, HeaderValue};
use http::uri::{self, Authority, PathAndQuery, Scheme};
use http::{Method, StatusCode, Uri, response};
use sandgate_http::{HeaderMap, HeaderMapKind};

use super::field_rules as rules;

/// Headers that speak of a connection and that HTTP/2 forbids (RFC 9113 §8.2.2).
const CONNECTION_HEADERS: [&[u8]; 5] =
    [b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"];

/// Why headers cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EncodeError {
    /// A pseudo header that must be there is not, or is not what it must be.
    #[error("missing required header: {0}")]
    Pseudo(&'static str),
    /// A header's name.
    #[error("a header name has invalid characters")]
    Name,
    /// A header's value.
    #[error("a header value has invalid characters")]
    Value,
}

/// The headers of a response that came.
pub(crate) fn response_headers(parts: &response::Parts) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(HeaderMapKind::Response, parts.headers.len() + 8, 512);
    headers.append(b":status", parts.status.as_str().as_bytes());
    copy(&parts.headers, &mut headers);
    // A response without content has no length to tell: Envoy's codec drops the field.
    if parts.status == StatusCode::NO_CONTENT && headers.get(b"content-length") == Some(b"0") {
        headers.remove(b"content-length");
    }
    headers
}

/// Trailers that came; `kind` is `Plain` for those of a request.
pub(crate) fn trailers(fields: &http::HeaderMap, kind: HeaderMapKind) -> HeaderMap {
    let mut trailers = HeaderMap::with_kind(kind);
    copy(fields, &mut trailers);
    trailers
}

/// A request to send.
pub(crate) fn encode_request(headers: &HeaderMap) -> Result<http::Request<()>, EncodeError> {
    let pseudo = |name: &'static str| headers.get(name.as_bytes()).unwrap_or_default();
    let method = Method::from_bytes(pseudo(":method")).map_err(|_| EncodeError::Pseudo(":method"))?;
    let protocol = headers.get(b":protocol");
    let plain_connect = method == Method::CONNECT && protocol.is_none();
    let mut parts = uri::Parts::default();
    if !plain_connect {
        parts.path_and_query = Some(path_and_query(pseudo(":path"))?);
    }
    let authority = pseudo(":authority");
    // Without an authority the `http` crate has no scheme either, and the `h2` crate takes it for `http`.
    if !authority.is_empty() {
        parts.authority = Some(Authority::try_from(authority).map_err(|_| EncodeError::Pseudo(":authority"))?);
        if !plain_connect {
            let scheme = Scheme::try_from(headers.get(b":scheme").unwrap_or(b"http"));
            parts.scheme = Some(scheme.map_err(|_| EncodeError::Pseudo(":scheme"))?);
        }
    }
    let uri = Uri::from_parts(parts).map_err(|_| EncodeError::Pseudo(":path"))?;
    let mut request = http::Request::new(());
    if let Some(protocol) = protocol {
        let protocol = std::str::from_utf8(protocol).map_err(|_| EncodeError::Pseudo(":protocol"))?;
        request.extensions_mut().insert(h2::ext::Protocol::from(protocol));
    }
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = fields(headers)?;
    Ok(request)
}

/// Bytes that cannot be in the URI of the `http` crate are percent-encoded: a listed difference, as Envoy sends them as they are.
fn path_and_query(path: &[u8]) -> Result<PathAndQuery, EncodeError> {
    use std::io::Write as _;
    if path.is_empty() {
        return Err(EncodeError::Pseudo(":path"));
    }
    if let Ok(path) = PathAndQuery::try_from(path) {
        return Ok(path);
    }
    let mut encoded = Vec::with_capacity(path.len() * 2);
    for byte in path {
        let is_uri_byte = byte.is_ascii_alphanumeric() || b"-._~:/?@!$&'()*+,;=%[]|".contains(byte);
        if is_uri_byte {
            encoded.push(*byte);
        } else {
            // A vector takes everything.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    PathAndQuery::try_from(encoded).map_err(|_| EncodeError::Pseudo(":path"))
}

/// A request for the `h2` crate, and the fields that are sent in its place.
pub(crate) fn request(mut headers: HeaderMap) -> Result<(http::Request<()>, HeaderMap), EncodeError> {
    let method = Method::from_bytes(headers.get(b":method").unwrap_or_default());
    let method = method.map_err(|_| EncodeError::Pseudo(":method"))?;
    let mut request = http::Request::new(());
    if let Some(protocol) = headers.get(b":protocol") {
        let protocol = std::str::from_utf8(protocol).map_err(|_| EncodeError::Pseudo(":protocol"))?;
        request.extensions_mut().insert(h2::ext::Protocol::from(protocol));
    }
    if method == Method::CONNECT && !headers.contains(b":protocol") {
        headers.remove(b":scheme");
        headers.remove(b":path");
    } else {
        if !headers.contains(b":scheme") {
            headers.append(b":scheme", b"http");
        }
        let path = headers.get(b":path").unwrap_or_default();
        if !path.starts_with(b"/") && path != b"*" {
            return Err(EncodeError::Pseudo(":path"));
        }
        if !rules::is_path(path) {
            let path = without_spaces(path);
            headers.set(b":path", &path);
        }
    }
    check_fields(&headers)?;
    *request.method_mut() = method;
    Ok((request, headers))
}

/// What would end a word, or is a control character, is percent-encoded.
fn without_spaces(path: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoded = Vec::with_capacity(path.len() + 16);
    for byte in path {
        if rules::is_path(&[*byte]) {
            encoded.push(*byte);
        } else {
            // A vector takes everything.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// A response for the `h2` crate, whose fields are sent otherwise.
pub(super) fn response(headers: &HeaderMap) -> Result<http::Response<()>, EncodeError> {
    let status = headers.get(b":status").unwrap_or_default();
    let status = StatusCode::from_bytes(status).map_err(|_| EncodeError::Pseudo(":status"))?;
    check_fields(headers)?;
    let mut response = http::Response::new(());
    *response.status_mut() = status;
    Ok(response)
}

/// Whether the fields that are sent may be.
pub(crate) fn check_fields(headers: &HeaderMap) -> Result<(), EncodeError> {
    for (name, value) in headers.iter().filter(|(name, value)| rules::is_sent(name, value)) {
        if !name.starts_with(b":") && !rules::is_name(name) {
            return Err(EncodeError::Name);
        }
        if !rules::is_value(value) {
            return Err(EncodeError::Value);
        }
    }
    Ok(())
}

/// Trailers that may be sent, if there are any.
pub(crate) fn sent_trailers(mut trailers: HeaderMap) -> Option<HeaderMap> {
    trailers.retain(|name, value| !name.starts_with(b":") && rules::is_sent(name, value));
    (!trailers.is_empty() && check_fields(&trailers).is_ok()).then_some(trailers)
}

/// What is no pseudo header, and no header of a connection.
fn fields(headers: &HeaderMap) -> Result<http::HeaderMap, EncodeError> {
    // All values share one allocation.
    let mut bytes = BytesMut::with_capacity(headers.byte_size());
    headers.iter().for_each(|(_, value)| bytes.extend_from_slice(value));
    let bytes: Bytes = bytes.freeze();
    let mut map = http::HeaderMap::with_capacity(headers.len());
    let mut at = 0;
    for (name, value) in headers.iter() {
        let start = at;
        at += value.len();
        if name.starts_with(b":") || is_connection_header(name, value) {
            continue;
        }
        let name = HeaderName::from_bytes(name).map_err(|_| EncodeError::Name)?;
        let value = HeaderValue::from_maybe_shared(bytes.slice(start..at)).map_err(|_| EncodeError::Value)?;
        map.append(name, value);
    }
    Ok(map)
}

/// Whether the header must not be sent over HTTP/2.
fn is_connection_header(name: &[u8], value: &[u8]) -> bool {
    CONNECTION_HEADERS.contains(&name) || name == b"te" && value != b"trailers"
}

fn copy(fields: &http::HeaderMap, headers: &mut HeaderMap) {
    for (name, value) in fields {
        headers.add(name.as_str().as_bytes(), value.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    fn map(kind: HeaderMapKind, headers: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::with_kind(kind);
        headers.iter().for_each(|(name, value)| map.append(name.as_bytes(), value.as_bytes()));
        map
    }

    #[test]
    fn a_response_without_content_has_no_length() {
        let read = |status: u16| {
            let response = http::Response::builder().status(status).header("content-length", "0").body(()).unwrap();
            response_headers(&response.into_parts().0)
        };
        assert!(!read(204).contains(b"content-length"));
        assert!(read(200).contains(b"content-length"));
    }

    #[test]
    fn a_request_is_encoded() {
        let headers = map(
            HeaderMapKind::Request,
            &[
                (":method", "POST"),
                (":scheme", "https"),
                (":path", "/x?y=%20"),
                (":authority", "a:1"),
                ("x", "1"),
                ("x", "2"),
                ("te", "trailers"),
            ],
        );
        let request = encode_request(&headers).unwrap();
        assert_eq!((request.method(), request.uri().to_string()), (&Method::POST, "https://a:1/x?y=%20".to_owned()));
        assert_eq!(trailers(request.headers(), HeaderMapKind::Plain).len(), 3);
    }

    #[test]
    fn targets_that_are_no_uris_are_sent_all_the_same() {
        let path = |path: &str| {
            let headers = map(HeaderMapKind::Request, &[(":method", "GET"), (":authority", ""), (":path", path)]);
            encode_request(&headers).map(|request| request.uri().to_string())
        };
        assert_eq!(path("/a<b>?x=\"\\^`{}|[]").unwrap(), "/a%3Cb%3E?x=%22%5C%5E%60%7B%7D|[]");
        assert_eq!(path("/a%zz?b").unwrap(), "/a%zz?b");
        assert_eq!(path("*").unwrap(), "*");
        assert_eq!(path("").unwrap_err(), EncodeError::Pseudo(":path"));
        assert_eq!(path("a").unwrap_err(), EncodeError::Pseudo(":path"));
    }

    #[test]
    fn a_request_is_sent_as_it_is() {
        let with = |method, path| {
            let fields = [(":method", method), (":authority", ""), (":path", path), (":scheme", "http"), ("a", "b")];
            request(map(HeaderMapKind::Request, &fields))
        };
        let (sent, fields) = with("HEAD", "/<>\"\\^`{|}\u{e9}#").unwrap();
        assert_eq!((sent.method(), fields.len()), (&Method::HEAD, 5));
        assert_eq!(fields.get(b":path"), Some("/<>\"\\^`{|}\u{e9}#".as_bytes()));
        let (_, fields) = with("GET", "/a b\n").unwrap();
        assert_eq!(fields.get(b":path"), Some(&b"/a%20b%0A"[..]));
        let (_, fields) = with("CONNECT", "").unwrap();
        assert_eq!(fields.iter().map(|(name, _)| name).collect::<Vec<_>>(), [&b":method"[..], b":authority", b"a"]);
        assert_eq!(with("GET", "a").unwrap_err(), EncodeError::Pseudo(":path"));
        assert_eq!(with("G T", "/").unwrap_err(), EncodeError::Pseudo(":method"));
    }

    #[test]
    fn trailers_are_fields_alone() {
        let trailers =
            map(HeaderMapKind::Plain, &[(":path", "/"), ("connection", "close"), ("te", "gzip"), ("a", "b")]);
        assert_eq!(sent_trailers(trailers), Some(map(HeaderMapKind::Plain, &[("a", "b")])));
        assert_eq!(sent_trailers(map(HeaderMapKind::Plain, &[(":path", "/")])), None);
        assert_eq!(sent_trailers(map(HeaderMapKind::Plain, &[("a", "b\n")])), None);
    }

    #[test]
    fn what_cannot_be_sent_is_an_error() {
        let with = |name, value| response(&map(HeaderMapKind::Response, &[(":status", "200"), (name, value)]));
        assert_eq!(with("a b", "c").unwrap_err(), EncodeError::Name);
        assert_eq!(with("a", "b\n").unwrap_err(), EncodeError::Value);
        assert!(with("connection", "\n").is_ok());
        let status = map(HeaderMapKind::Response, &[(":status", "x")]);
        assert_eq!(response(&status).unwrap_err(), EncodeError::Pseudo(":status"));
    }
}
