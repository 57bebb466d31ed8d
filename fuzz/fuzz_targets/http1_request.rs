#![no_main]

use bytes::Buf;
use libfuzzer_sys::fuzz_target;
use sandgate_fuzz::{bare, messages, pieces, request_steps};
use sandgate_http::WriteBuffer;
use sandgate_http::h1::{RequestEncodeOptions, RequestOptions, encode_request};

fuzz_target!(|data: &[u8]| {
    let [flags, seed, bytes @ ..] = data else { return };
    let mut options = RequestOptions {
        enable_trailers: flags & 1 != 0,
        accept_http_10: flags & 2 != 0,
        default_host: (flags & 4 != 0).then(|| b"default".to_vec()),
        allow_chunked_length: flags & 8 != 0,
        ..RequestOptions::default()
    };
    if flags & 16 != 0 {
        options.max_head_bytes = 128;
        options.max_headers = 4;
    }
    let steps = request_steps(&options, &pieces(bytes, 0));
    assert_eq!(steps, request_steps(&options, &pieces(bytes, seed | 1)));

    let generous = RequestOptions { max_head_bytes: 1 << 20, max_headers: 1000, enable_trailers: true, ..options };
    for message in messages(steps) {
        // Upgrades have no end; a path without `/` is refused before it could be encoded.
        if message.flags[3] || message.headers.get(b":path").is_some_and(|path| path.starts_with(b"?")) {
            continue;
        }
        let mut out = WriteBuffer::new();
        let options = RequestEncodeOptions { end_stream: message.flags[0], enable_trailers: true };
        let mut encoder = encode_request(&message.headers, options, &mut out).expect("what was read can be written");
        encoder.data(message.body.clone(), &mut out);
        match &message.trailers {
            Some(trailers) => encoder.trailers(trailers, &mut out).expect("what was read can be written"),
            None => encoder.end(&mut out),
        }
        assert!(encoder.is_complete());
        let written = out.copy_to_bytes(out.remaining());
        let again = messages(request_steps(&generous, &[&written]));
        let [again] = &again[..] else { panic!("{} became {again:?}", written.escape_ascii()) };
        assert_eq!(bare(&again.headers), bare(&message.headers));
        assert_eq!((&again.body, &again.trailers), (&message.body, &message.trailers));
    }
});
