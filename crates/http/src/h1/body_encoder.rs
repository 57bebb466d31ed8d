//! Bodies to bytes.

use bytes::Bytes;

use super::chars::{breaks_line, is_name};
use super::encode_error::EncodeError;
use super::encoder::{BodyFraming, write_field};
use super::number::write_hex;
use crate::{BodyBuffer, HeaderMap, WriteBuffer};

/// Writes the body that follows a head, and holds it to what the head said: a plugin that lies about a length must not make bytes of
/// one message pass for the next.
#[derive(Clone, Copy, Debug)]
pub struct BodyEncoder {
    framing: BodyFraming,
    trailers: bool,
}

impl BodyEncoder {
    pub(super) fn new(framing: BodyFraming, trailers: bool) -> Self {
        Self { framing, trailers }
    }

    /// Whether the body is written in chunks.
    #[must_use]
    pub fn is_chunked(&self) -> bool {
        self.framing == BodyFraming::Chunked
    }

    /// Whether nothing but the end of the connection marks the end of the body.
    #[must_use]
    pub fn is_until_close(&self) -> bool {
        self.framing == BodyFraming::Raw
    }

    /// Writes a piece of body; large pieces are not copied. What goes beyond the announced length, or follows a head that has no body,
    /// is dropped.
    pub fn data(&mut self, mut data: Bytes, out: &mut WriteBuffer) {
        match &mut self.framing {
            BodyFraming::Never => {}
            BodyFraming::Raw => out.push(data),
            BodyFraming::Length(left) => {
                data.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= data.len() as u64;
                out.push(data);
            }
            BodyFraming::Chunked if data.is_empty() => {}
            BodyFraming::Chunked => {
                let mut tail = out.tail();
                write_hex(data.len() as u64, &mut tail);
                tail.extend_from_slice(b"\r\n");
                drop(tail);
                out.push(data);
                out.extend_from_slice(b"\r\n");
            }
        }
    }

    /// Writes what came together as one chunk, as Envoy does.
    pub fn pieces(&mut self, mut data: BodyBuffer, out: &mut WriteBuffer) {
        if !self.is_chunked() || data.is_empty() {
            while let Some(piece) = data.pop() {
                self.data(piece, out);
            }
            return;
        }
        let mut tail = out.tail();
        write_hex(data.len() as u64, &mut tail);
        tail.extend_from_slice(b"\r\n");
        drop(tail);
        while let Some(piece) = data.pop() {
            out.push(piece);
        }
        out.extend_from_slice(b"\r\n");
    }

    /// Ends the body.
    pub fn end(&mut self, out: &mut WriteBuffer) {
        if self.is_chunked() {
            out.extend_from_slice(b"0\r\n\r\n");
            self.framing = BodyFraming::Never;
        }
    }

    /// Whether no announced byte is missing. If one is when the message is over, the connection cannot be used any further, and must
    /// close to tell the peer.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        matches!(self.framing, BodyFraming::Never | BodyFraming::Raw | BodyFraming::Length(0))
    }

    /// Ends the body with trailers, which are dropped where they cannot or may not be written.
    ///
    /// # Errors
    /// A name or value that must not reach the wire; nothing is written then.
    pub fn trailers(&mut self, trailers: &HeaderMap, out: &mut WriteBuffer) -> Result<(), EncodeError> {
        if !self.trailers || !self.is_chunked() {
            self.end(out);
            return Ok(());
        }
        let fields = || trailers.iter().filter(|(name, _)| !name.starts_with(b":"));
        for (name, value) in fields() {
            if !is_name(name) {
                return Err(EncodeError::InvalidName(String::from_utf8_lossy(name).into_owned()));
            }
            if breaks_line(value) {
                return Err(EncodeError::InvalidValue(String::from_utf8_lossy(name).into_owned()));
            }
        }
        let mut tail = out.tail();
        tail.extend_from_slice(b"0\r\n");
        fields().for_each(|(name, value)| write_field(name, value, &mut tail));
        tail.extend_from_slice(b"\r\n");
        self.framing = BodyFraming::Never;
        Ok(())
    }
}
