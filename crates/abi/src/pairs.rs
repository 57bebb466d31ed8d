//! The byte form of header maps (spec section "Serialization").
//!
//! Little-endian: `u32` count; per pair `u32` name length and `u32` value length; per pair the name, NUL,
//! the value, NUL. Names repeat and keep their order; bytes need not be UTF-8 and may contain NUL.

use std::iter::FusedIterator;

/// The longest form that is read from a guest, in bytes, as in Envoy.
pub const MAX_ENCODED_LEN: usize = 1 << 20;
/// The most pairs that are read from a guest, as in Envoy.
pub const MAX_PAIRS: usize = 1024;

const WORD: usize = size_of::<u32>();
const LENGTHS: usize = 2 * WORD;

/// Bytes that are not a serialized map.
///
/// Envoy then takes the map as empty and says nothing; what to do is the caller's choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the texts say it")]
pub enum Malformed {
    #[error("serialized map of {0} bytes is longer than {MAX_ENCODED_LEN}")]
    TooLong(usize),
    #[error("serialized map has {0} pairs, more than {MAX_PAIRS}")]
    TooManyPairs(u32),
    #[error("serialized map ends too early")]
    Truncated,
    #[error("serialized map lacks a NUL after a name or value")]
    MissingNul,
    #[error("serialized map has {0} bytes too many")]
    TrailingBytes(usize),
}

/// The pairs of a serialized map that has been checked as a whole.
#[derive(Clone, Debug)]
pub struct Pairs<'a> {
    lengths: &'a [u8],
    data: &'a [u8],
}

/// The length of what [`encode`] writes; 0 for no pairs.
pub fn encoded_len<'a>(pairs: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> usize {
    let (count, bytes) = pairs
        .filter(fits)
        .fold((0_usize, 0_usize), |(count, bytes), (name, value)| (count + 1, bytes + name.len() + value.len()));
    if count == 0 { 0 } else { WORD + count * (LENGTHS + 2) + bytes }
}

/// Appends the byte form of a map. No pairs are no bytes, which is the one empty form that every SDK reads.
///
/// A name or value of 4 GiB or more cannot be expressed; such a pair is left out.
pub fn encode<'a>(pairs: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone, out: &mut Vec<u8>) {
    let start = out.len();
    let mut count = 0_u32;
    out.extend_from_slice(&count.to_le_bytes());
    for (name, value) in pairs.clone().filter(fits) {
        count = count.saturating_add(1);
        out.extend_from_slice(&length(name).to_le_bytes());
        out.extend_from_slice(&length(value).to_le_bytes());
    }
    if count == 0 {
        out.truncate(start);
        return;
    }
    if let Some(place) = out.get_mut(start..).and_then(<[u8]>::first_chunk_mut) {
        *place = count.to_le_bytes();
    }
    for (name, value) in pairs.filter(fits) {
        out.extend_from_slice(name);
        out.push(0);
        out.extend_from_slice(value);
        out.push(0);
    }
}

/// Reads a map that a guest wrote. All of it is checked before the first pair is handed out.
///
/// The empty map may be no bytes, one NUL, or a count of 0.
///
/// # Errors
/// Anything else that is not exactly a map, or more than [`MAX_ENCODED_LEN`] or [`MAX_PAIRS`].
pub fn decode(bytes: &[u8]) -> Result<Pairs<'_>, Malformed> {
    if bytes.is_empty() || bytes == [0] {
        return Ok(Pairs { lengths: &[], data: &[] });
    }
    if bytes.len() > MAX_ENCODED_LEN {
        return Err(Malformed::TooLong(bytes.len()));
    }
    let (count, rest) = bytes.split_first_chunk().ok_or(Malformed::Truncated)?;
    let count = u32::from_le_bytes(*count);
    let pairs = usize::try_from(count).ok().filter(|pairs| *pairs <= MAX_PAIRS);
    let table = pairs.ok_or(Malformed::TooManyPairs(count))? * LENGTHS;
    let (lengths, data) = rest.split_at_checked(table).ok_or(Malformed::Truncated)?;

    let mut rest = data;
    for lengths in lengths.chunks_exact(LENGTHS) {
        let (_, after) = split_pair(lengths, rest)?;
        rest = after;
    }
    if rest.is_empty() { Ok(Pairs { lengths, data }) } else { Err(Malformed::TrailingBytes(rest.len())) }
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

fn fits((name, value): &(&[u8], &[u8])) -> bool {
    u32::try_from(name.len()).is_ok() && u32::try_from(value.len()).is_ok()
}

type Pair<'a> = (&'a [u8], &'a [u8]);

fn split_pair<'a>(lengths: &[u8], data: &'a [u8]) -> Result<(Pair<'a>, &'a [u8]), Malformed> {
    let (name_len, rest) = lengths.split_first_chunk().ok_or(Malformed::Truncated)?;
    let value_len = rest.first_chunk().ok_or(Malformed::Truncated)?;
    let (name, data) = split_terminated(data, *name_len)?;
    let (value, data) = split_terminated(data, *value_len)?;
    Ok(((name, value), data))
}

fn split_terminated(data: &[u8], length: [u8; WORD]) -> Result<(&[u8], &[u8]), Malformed> {
    let length = usize::try_from(u32::from_le_bytes(length)).map_err(|_| Malformed::Truncated)?;
    let (bytes, rest) = data.split_at_checked(length).ok_or(Malformed::Truncated)?;
    match rest.split_first() {
        Some((0, rest)) => Ok((bytes, rest)),
        Some(_) => Err(Malformed::MissingNul),
        None => Err(Malformed::Truncated),
    }
}

// === impl Pairs ===

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (lengths, rest) = self.lengths.split_at_checked(LENGTHS)?;
        let (pair, data) = split_pair(lengths, self.data).ok()?;
        self.lengths = rest;
        self.data = data;
        Some(pair)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.lengths.len() / LENGTHS;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Pairs<'_> {}
impl FusedIterator for Pairs<'_> {}

#[cfg(test)]
#[path = "pairs/tests.rs"]
mod tests;
