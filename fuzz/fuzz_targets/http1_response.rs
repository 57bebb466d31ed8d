#![no_main]

use bytes::Buf;
use libfuzzer_sys::fuzz_target;
use sandgate_fuzz::{bare, messages, pieces, response_steps};
use sandgate_http::WriteBuffer;
use sandgate_http::h1::{ResponseEncodeOptions, ResponseOptions, encode_response};

fuzz_target!(|data: &[u8]| {
    let [flags, seed, bytes @ ..] = data else { return };
    let mut options = ResponseOptions {
        enable_trailers: flags & 1 != 0,
        allow_chunked_length: flags & 2 != 0,
        ..ResponseOptions::default()
    };
    if flags & 4 != 0 {
        options.max_head_bytes = 128;
        options.max_headers = 4;
    }
    let (method, upgrade): (&[u8], bool) = match flags >> 6 {
        0 => (b"GET", false),
        1 => (b"HEAD", false),
        2 => (b"CONNECT", false),
        _ => (b"GET", true),
    };
    let steps = response_steps(&options, method, upgrade, &pieces(bytes, 0));
    assert_eq!(steps, response_steps(&options, method, upgrade, &pieces(bytes, seed | 1)));

    let generous = ResponseOptions { max_head_bytes: 1 << 20, max_headers: 1000, enable_trailers: true, ..options };
    for message in messages(steps) {
        let status = message.headers.get(b":status").expect("every response has a status");
        // Interim responses, and those after which bytes are no longer HTTP.
        if status.len() < 3 || status[0] == b'1' && status.len() == 3 || message.flags[3] {
            continue;
        }
        let mut out = WriteBuffer::new();
        let options = ResponseEncodeOptions {
            head_request: method == b"HEAD",
            connect_request: method == b"CONNECT",
            end_stream: message.flags[0],
            enable_trailers: true,
            ..ResponseEncodeOptions::default()
        };
        let mut encoder = encode_response(&message.headers, options, &mut out).expect("what was read can be written");
        encoder.data(message.body.clone(), &mut out);
        match &message.trailers {
            Some(trailers) => encoder.trailers(trailers, &mut out).expect("what was read can be written"),
            None => encoder.end(&mut out),
        }
        let written = out.copy_to_bytes(out.remaining());
        let again = messages(response_steps(&generous, method, upgrade, &[&written]));
        let [again] = &again[..] else { panic!("{} became {again:?}", written.escape_ascii()) };
        assert_eq!(bare(&again.headers), bare(&message.headers));
        assert_eq!((&again.body, &again.trailers), (&message.body, &message.trailers));
    }
});
