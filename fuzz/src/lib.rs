//! What the HTTP/1 targets share; [`proxy`] is for targets that need a whole proxy.

#[cfg(feature = "proxy")]
pub mod proxy;

use bytes::{Bytes, BytesMut};
use sandgate_http::HeaderMap;
use sandgate_http::h1::{
    DecodeError, Event, RequestDecoder, RequestHead, RequestOptions, ResponseDecoder, ResponseHead, ResponseOptions,
};

/// What a decoder reported, with body pieces joined.
#[derive(Debug, PartialEq)]
pub enum Step {
    Head {
        headers: HeaderMap,
        flags: [bool; 4],
    },
    Data(Vec<u8>),
    Trailers(HeaderMap),
    End,
    Error(DecodeError),
    /// The peer closed, and there is nothing to say about it.
    Closed,
}

/// Input cut into pieces whose lengths follow from `seed`; 0 means one piece.
pub fn pieces(mut bytes: &[u8], seed: u8) -> Vec<&[u8]> {
    let mut random = u32::from(seed);
    let mut pieces = Vec::new();
    while !bytes.is_empty() {
        random = random.wrapping_mul(1_664_525).wrapping_add(u32::from(seed));
        let len = if seed == 0 { bytes.len() } else { (random >> 20) as usize % 40 };
        let (piece, rest) = bytes.split_at(len.min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

pub fn request_steps(options: &RequestOptions, pieces: &[&[u8]]) -> Vec<Step> {
    let mut decoder = RequestDecoder::new(options.clone());
    let mut input = BytesMut::new();
    let mut steps = Vec::new();
    for piece in pieces {
        input.extend_from_slice(piece);
        while let Some(step) = decoder.decode(&mut input).transpose() {
            if !note(&mut steps, step.map(|event| event_step(event, request_head))) {
                return steps;
            }
        }
    }
    steps
}

pub fn response_steps(options: &ResponseOptions, method: &[u8], upgrade: bool, pieces: &[&[u8]]) -> Vec<Step> {
    let mut decoder = ResponseDecoder::new(options.clone());
    let mut input = BytesMut::new();
    let mut steps = Vec::new();
    decoder.expect_response(method, upgrade);
    for piece in pieces {
        input.extend_from_slice(piece);
        while let Some(step) = decoder.decode(&mut input).transpose() {
            if !note(&mut steps, step.map(|event| event_step(event, response_head))) {
                return steps;
            }
            if decoder.is_idle() {
                decoder.expect_response(method, upgrade);
            }
        }
    }
    let last = decoder.finish();
    note(&mut steps, last.map(|event| event.map_or(Step::Closed, |event| event_step(event, response_head))));
    steps
}

fn request_head(head: RequestHead) -> Step {
    let flags = [head.end_stream, head.keep_alive, head.expect_continue, head.upgrade];
    Step::Head { headers: head.headers, flags }
}

fn response_head(head: ResponseHead) -> Step {
    let flags = [head.end_stream, head.keep_alive, head.is_informational(), head.upgrade];
    Step::Head { headers: head.headers, flags }
}

fn event_step<H>(event: Event<H>, head: impl Fn(H) -> Step) -> Step {
    match event {
        Event::Head(it) => head(it),
        Event::Data(data) => Step::Data(data.to_vec()),
        Event::Trailers(trailers) => Step::Trailers(trailers),
        Event::End => Step::End,
    }
}

/// False after an error.
fn note(steps: &mut Vec<Step>, step: Result<Step, DecodeError>) -> bool {
    match (steps.last_mut(), step) {
        (_, Err(error)) => {
            steps.push(Step::Error(error));
            return false;
        }
        (Some(Step::Data(before)), Ok(Step::Data(more))) => before.extend(more),
        (_, Ok(step)) => steps.push(step),
    }
    true
}

/// A whole message.
#[derive(Debug, PartialEq)]
pub struct Message {
    pub headers: HeaderMap,
    pub flags: [bool; 4],
    pub body: Bytes,
    pub trailers: Option<HeaderMap>,
}

/// The messages that are complete.
pub fn messages(steps: Vec<Step>) -> Vec<Message> {
    let mut messages = Vec::new();
    let mut open: Option<Message> = None;
    for step in steps {
        match step {
            Step::Head { headers, flags } => {
                let message = Message { headers, flags, body: Bytes::new(), trailers: None };
                if flags[0] {
                    messages.push(message);
                } else {
                    open = Some(message);
                }
            }
            Step::Data(data) => open.as_mut().expect("a head comes first").body = data.into(),
            Step::Trailers(trailers) => {
                messages.push(Message { trailers: Some(trailers), ..open.take().expect("a head comes first") });
            }
            Step::End => messages.push(open.take().expect("a head comes first")),
            Step::Error(_) | Step::Closed => break,
        }
    }
    messages
}

/// Headers without what the encoder decides on, the host first, since it is written first.
pub fn bare(headers: &HeaderMap) -> HeaderMap {
    let host = headers.iter().filter(|(name, _)| *name == b":authority");
    let rest = headers.iter().filter(|(name, _)| *name != b":authority");
    let mut headers = HeaderMap::new();
    host.chain(rest).for_each(|(name, value)| headers.append(name, value));
    headers.remove(b"transfer-encoding");
    headers.remove(b":scheme");
    headers.retain(|name, value| name != b"content-length" || value != b"0");
    headers
}
