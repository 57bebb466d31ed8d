//! Heads and bodies as Envoy 1.40 wrote them.

use bytes::{Buf, Bytes};
use sandgate_http::h1::{
    EncodeError, RequestEncodeOptions, ResponseEncodeOptions, encode_continue, encode_request, encode_response,
};
use sandgate_http::{HeaderMap, HeaderMapKind, WriteBuffer};

fn map(kind: HeaderMapKind, lines: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::with_kind(kind);
    lines.iter().for_each(|(name, value)| map.append(name.as_bytes(), value.as_bytes()));
    map
}

fn text(mut out: WriteBuffer) -> String {
    let bytes = out.copy_to_bytes(out.remaining());
    bytes.escape_ascii().to_string().replace("\\r\\n", "|")
}

/// A request with this body (`None`: ended by its headers).
fn request(lines: &[(&str, &str)], body: Option<&[&str]>) -> Result<String, EncodeError> {
    let mut out = WriteBuffer::new();
    let options = RequestEncodeOptions { end_stream: body.is_none(), ..RequestEncodeOptions::default() };
    let mut encoder = encode_request(&map(HeaderMapKind::Request, lines), options, &mut out)?;
    for piece in body.unwrap_or_default() {
        encoder.data(Bytes::copy_from_slice(piece.as_bytes()), &mut out);
    }
    encoder.end(&mut out);
    Ok(text(out) + if encoder.is_complete() { "" } else { "…" })
}

fn response(status: &str, lines: &[(&str, &str)], body: Option<&[&str]>, options: ResponseEncodeOptions) -> String {
    let mut out = WriteBuffer::new();
    let options = ResponseEncodeOptions { end_stream: body.is_none(), ..options };
    let lines = [&[(":status", status)], lines].concat();
    let mut encoder = encode_response(&map(HeaderMapKind::Response, &lines), options, &mut out).unwrap();
    for piece in body.unwrap_or_default() {
        encoder.data(Bytes::copy_from_slice(piece.as_bytes()), &mut out);
    }
    encoder.end(&mut out);
    text(out) + if encoder.is_complete() { "" } else { "…" }
}

fn pseudo(method: &'static str) -> [(&'static str, &'static str); 4] {
    [(":authority", "h"), (":path", "/"), (":method", method), (":scheme", "http")]
}

#[test]
fn requests_without_a_body_say_so_if_their_method_has_one() {
    for method in ["GET", "HEAD", "DELETE", "TRACE"] {
        assert_eq!(request(&pseudo(method), None).unwrap(), format!("{method} / HTTP/1.1|host: h||"));
    }
    for method in ["POST", "PUT", "PATCH", "OPTIONS", "FOO"] {
        assert_eq!(request(&pseudo(method), None).unwrap(), format!("{method} / HTTP/1.1|host: h|content-length: 0||"));
    }
}

#[test]
fn requests_with_a_body_are_framed() {
    let lines = |more| [&pseudo("POST")[..], more].concat();
    assert_eq!(
        request(&lines(&[("x", "1"), ("content-length", "3"), ("y", "2")]), Some(&["a", "bc"])).unwrap(),
        "POST / HTTP/1.1|host: h|x: 1|content-length: 3|y: 2||abc"
    );
    assert_eq!(
        request(&lines(&[("x", "1")]), Some(&["a", "", "0123456789abcdef0"])).unwrap(),
        "POST / HTTP/1.1|host: h|x: 1|transfer-encoding: chunked||1|a|11|0123456789abcdef0|0||"
    );
    // What the map says of chunks does not count.
    assert_eq!(
        request(&lines(&[("transfer-encoding", "gzip"), ("content-length", "2")]), Some(&["hi"])).unwrap(),
        "POST / HTTP/1.1|host: h|content-length: 2||hi"
    );
    assert_eq!(
        request(&lines(&[("transfer-encoding", "gzip")]), Some(&["hi"])).unwrap(),
        "POST / HTTP/1.1|host: h|transfer-encoding: chunked||2|hi|0||"
    );
}

