//! Bodies, by the framing of their message.

use bytes::{Bytes, BytesMut};

use super::chunked::{ChunkDecoder, ChunkEvent};
use super::error::DecodeError;
use super::event::Event;
use crate::{HeaderMap, HeaderMapKind};

/// What a body's bytes amount to.
#[derive(Debug)]
pub(super) enum BodyEvent {
    Data(Bytes),
    Trailers(HeaderMap),
    End,
}

impl<H> From<BodyEvent> for Event<H> {
    fn from(event: BodyEvent) -> Self {
        match event {
            BodyEvent::Data(data) => Self::Data(data),
            BodyEvent::Trailers(trailers) => Self::Trailers(trailers),
            BodyEvent::End => Self::End,
        }
    }
}

/// Reads the body of one message.
#[derive(Debug)]
pub(super) enum BodyDecoder {
    /// So many bytes are to come.
    Length(u64),
    Chunked(ChunkDecoder),
    /// Everything until the peer closes.
    UntilClose,
}

/// What the decoder of the body may accept.
#[derive(Clone, Copy, Debug)]
pub(super) struct BodyLimits {
    pub(super) max_trailer_bytes: usize,
    pub(super) max_trailers: usize,
    pub(super) keep_trailers: bool,
    pub(super) trailers: HeaderMapKind,
}

impl BodyDecoder {
    /// The next event, `None` if it needs more bytes.
    pub(super) fn decode(
        &mut self,
        input: &mut BytesMut,
        limits: &BodyLimits,
    ) -> Result<Option<BodyEvent>, DecodeError> {
        match self {
            Self::Length(0) => Ok(Some(BodyEvent::End)),
            Self::Length(left) => Ok(take(input, left).map(BodyEvent::Data)),
            Self::UntilClose => {
                let mut all = u64::MAX;
                Ok(take(input, &mut all).map(BodyEvent::Data))
            }
            Self::Chunked(chunks) => Ok(chunks.decode(input, limits)?.map(|event| match event {
                ChunkEvent::Data(data) => BodyEvent::Data(data),
                ChunkEvent::End(trailers) if trailers.is_empty() => BodyEvent::End,
                ChunkEvent::End(trailers) => BodyEvent::Trailers(trailers),
            })),
        }
    }
}

/// Takes up to `left` bytes off `input`, without copying.
pub(super) fn take(input: &mut BytesMut, left: &mut u64) -> Option<Bytes> {
    let len = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
    *left -= len as u64;
    (len > 0).then(|| input.split_to(len).freeze())
}
