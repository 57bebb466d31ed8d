//! What the encoder writes the decoder reads, and the other way round.

use bytes::{Buf, Bytes, BytesMut};
use sandgate_http::h1::{
    Event, RequestDecoder, RequestEncodeOptions, RequestOptions, ResponseDecoder, ResponseEncodeOptions,
    ResponseOptions, encode_request, encode_response,
};
use sandgate_http::{HeaderMap, WriteBuffer};

use crate::request_cases::{more_requests, table_requests};
use crate::response_cases::{more_responses, table_responses};

struct Message {
    headers: HeaderMap,
    body: Vec<u8>,
    trailers: Option<HeaderMap>,
}

fn read_request(bytes: &[u8]) -> Option<Message> {
    let mut decoder = RequestDecoder::new(RequestOptions { enable_trailers: true, ..RequestOptions::default() });
    let mut input = BytesMut::from(bytes);
    let Event::Head(head) = decoder.decode(&mut input).ok()?? else { panic!("head first") };
    let mut message = Message { headers: head.headers, body: Vec::new(), trailers: None };
    if head.end_stream {
        return Some(message);
    }
    loop {
        match decoder.decode(&mut input).ok()?? {
            Event::Data(data) => message.body.extend_from_slice(&data),
            Event::Trailers(trailers) => message.trailers = Some(trailers),
            Event::End | Event::Head(_) => return Some(message),
        }
        if message.trailers.is_some() {
            return Some(message);
        }
    }
}

fn read_response(bytes: &[u8]) -> Option<Message> {
    let mut decoder = ResponseDecoder::new(ResponseOptions { enable_trailers: true, ..ResponseOptions::default() });
    decoder.expect_response(b"GET", false);
    let mut input = BytesMut::from(bytes);
    let Event::Head(head) = decoder.decode(&mut input).ok()?? else { panic!("head first") };
    let mut message = Message { headers: head.headers, body: Vec::new(), trailers: None };
    if head.end_stream || head.status < 200 {
        return Some(message);
    }
    loop {
        match decoder.decode(&mut input).ok()? {
            Some(Event::Data(data)) => message.body.extend_from_slice(&data),
            Some(Event::Trailers(trailers)) => {
                message.trailers = Some(trailers);
                return Some(message);
            }
            Some(Event::End | Event::Head(_)) => return Some(message),
            None => return decoder.finish().ok()?.map(|_| message),
        }
    }
}

/// Without what the encoder decides on.
fn bare(mut headers: HeaderMap) -> HeaderMap {
    headers.remove(b"transfer-encoding");
    headers.retain(|name, value| name != b"content-length" || value != b"0");
    headers.remove(b":scheme");
    headers
}

#[test]
fn requests_survive() {
    let mut survived = 0;
    for (name, bytes, _) in table_requests().into_iter().chain(more_requests()) {
        let Some(message) = read_request(&bytes) else { continue };
        // The connection manager refuses these.
        if message.headers.get(b":path").is_some_and(|path| path.starts_with(b"?")) {
            continue;
        }
        let mut out = WriteBuffer::new();
        let end_stream = message.body.is_empty() && message.trailers.is_none();
        let options = RequestEncodeOptions { end_stream, enable_trailers: true, upgrade: false };
        let mut encoder = encode_request(&message.headers, options, &mut out).unwrap();
        encoder.data(Bytes::from(message.body.clone()), &mut out);
        match &message.trailers {
            Some(trailers) => encoder.trailers(trailers, &mut out).unwrap(),
            None => encoder.end(&mut out),
        }
        assert!(encoder.is_complete(), "{name}");
        let written = out.copy_to_bytes(out.remaining());
        let again = read_request(&written).unwrap_or_else(|| panic!("{name}: {}", written.escape_ascii()));
        assert_eq!(bare(again.headers), bare(message.headers), "{name}");
        assert_eq!(again.body, message.body, "{name}");
        assert_eq!(again.trailers, message.trailers, "{name}");
        survived += 1;
    }
    assert!(survived > 60);
}

#[test]
fn responses_survive() {
    let mut survived = 0;
    for (name, bytes, _) in table_responses().into_iter().chain(more_responses()) {
        let Some(message) = read_response(&bytes) else { continue };
        let mut out = WriteBuffer::new();
        let end_stream = message.body.is_empty() && message.trailers.is_none();
        let options = ResponseEncodeOptions { end_stream, enable_trailers: true, ..ResponseEncodeOptions::default() };
        let mut encoder = encode_response(&message.headers, options, &mut out).unwrap();
        encoder.data(Bytes::from(message.body.clone()), &mut out);
        match &message.trailers {
            Some(trailers) => encoder.trailers(trailers, &mut out).unwrap(),
            None => encoder.end(&mut out),
        }
        let written = out.copy_to_bytes(out.remaining());
        let again = read_response(&written).unwrap_or_else(|| panic!("{name}: {}", written.escape_ascii()));
        assert_eq!(bare(again.headers), bare(message.headers), "{name}");
        assert_eq!(again.body, message.body, "{name}");
        assert_eq!(again.trailers, message.trailers, "{name}");
        survived += 1;
    }
    assert!(survived > 20);
}
