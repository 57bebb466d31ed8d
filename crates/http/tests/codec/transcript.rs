//! Decoding as text, so that expectations can be read.

use std::fmt::Write as _;

use bytes::BytesMut;
use sandgate_http::HeaderMap;
use sandgate_http::h1::{
    DecodeError, Event, RequestDecoder, RequestHead, RequestOptions, ResponseDecoder, ResponseHead, ResponseOptions,
};

/// What the decoder says to `pieces`, with body pieces joined.
pub(crate) fn requests<'a>(options: &RequestOptions, pieces: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut decoder = RequestDecoder::new(options.clone());
    let mut transcript = Transcript::default();
    let mut input = BytesMut::new();
    for piece in pieces {
        input.extend_from_slice(piece);
        while let Some(step) = decoder.decode(&mut input).transpose() {
            if !transcript.step(step) {
                return transcript.text;
            }
        }
    }
    if decoder.in_message() {
        transcript.line("…");
    }
    transcript.text
}

/// What the decoder says to `pieces` as answers to requests of these methods; the peer closes behind them.
pub(crate) fn responses<'a>(
    options: &ResponseOptions,
    methods: &[&str],
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> String {
    let mut decoder = ResponseDecoder::new(options.clone());
    let mut methods = methods.iter();
    let mut transcript = Transcript::default();
    let mut input = BytesMut::new();
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            if decoder.is_idle()
                && let Some(method) = methods.next()
            {
                decoder.expect_response(method.as_bytes(), *method == "UPGRADE");
            }
            let Some(step) = decoder.decode(&mut input).transpose() else { break };
            if !transcript.step(step) {
                return transcript.text;
            }
        }
    }
    if decoder.is_idle() {
        return transcript.text;
    }
    match decoder.finish() {
        Ok(None) => transcript.line("nothing"),
        other => _ = transcript.step(other.map(|event| event.unwrap())),
    }
    transcript.text
}

/// `[name value]` for each header.
pub(crate) fn headers(map: &HeaderMap) -> String {
    let field = |(n, v): (&[u8], &[u8])| format!("[{} {}]", n.escape_ascii(), v.escape_ascii());
    map.iter().map(field).collect()
}

#[derive(Default)]
struct Transcript {
    text: String,
    in_data: bool,
}

pub(crate) trait Head {
    fn describe(&self) -> String;
}

impl Head for RequestHead {
    fn describe(&self) -> String {
        let mut text = headers(&self.headers);
        for (flag, name) in [
            (self.end_stream, " end"),
            (!self.keep_alive, " close"),
            (self.expect_continue, " expect"),
            (self.upgrade, " upgrade"),
        ] {
            text.push_str(if flag { name } else { "" });
        }
        text
    }
}

impl Head for ResponseHead {
    fn describe(&self) -> String {
        let mut text = headers(&self.headers);
        assert_eq!(self.headers.get(b":status").unwrap(), self.status.to_string().as_bytes());
        for (flag, name) in [(self.end_stream, " end"), (!self.keep_alive, " close"), (self.upgrade, " upgrade")] {
            text.push_str(if flag { name } else { "" });
        }
        text
    }
}

impl Transcript {
    fn line(&mut self, line: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(line);
        self.in_data = false;
    }

    /// False after an error.
    fn step<H: Head>(&mut self, step: Result<Event<H>, DecodeError>) -> bool {
        match step {
            Ok(Event::Head(head)) => self.line(&head.describe()),
            Ok(Event::Data(data)) => {
                assert!(!data.is_empty(), "data events are never empty");
                if !self.in_data {
                    self.line("data ");
                    self.in_data = true;
                }
                write!(self.text, "{}", data.escape_ascii()).unwrap();
            }
            Ok(Event::Trailers(trailers)) => self.line(&format!("trailers {}", headers(&trailers))),
            Ok(Event::End) => self.line("end"),
            Err(error) => {
                self.line(&format!("{} {}", error.status(), error.details()));
                return false;
            }
        }
        true
    }
}
