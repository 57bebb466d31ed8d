//! Byte buffers. Ranges are the host's business: guests send lengths such as `u32::MAX` and mean "all".

use sandgate_abi::{BufferType, Status};

use super::{Outcome, bytes, put_u32, returning};
use crate::HostCalls;
use crate::guest::Guest;

pub(crate) fn proxy_get_buffer_bytes<G: Guest>(
    guest: &mut G,
    buffer: u32,
    start: u32,
    max_size: u32,
    ret_ptr: u32,
    ret_len: u32,
) -> Outcome<G> {
    let buffer = BufferType::from_u32(buffer).ok_or(Status::BadArgument)?;
    returning(guest, ret_ptr, ret_len, |_, host, out| host.get_buffer_bytes(buffer, start, max_size, out))
}

pub(crate) fn proxy_get_buffer_status<G: Guest>(
    guest: &mut G,
    buffer: u32,
    ret_len: u32,
    ret_flags: u32,
) -> Outcome<G> {
    let buffer = BufferType::from_u32(buffer).ok_or(Status::BadArgument)?;
    let (memory, state) = guest.split();
    let (length, flags) = state.host.get_buffer_status(buffer)?;
    put_u32(memory, ret_len, length)?;
    Ok(put_u32(memory, ret_flags, flags)?)
}

pub(crate) fn proxy_set_buffer_bytes<G: Guest>(
    guest: &mut G,
    buffer: u32,
    start: u32,
    size: u32,
    value: u32,
    value_len: u32,
) -> Outcome<G> {
    let buffer = BufferType::from_u32(buffer).ok_or(Status::BadArgument)?;
    let (memory, state) = guest.split();
    let value = match bytes(memory, value, value_len) {
        Ok(value) => value,
        Err(outside) => {
            // Envoy looks for the buffer before it looks at the bytes.
            state.host.get_buffer_status(buffer)?;
            return Err(outside.into());
        }
    };
    Ok(state.host.set_buffer_bytes(buffer, start, size, value)?)
}