#[test]
fn bodies_are_held_to_the_announced_length() {
    let lines = |length| [&pseudo("POST")[..], &[("content-length", length)]].concat();
    let head = |length| format!("POST / HTTP/1.1|host: h|content-length: {length}||");
    assert_eq!(request(&lines("1"), Some(&["a", "GET /evil"])).unwrap(), head(1) + "a");
    assert_eq!(request(&lines("9"), Some(&["a"])).unwrap(), head(9) + "a…");
    assert_eq!(request(&lines("9"), None).unwrap(), head(9) + "…");
    assert_eq!(request(&lines("0"), None).unwrap(), head(0));
}

#[test]
fn connect_is_written_with_its_authority() {
    let lines = [(":authority", "h:80"), (":method", "CONNECT")];
    assert_eq!(request(&lines, Some(&["raw"])).unwrap(), "CONNECT h:80 HTTP/1.1|host: h:80||raw");
    assert_eq!(request(&lines[1..], None), Err(EncodeError::MissingHeader(":authority")));
    assert_eq!(request(&pseudo("CONNECT"), None), Err(EncodeError::MissingHeader(":protocol")));
}

#[test]
fn requests_that_must_not_go_out() {
    let base = pseudo("GET");
    assert_eq!(request(&base[..2], None).unwrap_err().to_string(), "missing required header: :method");
    assert_eq!(request(&[base[0], base[2]], None).unwrap_err().to_string(), "missing required header: :path");
    for (name, value, error) in [
        ("sp ace", "v", "invalid header name: sp ace"),
        ("", "v", "invalid header name: "),
        ("x(", "v", "invalid header name: x("),
        ("é", "v", "invalid header name: é"),
        ("a\r\nb", "v", "invalid header name: a\r\nb"),
        ("x-v", "a\r\nb: c", "invalid header value for: x-v"),
        ("x-v", "a\nb", "invalid header value for: x-v"),
        ("x-v", "a\0b", "invalid header value for: x-v"),
        ("x-v", "a\x01b", "invalid header value for: x-v"),
        ("x-v", "a\x7fb", "invalid header value for: x-v"),
        ("content-length", "abc", "invalid header value for: content-length"),
        ("content-length", "", "invalid header value for: content-length"),
    ] {
        let lines = [&base[..], &[(name, value)]].concat();
        assert_eq!(request(&lines, None).unwrap_err().to_string(), error);
    }
    for (name, value) in [(":path", "/a b"), (":path", ""), (":path", "/\r\n"), (":method", "G ET"), (":method", "")] {
        let mut headers = map(HeaderMapKind::Request, &base);
        headers.set(name.as_bytes(), value.as_bytes());
        let mut out = WriteBuffer::new();
        let error = encode_request(&headers, RequestEncodeOptions::default(), &mut out).unwrap_err();
        assert_eq!(error, EncodeError::InvalidValue(name.into()));
        assert!(out.is_empty());
    }
    // Twice, which the map does not join if it is told not to.
    let lines = [&base[..], &[("content-length", "2"), ("content-length", "2")]].concat();
    assert_eq!(request(&lines, None), Err(EncodeError::InvalidValue("content-length".into())));
}

#[test]
fn what_may_go_out_in_requests() {
    let lines = [&pseudo("GET")[..], &[(":weird", "v"), ("x-v", " \ta "), ("x-u", "é"), ("x-e", "")]].concat();
    assert_eq!(request(&lines, None).unwrap(), "GET / HTTP/1.1|host: h|x-v:  \\ta |x-u: \\xc3\\xa9|x-e: ||");
}

