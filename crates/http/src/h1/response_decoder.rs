//! The client side: bytes of a connection to responses.

use bytes::{Buf, BytesMut};

use super::body::{BodyDecoder, BodyEvent, BodyLimits};
use super::chars::has_control;
use super::error::DecodeError;
use super::event::{Event, ResponseHead};
use super::options::ResponseOptions;
use super::response_head::{Expected, read_head};
use super::scan::{HeadScanner, Scan};
use super::status_line::StatusLine;
use crate::HeaderMapKind;

/// How every response begins. Anything else is refused at once, without a line to wait for.
const PREFIX: &[u8] = b"HTTP/";

/// Reads the responses of one connection, one after the other.
#[derive(Debug)]
pub struct ResponseDecoder {
    options: ResponseOptions,
    state: State,
}

#[derive(Debug)]
enum State {
    /// No request waits for a response.
    Idle,
    Head(Expected, HeadScanner, Option<StatusLine>),
    Body(BodyDecoder),
    /// The head was all; its end is yet to be reported.
    Empty,
    Failed(DecodeError),
}

impl ResponseDecoder {
    /// A decoder for a new connection.
    #[must_use]
    pub fn new(options: ResponseOptions) -> Self {
        Self { options, state: State::Idle }
    }

    /// Tells of the request whose response comes next: its method, and whether it asked for another protocol. To be called before
    /// the first byte of the response can come, and not before the response before it has ended.
    pub fn expect_response(&mut self, method: &[u8], upgrade: bool) {
        if matches!(self.state, State::Idle) {
            self.state = State::Head(Expected::new(method, upgrade), HeadScanner::default(), None);
        }
    }

    /// The next event, or `None` if it needs more bytes than `input` has. Consumed bytes leave `input`.
    ///
    /// # Errors
    /// See [`DecodeError`], also for bytes that no request asked for; the decoder gives the same error from then on.
    pub fn decode(&mut self, input: &mut BytesMut) -> Result<Option<Event<ResponseHead>>, DecodeError> {
        let result = self.step(input);
        if let Err(error) = &result {
            self.state = State::Failed(*error);
        }
        result
    }

    /// The peer has closed and `input` was decoded to its end: `End` for a body that runs until close, `None` where no response or
    /// nothing of the next one had come.
    ///
    /// # Errors
    /// A message was cut off.
    pub fn finish(&mut self) -> Result<Option<Event<ResponseHead>>, DecodeError> {
        match &self.state {
            State::Idle => Ok(None),
            State::Head(_, scanner, _) if scanner.scanned() == 0 => Ok(None),
            State::Body(BodyDecoder::UntilClose) | State::Empty => {
                self.state = State::Idle;
                Ok(Some(Event::End))
            }
            State::Failed(error) => Err(*error),
            State::Head(..) | State::Body(_) => {
                self.state = State::Failed(DecodeError::CODEC);
                Err(DecodeError::CODEC)
            }
        }
    }

    /// Whether no response is expected, so that the connection may take another request.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    fn step(&mut self, input: &mut BytesMut) -> Result<Option<Event<ResponseHead>>, DecodeError> {
        loop {
            match &mut self.state {
                State::Failed(error) => return Err(*error),
                State::Idle if input.is_empty() => return Ok(None),
                State::Idle => return Err(DecodeError::CODEC),
                State::Empty => {
                    self.state = State::Idle;
                    return Ok(Some(Event::End));
                }
                State::Head(expected, scanner, line) => {
                    if input.is_empty() {
                        return Ok(None);
                    }
                    let starts_well = || PREFIX.iter().zip(input.iter()).all(|(want, have)| want == have);
                    if scanner.scanned() < PREFIX.len() && !starts_well() {
                        return Err(DecodeError::CODEC);
                    }
                    match scanner.scan(input, self.options.max_head_bytes) {
                        Scan::More => return Ok(None),
                        Scan::TooLarge => return Err(DecodeError::TOO_LARGE),
                        Scan::FirstLine(len) => {
                            *line = Some(StatusLine::parse(input.get(..len - 1).unwrap_or_default())?);
                        }
                        Scan::Complete(len) => {
                            let Some(line) = line.take() else { return Err(DecodeError::CODEC) };
                            let bytes = input.get(..len).unwrap_or_default();
                            if has_control(bytes) {
                                return Err(DecodeError::CONTROL);
                            }
                            let (head, body) = read_head(bytes, line, scanner.lines(), *expected, &self.options)?;
                            input.advance(len);
                            self.state = match body {
                                _ if head.is_informational() => State::Head(*expected, HeadScanner::default(), None),
                                Some(body) => State::Body(body),
                                None if head.end_stream => State::Idle,
                                None => State::Empty,
                            };
                            return Ok(Some(Event::Head(head)));
                        }
                    }
                }
                State::Body(body) => {
                    let limits = BodyLimits {
                        max_trailer_bytes: self.options.max_head_bytes,
                        max_trailers: self.options.max_headers,
                        keep_trailers: self.options.enable_trailers,
                        trailers: HeaderMapKind::ResponseTrailers,
                    };
                    let Some(event) = body.decode(input, &limits)? else { return Ok(None) };
                    if !matches!(event, BodyEvent::Data(_)) {
                        self.state = State::Idle;
                    }
                    return Ok(Some(event.into()));
                }
            }
        }
    }
}
