//! How long a body is: `Content-Length` and `Transfer-Encoding`, without leniency.

use super::error::DecodeError;
use super::fields::FieldNotes;
use crate::HeaderMap;

/// What the framing headers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// Neither header.
    Unsaid,
    /// `Content-Length`.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

impl Framing {
    /// Reads both headers. With `allow_both` a length beside chunks is removed instead of refused.
    pub(super) fn of(headers: &mut HeaderMap, notes: &FieldNotes, allow_both: bool) -> Result<Self, DecodeError> {
        let length = content_length(headers, notes)?;
        let Some(encoding) = notes.steers.then(|| headers.get(b"transfer-encoding")).flatten() else {
            return Ok(length.map_or(Self::Unsaid, Self::Length));
        };
        let chunked = encoding.eq_ignore_ascii_case(b"chunked");
        if length.is_some() {
            if !(allow_both && chunked) {
                return Err(DecodeError::LENGTH_AND_CHUNKED);
            }
            headers.remove(b"content-length");
        }
        if chunked { Ok(Self::Chunked) } else { Err(DecodeError::TRANSFER_ENCODING) }
    }
}

/// The value of the one `Content-Length`.
pub(super) fn content_length(headers: &HeaderMap, notes: &FieldNotes) -> Result<Option<u64>, DecodeError> {
    match notes.content_lengths {
        0 => Ok(None),
        1 => headers.get(b"content-length").and_then(parse_length).map(Some).ok_or(DecodeError::CODEC),
        _ => Err(DecodeError::CODEC),
    }
}

/// Digits only, up to 64 bits.
pub(super) fn parse_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0u64, |length, digit| {
        length.checked_mul(10)?.checked_add(u64::from(digit.is_ascii_digit().then(|| digit - b'0')?))
    })
}