#[test]
fn responses_are_framed() {
    let plain = ResponseEncodeOptions::default();
    let length = [("content-length", "2")];
    assert_eq!(response("200", &length, Some(&["hi"]), plain), "HTTP/1.1 200 OK|content-length: 2||hi");
    assert_eq!(
        response("200", &[("x", "1")], Some(&["hi"]), plain),
        "HTTP/1.1 200 OK|x: 1|transfer-encoding: chunked||2|hi|0||"
    );
    assert_eq!(response("200", &[("x", "1")], None, plain), "HTTP/1.1 200 OK|x: 1|content-length: 0||");
    assert_eq!(response("205", &[], None, plain), "HTTP/1.1 205 Reset Content|content-length: 0||");
    assert_eq!(response("204", &[], None, plain), "HTTP/1.1 204 No Content||");
    assert_eq!(response("304", &[], None, plain), "HTTP/1.1 304 Not Modified||");
    assert_eq!(response("418", &length, Some(&["hi"]), plain), "HTTP/1.1 418 Unknown|content-length: 2||hi");
    assert_eq!(response("1000", &[], None, plain), "HTTP/1.1 1000 Unknown|content-length: 0||");
    assert_eq!(response("4294967296", &[], None, plain), "HTTP/1.1 4294967296 Unknown|content-length: 0||");
    assert_eq!(response("0200", &[], None, plain), "HTTP/1.1 200 OK|content-length: 0||");
    assert_eq!(response("99", &length, Some(&["hi"]), plain), "HTTP/1.1 99 Unknown|content-length: 2||hi");
    assert_eq!(response("0", &[], None, plain), "HTTP/1.1 0 Unknown||");
}

#[test]
fn no_body_is_written_where_there_is_none() {
    let plain = ResponseEncodeOptions::default();
    let length = [("content-length", "2")];
    assert_eq!(response("204", &[], Some(&["hi"]), plain), "HTTP/1.1 204 No Content||");
    assert_eq!(response("304", &length, Some(&["hi"]), plain), "HTTP/1.1 304 Not Modified|content-length: 2||");
    assert_eq!(response("103", &[], Some(&["hi"]), plain), "HTTP/1.1 103 Unknown||");
    assert_eq!(response("101", &[], Some(&["hi"]), plain), "HTTP/1.1 101 Switching Protocols||");
}

#[test]
fn responses_to_head_keep_their_framing_headers() {
    let head = ResponseEncodeOptions { head_request: true, ..ResponseEncodeOptions::default() };
    let length = [("content-length", "2")];
    assert_eq!(response("200", &length, None, head), "HTTP/1.1 200 OK|content-length: 2||");
    assert_eq!(response("200", &length, Some(&["hi"]), head), "HTTP/1.1 200 OK|content-length: 2||");
    assert_eq!(response("200", &[], None, head), "HTTP/1.1 200 OK|transfer-encoding: chunked||");
    assert_eq!(response("204", &[], None, head), "HTTP/1.1 204 No Content||");
}

#[test]
fn responses_to_old_versions_have_no_chunks() {
    let old = ResponseEncodeOptions { http_10: true, ..ResponseEncodeOptions::default() };
    assert_eq!(
        response("200", &[("connection", "close")], Some(&["hi"]), old),
        "HTTP/1.0 200 OK|connection: close||hi"
    );
    assert_eq!(response("200", &[], None, old), "HTTP/1.0 200 OK|content-length: 0||");
    let head = ResponseEncodeOptions { head_request: true, ..old };
    assert_eq!(response("200", &[], None, head), "HTTP/1.0 200 OK||");
}

#[test]
fn responses_to_connect_have_no_framing_if_granted() {
    let connect = ResponseEncodeOptions { connect_request: true, ..ResponseEncodeOptions::default() };
    assert_eq!(response("200", &[], Some(&["raw"]), connect), "HTTP/1.1 200 OK||raw");
    assert_eq!(
        response("403", &[], Some(&["no"]), connect),
        "HTTP/1.1 403 Forbidden|transfer-encoding: chunked||2|no|0||"
    );
}

