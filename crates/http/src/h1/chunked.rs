//! The chunked coding, read strictly: every line ends with CR LF, and nothing but that follows a chunk's data.

use bytes::{Buf, Bytes, BytesMut};

use super::body::{BodyLimits, take};
use super::chars::has_control;
use super::error::DecodeError;
use super::fields::read_fields;
use super::scan::{HeadScanner, Scan};
use crate::HeaderMap;

/// A piece of a chunked body.
#[derive(Debug)]
pub(super) enum ChunkEvent {
    Data(Bytes),
    /// The end, with trailers if there are any that are kept.
    End(HeaderMap),
}

/// Where in the coding the next byte stands.
#[derive(Debug)]
enum State {
    /// Before the first digit of a size.
    Start,
    Size(u64),
    /// White space and extensions, which are skipped.
    Extension(u64),
    /// After the CR of a size line.
    SizeFeed(u64),
    Data(u64),
    DataReturn,
    DataFeed,
    Trailers(HeadScanner),
    Done,
}

/// Reads a chunked body.
#[derive(Debug)]
pub(super) struct ChunkDecoder {
    state: State,
    /// Bytes of the current size line, which has the same limit as a head.
    line: usize,
}

impl ChunkDecoder {
    pub(super) fn new() -> Self {
        Self { state: State::Start, line: 0 }
    }

    /// The next event, `None` if it needs more bytes.
    pub(super) fn decode(
        &mut self,
        input: &mut BytesMut,
        limits: &BodyLimits,
    ) -> Result<Option<ChunkEvent>, DecodeError> {
        loop {
            match &mut self.state {
                State::Data(left) => {
                    let Some(data) = take(input, left) else { return Ok(None) };
                    if *left == 0 {
                        self.state = State::DataReturn;
                    }
                    return Ok(Some(ChunkEvent::Data(data)));
                }
                State::Trailers(scanner) => {
                    let Some(trailers) = read_trailers(scanner, input, limits)? else { return Ok(None) };
                    self.state = State::Done;
                    return Ok(Some(ChunkEvent::End(trailers)));
                }
                State::Done => return Ok(Some(ChunkEvent::End(HeaderMap::new()))),
                _ => {
                    let used = self.lines(input, limits.max_trailer_bytes)?;
                    input.advance(used);
                    if input.is_empty() && !matches!(self.state, State::Data(_) | State::Trailers(_)) {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Reads up to the next data or trailers, or to the end of `input`; how many bytes that took.
    fn lines(&mut self, input: &[u8], max_line: usize) -> Result<usize, DecodeError> {
        for (used, &byte) in input.iter().enumerate() {
            self.state = match (&self.state, byte) {
                (State::Start, _) => State::Size(add_digit(0, byte).ok_or(DecodeError::CODEC)?),
                (State::Size(size) | State::Extension(size), b'\r') => State::SizeFeed(*size),
                (State::Size(size), b' ' | b'\t' | b';') => State::Extension(*size),
                (State::Size(size), _) => State::Size(add_digit(*size, byte).ok_or(DecodeError::CODEC)?),
                (State::Extension(size), _) if byte != b'\n' => State::Extension(*size),
                (State::SizeFeed(0), b'\n') => State::Trailers(HeadScanner::without_first_line()),
                (State::SizeFeed(size), b'\n') => State::Data(*size),
                (State::DataReturn, b'\r') => State::DataFeed,
                (State::DataFeed, b'\n') => State::Start,
                (State::Data(_) | State::Trailers(_) | State::Done, _) => return Ok(used),
                _ => return Err(DecodeError::CODEC),
            };
            self.line = if matches!(self.state, State::Start) { 0 } else { self.line + 1 };
            if self.line > max_line {
                return Err(DecodeError::CODEC);
            }
            if matches!(self.state, State::Data(_) | State::Trailers(_)) {
                self.line = 0;
                return Ok(used + 1);
            }
        }
        Ok(input.len())
    }
}

fn add_digit(size: u64, digit: u8) -> Option<u64> {
    let digit = char::from(digit).to_digit(16)?;
    size.checked_mul(16)?.checked_add(u64::from(digit))
}

/// The trailers, once all are there; an empty map if they are not kept. They are checked in any case.
fn read_trailers(
    scanner: &mut HeadScanner,
    input: &mut BytesMut,
    limits: &BodyLimits,
) -> Result<Option<HeaderMap>, DecodeError> {
    let len = match scanner.scan(input, limits.max_trailer_bytes) {
        Scan::More | Scan::FirstLine(_) => return Ok(None),
        Scan::TooLarge => return Err(DecodeError::TOO_LARGE),
        Scan::Complete(len) => len,
    };
    let block = input.split_to(len);
    if has_control(&block) {
        return Err(DecodeError::CONTROL);
    }
    // The number is limited only where they are kept: observed.
    let max = if limits.keep_trailers { limits.max_trailers } else { usize::MAX };
    let mut trailers = HeaderMap::with_kind(limits.trailers);
    if matches!(&block[..], b"\r\n" | b"\n") {
        return Ok(Some(trailers));
    }
    read_fields(&block, max, &mut trailers)?;
    if !limits.keep_trailers {
        trailers.clear();
    }
    Ok(Some(trailers))
}
