//! Responses as Envoy 1.40 read them.

use sandgate_http::h1::ResponseOptions;

use crate::response_cases::{more_responses, table_responses};
use crate::transcript::responses;

#[test]
fn responses_are_read_as_envoy_reads_them() {
    for (name, bytes, expected) in table_responses().into_iter().chain(more_responses()) {
        let read = responses(&ResponseOptions::default(), &["GET"], [&bytes[..]]);
        assert_eq!(read, expected, "{name}: {}", bytes.escape_ascii());
    }
}

#[test]
fn the_request_decides_on_the_body() {
    let read = |method, bytes: &[u8]| responses(&ResponseOptions::default(), &[method], [bytes]);
    let length = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
    assert_eq!(read("HEAD", length), "[:status 200][content-length 2] end");
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(read("HEAD", chunked), "[:status 200][transfer-encoding chunked] end");
    assert_eq!(read("HEAD", b"HTTP/1.1 200 OK\r\n\r\n"), "[:status 200] end");
    assert_eq!(
        read("CONNECT", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nraw"),
        "[:status 200] close upgrade\ndata raw\nend"
    );
    assert_eq!(
        read("CONNECT", b"HTTP/1.1 403 F\r\nContent-Length: 1\r\n\r\nx"),
        "[:status 403][content-length 1]\ndata x\nend"
    );
    assert_eq!(
        read("UPGRADE", b"HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nraw"),
        "[:status 101][upgrade x][connection upgrade] close upgrade\ndata raw\nend"
    );
}

#[test]
fn responses_follow_each_other() {
    let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 204 x\r\n\r\n";
    let expected = "[:status 200][content-length 2]\ndata hi\nend\n[:status 204] end";
    assert_eq!(responses(&ResponseOptions::default(), &["GET", "GET"], [&bytes[..]]), expected);
    // The second one was not asked for.
    let expected = "[:status 200][content-length 2]\ndata hi\nend\n400 http1.codec_error";
    assert_eq!(responses(&ResponseOptions::default(), &["GET"], [&bytes[..]]), expected);
}

#[test]
fn trailers_are_kept_if_enabled() {
    let options = ResponseOptions { enable_trailers: true, ..ResponseOptions::default() };
    let bytes =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nGrpc-Status: 1\r\nX: a\r\ngrpc-status: 2\r\n\r\n";
    let expected = "[:status 200][transfer-encoding chunked]\ntrailers [grpc-status 1,2][x a]";
    assert_eq!(responses(&options, &["GET"], [&bytes[..]]), expected);
}
