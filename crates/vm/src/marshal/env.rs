//! Functions of module `env` that toolchains want and the ABI does not name.

use sandgate_abi::LogLevel;

use super::bytes;
use crate::HostCalls;
use crate::guest::{Guest, Stop};

/// The longest part of an AssemblyScript abort message that is shown, in bytes of UTF-16.
const MAX_ABORT_TEXT: u32 = 4096;

/// Emscripten tells when it has grown its memory; the memory is looked at afresh in every hostcall anyway.
pub(crate) fn emscripten_notify_memory_growth<G: Guest>(_: &mut G, _memory: u32) -> Result<(), G::Error> {
    Ok(())
}

pub(crate) fn pthread_equal<G: Guest>(_: &mut G, left: u32, right: u32) -> Result<u32, G::Error> {
    Ok(u32::from(left == right))
}

/// AssemblyScript's `abort`: says why, and ends the call.
pub(crate) fn abort<G: Guest>(guest: &mut G, message: u32, file: u32, line: u32, column: u32) -> Result<(), G::Error> {
    let (memory, state) = guest.split();
    let message = assembly_script_string(memory, message);
    let file = assembly_script_string(memory, file);
    let text = format!("{message} at {file}:{line}:{column}");
    // The call ends in any case; whether the line could be written changes nothing.
    let _ = state.host.log(LogLevel::Error, format!("abort: {text}").as_bytes());
    Err(Stop::Abort(text).into())
}

/// UTF-16 with its length in bytes in the word before it.
fn assembly_script_string(memory: &[u8], pointer: u32) -> String {
    let length = pointer.checked_sub(4).and_then(|header| bytes(memory, header, 4).ok()?.first_chunk());
    let length = length.map_or(0, |length| u32::from_le_bytes(*length)).min(MAX_ABORT_TEXT);
    let text = bytes(memory, pointer, length).unwrap_or_default();
    let units = text.chunks_exact(2).filter_map(|unit| unit.first_chunk()).map(|unit| u16::from_le_bytes(*unit));
    char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}
