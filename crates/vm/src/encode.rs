//! Parts of modules that are written anew.

use wasmparser::{BinaryReader, BinaryReaderError};

/// The contents of a section that is a vector, with more entries behind its own.
#[cfg(feature = "v8")]
pub(crate) fn appended(contents: &[u8], entries: &[Vec<u8>]) -> Result<Vec<u8>, BinaryReaderError> {
    joined(&[], contents, entries)
}

/// The same with more entries before its own.
#[cfg(feature = "wamr")]
pub(crate) fn prepended(entries: &[Vec<u8>], contents: &[u8]) -> Result<Vec<u8>, BinaryReaderError> {
    joined(entries, contents, &[])
}

fn joined(before: &[Vec<u8>], contents: &[u8], after: &[Vec<u8>]) -> Result<Vec<u8>, BinaryReaderError> {
    let mut reader = BinaryReader::new(contents, 0);
    let count = reader.read_var_u32()?;
    let mut out = Vec::with_capacity(contents.len() + 32);
    leb(&mut out, count.saturating_add(u32::try_from(before.len() + after.len()).unwrap_or(u32::MAX)));
    out.extend(before.iter().flatten());
    out.extend_from_slice(contents.get(reader.current_position()..).unwrap_or_default());
    out.extend(after.iter().flatten());
    Ok(out)
}

pub(crate) fn section(out: &mut Vec<u8>, id: u8, contents: &[u8]) {
    out.push(id);
    leb(out, u32::try_from(contents.len()).unwrap_or(u32::MAX));
    out.extend_from_slice(contents);
}

pub(crate) fn named(name: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len() + 1);
    leb(&mut out, u32::try_from(name.len()).unwrap_or(u32::MAX));
    out.extend_from_slice(name.as_bytes());
    out
}

/// Unsigned LEB128.
pub(crate) fn leb(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
