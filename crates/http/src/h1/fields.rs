//! Header lines to a header map, as lenient as Envoy is: bare line feeds, folded lines, stray carriage returns.

use memchr::{memchr, memchr_iter};

use super::chars::{lower_name_byte, trim};
use super::error::DecodeError;
use crate::HeaderMap;

/// What the map alone does not tell, or would have to be searched for.
#[derive(Debug, Default)]
pub(super) struct FieldNotes {
    /// Lines named `content-length`.
    pub(super) content_lengths: usize,
    /// There is a header that says something about connection or framing: `connection`, `proxy-connection`, `upgrade`, `te`,
    /// `transfer-encoding` or `expect`. Without one, nobody need look for them.
    pub(super) steers: bool,
    /// Bytes of names and values.
    bytes: u64,
    lines: u64,
}

impl FieldNotes {
    /// What Envoy's `BytesMeter` counts for the lines (observed in 1.40): names, values, and three bytes for each line, or for none.
    pub(super) fn header_bytes(&self) -> u64 {
        self.bytes + 3 * self.lines.max(1)
    }

    /// Notes a name; whether it decides on framing.
    fn note(&mut self, name: &[u8]) -> bool {
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        let framing = match name.len() {
            14 if is(b"content-length") => {
                self.content_lengths += 1;
                return true;
            }
            17 => is(b"transfer-encoding"),
            _ => false,
        };
        self.steers |= framing
            || match name.len() {
                2 => is(b"te"),
                6 => is(b"expect"),
                7 => is(b"upgrade"),
                10 => is(b"connection"),
                16 => is(b"proxy-connection"),
                _ => false,
            };
        framing
    }
}

/// Reads the lines of `block` (which ends with the empty line) into `map`.
pub(super) fn read_fields(block: &[u8], max: usize, map: &mut HeaderMap) -> Result<FieldNotes, DecodeError> {
    let mut notes = FieldNotes::default();
    let strays = memchr_iter(b'\r', block).any(|at| block.get(at + 1) != Some(&b'\n'));
    let mut count = 0;
    let mut rest = block;
    while let Some(feed) = memchr(b'\n', rest) {
        let (line, after) = (rest.get(..feed).unwrap_or_default(), rest.get(feed + 1..).unwrap_or_default());
        if matches!(line, [] | [b'\r']) {
            break;
        }
        count += 1;
        if count > max {
            return Err(DecodeError::TOO_MANY_HEADERS);
        }
        // A line that begins with white space where there is none to continue has no name, too.
        let colon = name_len(line).filter(|len| line.get(*len) == Some(&b':')).ok_or(DecodeError::CODEC)?;
        let (name, value) = (line.get(..colon).unwrap_or_default(), line.get(colon + 1..).unwrap_or_default());
        let is_framing = notes.note(name);
        notes.lines += 1;
        let lowered = name.iter().map(|byte| lower_name_byte(*byte));

        let folded = folded_len(after);
        let fits = if folded == 0 && !(strays && has_inner_return(value)) {
            let value = trim(value);
            notes.bytes += (name.len() + value.len()) as u64;
            map.add_lowered(lowered, value)
        } else {
            let whole = rest.get(colon + 1..feed + 1 + folded).unwrap_or_default();
            if is_framing && has_stray_return(whole) {
                return Err(DecodeError::CODEC);
            }
            let value = unfold(whole);
            notes.bytes += (name.len() + value.len()) as u64;
            map.add_lowered(lowered, &value)
        };
        if !fits {
            return Err(DecodeError::TOO_LARGE);
        }
        rest = after.get(folded..).unwrap_or_default();
    }
    Ok(notes)
}

/// How many bytes at the start of a line can be a name; `None` if there is none or nothing else.
fn name_len(line: &[u8]) -> Option<usize> {
    line.iter().position(|byte| lower_name_byte(*byte) == 0).filter(|len| *len > 0)
}

/// How many bytes of `after` are lines that continue the one before.
fn folded_len(after: &[u8]) -> usize {
    let mut len = 0;
    while let Some([b' ' | b'\t', ..]) = after.get(len..) {
        let Some(feed) = after.get(len..).and_then(|rest| memchr(b'\n', rest)) else { break };
        len += feed + 1;
    }
    len
}

/// Whether a line has a carriage return before its end.
fn has_inner_return(line: &[u8]) -> bool {
    memchr(b'\r', line).is_some_and(|at| at + 1 != line.len())
}

/// Whether a carriage return stands before anything but a line feed.
fn has_stray_return(lines: &[u8]) -> bool {
    lines.windows(2).any(|pair| matches!(pair, [b'\r', next] if *next != b'\n'))
}

/// The value without its line ends, as Envoy joins it: nothing is put in their place.
fn unfold(lines: &[u8]) -> Vec<u8> {
    let joined: Vec<u8> = lines.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    trim(&joined).to_vec()
}