#[test]
fn responses_that_must_not_go_out() {
    for (name, value, error) in [
        (":status", "abc", "missing required header: :status"),
        (":status", "-1", "missing required header: :status"),
        (":status", "", "missing required header: :status"),
        ("sp ace", "v", "invalid header name: sp ace"),
        ("", "v", "invalid header name: "),
        ("x", "a\r\nset-cookie: evil", "invalid header value for: x"),
        ("x", "a\0", "invalid header value for: x"),
        ("content-length", "1,2", "invalid header value for: content-length"),
    ] {
        let mut headers = map(HeaderMapKind::Response, &[(":status", "200")]);
        headers.set(name.as_bytes(), value.as_bytes());
        let mut out = WriteBuffer::new();
        let refused = encode_response(&headers, ResponseEncodeOptions::default(), &mut out).unwrap_err();
        assert_eq!(refused.to_string(), error);
        assert!(out.is_empty());
    }
    // Other control bytes pass, as in Envoy.
    let odd = [("x", "a\x01\x7fb")];
    assert_eq!(
        response("204", &odd, None, ResponseEncodeOptions::default()),
        "HTTP/1.1 204 No Content|x: a\\x01\\x7fb||"
    );
}

#[test]
fn trailers_are_written_if_enabled() {
    let write = |enable_trailers, lines: &[(&str, &str)], head: &[(&str, &str)]| {
        let mut out = WriteBuffer::new();
        let options = ResponseEncodeOptions { enable_trailers, ..ResponseEncodeOptions::default() };
        let headers = map(HeaderMapKind::Response, &[&[(":status", "200")], head].concat());
        let mut encoder = encode_response(&headers, options, &mut out).unwrap();
        out.clear();
        let trailers = map(HeaderMapKind::ResponseTrailers, lines);
        encoder.trailers(&trailers, &mut out).map(|()| text(out))
    };
    assert_eq!(write(true, &[("x", "1"), ("y", "2")], &[]).unwrap(), "0|x: 1|y: 2||");
    assert_eq!(write(false, &[("x", "1")], &[]).unwrap(), "0||");
    assert_eq!(write(true, &[("x", "1")], &[("content-length", "0")]).unwrap(), "");
    assert_eq!(write(true, &[("x", "1\r\n")], &[]), Err(EncodeError::InvalidValue("x".into())));
    assert_eq!(write(true, &[("x y", "1")], &[]), Err(EncodeError::InvalidName("x y".into())));
}

#[test]
fn continue_is_written() {
    let mut out = WriteBuffer::new();
    encode_continue(&mut out);
    assert_eq!(text(out), "HTTP/1.1 100 Continue||");
}

#[test]
fn large_pieces_are_not_copied() {
    let large = Bytes::from(vec![b'x'; 100_000]);
    let mut out = WriteBuffer::new();
    let headers = map(HeaderMapKind::Response, &[(":status", "200")]);
    let mut encoder = encode_response(&headers, ResponseEncodeOptions::default(), &mut out).unwrap();
    encoder.data(large.clone(), &mut out);
    encoder.end(&mut out);
    let mut slices = [std::io::IoSlice::new(&[]); 8];
    let count = out.chunks_vectored(&mut slices);
    assert_eq!(count, 3);
    assert!(std::ptr::eq(slices[1].as_ptr(), large.as_ptr()));
    assert_eq!(slices.iter().map(|slice| slice.len()).sum::<usize>(), out.remaining());
    // Written in odd pieces, nothing is lost or doubled.
    let mut written = Vec::new();
    while out.has_remaining() {
        let step = out.chunk().len().min(7919);
        written.extend_from_slice(&out.chunk()[..step]);
        out.advance(step);
    }
    let text = String::from_utf8(written).unwrap();
    assert!(text.starts_with("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n186a0\r\nxxx"));
    assert!(text.ends_with("xxx\r\n0\r\n\r\n"));
    assert!(out.is_empty());
}
