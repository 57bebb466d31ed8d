//! Upgrades are requests with `upgrade` on HTTP/1 and extended CONNECTs on HTTP/2 (RFC 8441). Filters see the former, whatever is
//! spoken, as in Envoy.

use sandgate_http::HeaderMap;

/// An upgrade as it is asked for over HTTP/2.
pub(crate) fn request_to_http2(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    headers.set(b":method", b"CONNECT");
    let protocol = headers.get(b"upgrade").unwrap_or_default().to_vec();
    headers.set(b":protocol", &protocol);
    drop_http1(&mut headers);
    headers
}

/// Whether a request over HTTP/2 is an upgrade to what it names; a byte stream is none.
pub(crate) fn is_upgrade(headers: &HeaderMap) -> bool {
    headers.get(b":method") == Some(b"CONNECT") && headers.get(b":protocol").is_some_and(|name| name != b"bytestream")
}

/// An upgrade that was asked for over HTTP/2, as filters know it.
pub(crate) fn request_from_http2(headers: &mut HeaderMap) {
    headers.set(b":method", b"GET");
    let protocol = headers.get(b":protocol").unwrap_or_default().to_vec();
    headers.set(b"upgrade", &protocol);
    headers.set(b"connection", b"upgrade");
    headers.remove(b":protocol");
}

/// The answer to an upgrade as it is given over HTTP/2.
pub(crate) fn response_to_http2(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    if headers.get(b":status") == Some(b"101") {
        headers.set(b":status", b"200");
    }
    drop_http1(&mut headers);
    headers
}

/// A 200 over HTTP/2 to an upgrade to `protocol`, as filters know it.
pub(crate) fn response_from_http2(headers: &mut HeaderMap, protocol: &[u8]) {
    headers.set(b":status", b"101");
    headers.set(b"upgrade", protocol);
    headers.set(b"connection", b"upgrade");
}

/// What only HTTP/1 says of upgrades.
fn drop_http1(headers: &mut HeaderMap) {
    headers.remove(b"upgrade");
    headers.remove(b"connection");
    if headers.get(b"content-length") == Some(b"0") {
        headers.remove(b"content-length");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use sandgate_http::HeaderMapKind;

    use super::*;

    fn map(kind: HeaderMapKind, fields: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::with_kind(kind);
        fields.iter().for_each(|(name, value)| headers.append(name.as_bytes(), value.as_bytes()));
        headers
    }

    #[test]
    fn a_request_comes_and_goes() {
        let asked = [(":method", "CONNECT"), (":path", "/x"), ("a", "b"), (":protocol", "websocket")];
        let mut headers = map(HeaderMapKind::Request, &asked);
        assert!(is_upgrade(&headers));
        request_from_http2(&mut headers);
        let seen =
            [(":method", "GET"), (":path", "/x"), ("a", "b"), ("upgrade", "websocket"), ("connection", "upgrade")];
        assert_eq!(headers, map(HeaderMapKind::Request, &seen));
        assert!(!is_upgrade(&headers));
        assert_eq!(request_to_http2(&headers), map(HeaderMapKind::Request, &asked));
    }

    #[test]
    fn an_answer_comes_and_goes() {
        let mut headers = map(HeaderMapKind::Response, &[(":status", "200"), ("a", "b")]);
        response_from_http2(&mut headers, b"foo");
        let seen = [(":status", "101"), ("a", "b"), ("upgrade", "foo"), ("connection", "upgrade")];
        assert_eq!(headers, map(HeaderMapKind::Response, &seen));
        headers.set(b"content-length", b"0");
        assert_eq!(response_to_http2(&headers), map(HeaderMapKind::Response, &[(":status", "200"), ("a", "b")]));
        let refused = map(HeaderMapKind::Response, &[(":status", "426"), ("upgrade", "foo"), ("content-length", "3")]);
        let sent = map(HeaderMapKind::Response, &[(":status", "426"), ("content-length", "3")]);
        assert_eq!(response_to_http2(&refused), sent);
    }

    #[test]
    fn byte_streams_and_plain_connect_are_no_upgrades() {
        let connect = [(":method", "CONNECT"), (":authority", "a:1")];
        assert!(!is_upgrade(&map(HeaderMapKind::Request, &connect)));
        let bytes = [(":method", "CONNECT"), (":protocol", "bytestream")];
        assert!(!is_upgrade(&map(HeaderMapKind::Request, &bytes)));
    }
}
