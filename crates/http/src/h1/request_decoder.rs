//! The server side: bytes of a connection to requests.

use bytes::{Buf, BytesMut};

use super::body::{BodyDecoder, BodyEvent, BodyLimits};
use super::chars::has_control;
use super::error::DecodeError;
use super::event::{Event, RequestHead};
use super::options::RequestOptions;
use super::request_head::read_head;
use super::request_line::RequestLine;
use super::scan::{HeadScanner, Scan};
use crate::HeaderMapKind;

/// Reads the requests of one connection, one after the other.
#[derive(Debug)]
pub struct RequestDecoder {
    options: RequestOptions,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Before the first byte of a request.
    Start,
    Head(HeadScanner, Option<RequestLine>),
    Body(BodyDecoder),
    Failed(DecodeError),
}

impl RequestDecoder {
    /// A decoder for a new connection.
    #[must_use]
    pub fn new(options: RequestOptions) -> Self {
        Self { options, state: State::Start }
    }

    /// The next event, or `None` if it needs more bytes than `input` has. Consumed bytes leave `input`; those of an unfinished head or
    /// trailer block stay in it, and are not looked at again.
    ///
    /// After the end of a message the next call starts the next one: do not call before its response is done.
    ///
    /// # Errors
    /// See [`DecodeError`]; the decoder gives the same error from then on.
    pub fn decode(&mut self, input: &mut BytesMut) -> Result<Option<Event<RequestHead>>, DecodeError> {
        let result = self.step(input);
        if let Err(error) = &result {
            self.state = State::Failed(*error);
        }
        result
    }

    /// Whether a message has begun (its first byte, empty lines before it not counted) and not ended.
    #[must_use]
    pub fn in_message(&self) -> bool {
        matches!(self.state, State::Head(..) | State::Body(_))
    }

    /// Whether the next bytes are the HTTP/2 connection preface (or its beginning, if all of `input` is).
    /// Ask before the first `decode` of a connection.
    #[must_use]
    pub fn is_http2_preface(input: &[u8]) -> bool {
        const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        !input.is_empty() && (input.starts_with(PREFACE) || PREFACE.starts_with(input))
    }

    fn step(&mut self, input: &mut BytesMut) -> Result<Option<Event<RequestHead>>, DecodeError> {
        loop {
            match &mut self.state {
                State::Failed(error) => return Err(*error),
                State::Start => {
                    let skip = input.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
                    input.advance(skip);
                    let Some(first) = input.first() else { return Ok(None) };
                    if *first <= b' ' {
                        return Err(DecodeError::CODEC);
                    }
                    self.state = State::Head(HeadScanner::default(), None);
                }
                State::Head(scanner, line) => match scanner.scan(input, self.options.max_head_bytes) {
                    Scan::More => return Ok(None),
                    Scan::TooLarge => return Err(DecodeError::TOO_LARGE),
                    Scan::FirstLine(len) => {
                        *line = Some(RequestLine::parse(input.get(..len - 1).unwrap_or_default())?);
                    }
                    Scan::Complete(len) => {
                        let (Some(line), lines) = (line.take(), scanner.lines()) else {
                            return Err(DecodeError::CODEC);
                        };
                        let bytes = input.get(..len).unwrap_or_default();
                        if has_control(bytes) {
                            return Err(DecodeError::CONTROL);
                        }
                        let (head, body) = read_head(bytes, &line, lines, &self.options)?;
                        input.advance(len);
                        self.state = body.map_or(State::Start, State::Body);
                        return Ok(Some(Event::Head(head)));
                    }
                },
                State::Body(body) => {
                    let limits = BodyLimits {
                        max_trailer_bytes: self.options.max_head_bytes,
                        max_trailers: self.options.max_headers,
                        keep_trailers: self.options.enable_trailers,
                        trailers: HeaderMapKind::Plain,
                    };
                    let Some(event) = body.decode(input, &limits)? else { return Ok(None) };
                    if !matches!(event, BodyEvent::Data(_)) {
                        self.state = State::Start;
                    }
                    return Ok(Some(event.into()));
                }
            }
        }
    }
}
