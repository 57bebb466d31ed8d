//! Requests as Envoy 1.40 read them.

use sandgate_http::h1::{RequestDecoder, RequestOptions};

use crate::request_cases::{more_requests, table_requests};
use crate::transcript::requests;

#[test]
fn requests_are_read_as_envoy_reads_them() {
    for (name, bytes, expected) in table_requests().into_iter().chain(more_requests()) {
        assert_eq!(requests(&RequestOptions::default(), [&bytes[..]]), expected, "{name}: {}", bytes.escape_ascii());
    }
}

#[test]
fn every_known_method_is_taken() {
    for method in "ACL BIND CHECKOUT COPY DELETE GET HEAD LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MOVE OPTIONS PATCH POST \
                   PROPFIND PROPPATCH PUT REBIND REPORT SEARCH TRACE UNBIND UNLINK UNLOCK NOTIFY SUBSCRIBE UNSUBSCRIBE PURGE SOURCE \
                   MSEARCH"
        .split_whitespace()
    {
        let bytes = format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n");
        let expected = format!("[:authority a][:path /][:method {method}] end");
        assert_eq!(requests(&RequestOptions::default(), [bytes.as_bytes()]), expected);
    }
    for method in
        "BASELINE-CONTROL CHECKIN LABEL MKREDIRECTREF ORDERPATCH PRI QUERY UNCHECKOUT UPDATE VERSION-CONTROL M-SEARCH \
                   DESCRIBE BMOVE TRACK GETX GE"
            .split_whitespace()
    {
        let bytes = format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(requests(&RequestOptions::default(), [bytes.as_bytes()]), "400 http1.codec_error", "{method}");
    }
}

#[test]
fn first_byte_is_refused_at_once_only_if_it_is_no_visible_one() {
    for byte in 0..=u8::MAX {
        let expected = match byte {
            b'\r' | b'\n' => "",
            0..=b' ' => "400 http1.codec_error",
            _ => "…",
        };
        assert_eq!(requests(&RequestOptions::default(), [&[byte][..]]), expected, "{byte:#x}");
    }
}

#[test]
fn old_versions_are_read_if_accepted() {
    let options =
        RequestOptions { accept_http_10: true, default_host: Some(b"dflt".to_vec()), ..RequestOptions::default() };
    let read = |bytes: &[u8]| requests(&options, [bytes]);
    assert_eq!(read(b"GET / HTTP/1.0\r\n\r\n"), "[:path /][:method GET][:authority dflt] end close");
    assert_eq!(read(b"GET /\r\n\r\n"), "[:path /][:method GET][:authority dflt] end close");
    assert_eq!(read(b"GET / HTTP/2.0\r\nHost: a\r\n\r\n"), "[:authority a][:path /][:method GET] end close");
    assert_eq!(
        read(b"GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n"),
        "[:authority a][:path /][:method GET][connection Keep-Alive] end"
    );
    assert_eq!(
        read(b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"),
        "[:authority a][:path /][:method POST][transfer-encoding chunked] close\ndata hi\nend"
    );
}

#[test]
fn trailers_are_kept_if_enabled() {
    let options = RequestOptions { enable_trailers: true, ..RequestOptions::default() };
    let head = "[:authority a][:path /][:method POST][transfer-encoding chunked]";
    let read = |block: &str| {
        let bytes =
            format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n{block}\r\n");
        let text = requests(&options, [bytes.as_bytes()]);
        text.strip_prefix(&format!("{head}\ndata hi\n")).unwrap().to_owned()
    };
    assert_eq!(read(""), "end");
    assert_eq!(
        read("X-T: 1\r\nx-t: 2\r\nHost: q\r\naccept: 1\r\naccept: 2\r\ncontent-length: 5\r\n"),
        "trailers [x-t 1][x-t 2][host q][accept 1][accept 2][content-length 5]"
    );
    assert_eq!(read(&"x: a\r\n".repeat(101)), "431 http1.too_many_headers");
    assert!(read(&"x: a\r\n".repeat(100)).starts_with("trailers [x a][x a]"));
}

#[test]
fn chunked_length_can_be_allowed() {
    let options = RequestOptions { allow_chunked_length: true, ..RequestOptions::default() };
    let read = |encoding: &str| {
        let bytes = format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nTransfer-Encoding: {encoding}\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
        );
        requests(&options, [bytes.as_bytes()])
    };
    assert_eq!(read("chunked"), "[:authority a][:path /][:method POST][transfer-encoding chunked]\ndata hi\nend");
    assert_eq!(read("gzip"), "400 http1.content_length_and_chunked_not_allowed");
}

#[test]
fn http2_preface_is_seen_in_pieces() {
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    for end in 1..=preface.len() {
        assert!(RequestDecoder::is_http2_preface(&preface[..end]));
    }
    assert!(RequestDecoder::is_http2_preface(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nmore"));
    for other in [&b""[..], b"G", b"PRIX", b"PROPFIND / HTTP/1.1"] {
        assert!(!RequestDecoder::is_http2_preface(other));
    }
}
