//! How large a head may be: the edges, as measured.

use sandgate_http::h1::{RequestOptions, ResponseOptions};

use crate::transcript::{requests, responses};

fn sized(start: &str, size: usize) -> Vec<u8> {
    let mut bytes = start.as_bytes().to_vec();
    bytes.resize(size - 4, b'a');
    bytes.extend_from_slice(b"\r\n\r\n");
    bytes
}

fn outcome(text: &str) -> &str {
    text.lines().last().unwrap().split(' ').next().unwrap()
}

#[test]
fn request_heads_have_60_kib() {
    let read = |bytes: &[u8]| requests(&RequestOptions::default(), [bytes]);
    let start = "GET / HTTP/1.1\r\nHost: h\r\nx: ";
    assert!(read(&sized(start, 61_440)).ends_with(" end"));
    assert_eq!(outcome(&read(&sized(start, 61_441))), "431");
    // Empty lines before the head do not count.
    assert!(read(&[b"\r\n".repeat(50_000), sized(start, 61_440)].concat()).ends_with(" end"));
    // A head that can only become too large is refused before it ends.
    assert_eq!(read(&sized(start, 61_444)[..61_439]), "…");
    assert_eq!(outcome(&read(&sized(start, 61_444)[..61_440])), "431");
    assert_eq!(outcome(&read(&[b'A'; 61_440])), "431");
}

#[test]
fn header_lines_are_counted() {
    let read = |lines: usize| {
        let bytes = format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "x: a\r\n".repeat(lines));
        requests(&RequestOptions::default(), [bytes.as_bytes()])
    };
    assert!(read(99).ends_with(" end"));
    assert_eq!(outcome(&read(100)), "431");
}

#[test]
fn trailers_have_the_same_room_as_heads() {
    let head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
    let read = |size: usize| {
        let bytes = [head.as_bytes(), &sized("x: ", size)].concat();
        requests(&RequestOptions::default(), [&bytes[..]])
    };
    assert_eq!(outcome(&read(61_440)), "end");
    assert_eq!(outcome(&read(61_441)), "431");
}

#[test]
fn size_lines_of_chunks_have_it_too() {
    let head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;";
    let read = |size: usize| {
        let bytes = [head.as_bytes(), &vec![b'a'; size], b"\r\nx\r\n0\r\n\r\n"].concat();
        requests(&RequestOptions::default(), [&bytes[..]])
    };
    assert_eq!(outcome(&read(60_000)), "end");
    assert_eq!(outcome(&read(62_000)), "400");
}

#[test]
fn response_heads_have_80_kib() {
    let read = |size: usize| {
        let bytes = sized("HTTP/1.1 204 x\r\nx: ", size);
        responses(&ResponseOptions::default(), &["GET"], [&bytes[..]])
    };
    assert!(read(81_920).ends_with(" end"));
    assert_eq!(outcome(&read(81_921)), "431");
}
