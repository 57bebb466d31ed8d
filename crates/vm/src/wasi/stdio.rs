//! Standard output and standard error, which become log lines.

use sandgate_abi::Status;

use super::errno::{Answer, Errno, errno};
use crate::guest::{Guest, State};
use crate::marshal::{bytes, put, put_u32, put_u64};
use crate::{HostCalls, Stdio};

/// The most vectors and bytes that one call writes. A guest that has more is told how many bytes were
/// taken, as POSIX does, and writes again; so it cannot make the host join more than it could itself hold.
const MAX_VECTORS: usize = 1024;
const MAX_BYTES: usize = 1 << 20;

/// How much room a VM keeps for joining, in bytes.
const KEPT_CAPACITY: usize = 4 << 10;

pub(crate) fn fd_write<G: Guest>(guest: &mut G, fd: u32, iovs: u32, iovs_len: u32, ret_size: u32) -> Answer<G> {
    let (memory, state) = guest.split();
    Ok(errno(write(memory, state, fd, iovs, iovs_len, ret_size)))
}

pub(crate) fn fd_pwrite<G: Guest>(
    guest: &mut G,
    fd: u32,
    iovs: u32,
    iovs_len: u32,
    _offset: u64,
    ret_size: u32,
) -> Answer<G> {
    fd_write(guest, fd, iovs, iovs_len, ret_size)
}

/// Only the right to write, and no file type; a bad pointer is ignored, as in Envoy.
pub(crate) fn fd_fdstat_get<G: Guest>(guest: &mut G, fd: u32, ret_stat: u32) -> Answer<G> {
    const RIGHT_FD_WRITE: u64 = 1 << 6;
    if stdio(fd).is_none() {
        return Ok(Errno::BadFd.code());
    }
    let mut stat = [0; 24];
    if let Some(rights) = stat.get_mut(8..).and_then(<[u8]>::first_chunk_mut) {
        *rights = RIGHT_FD_WRITE.to_le_bytes();
    }
    let _ = put(guest.split().0, ret_stat, stat);
    Ok(Errno::Success.code())
}

pub(crate) fn fd_tell<G: Guest>(guest: &mut G, fd: u32, ret_offset: u32) -> Answer<G> {
    let (memory, _) = guest.split();
    Ok(errno(match stdio(fd) {
        Some(_) => put_u64(memory, ret_offset, 0).map_err(Errno::from),
        None => Err(Errno::BadFd),
    }))
}

pub(crate) fn fd_renumber<G: Guest>(_: &mut G, fd: u32, to: u32) -> Answer<G> {
    let both = stdio(fd).and(stdio(to));
    Ok(if both.is_some() { Errno::NotSupported } else { Errno::BadFd }.code())
}

/// Functions that succeed on standard output and error and do nothing.
macro_rules! stdio_only {
    ($($name:ident(fd $(, $param:ident: $ty:ty)*);)+) => {$(
        pub(crate) fn $name<G: Guest>(_: &mut G, fd: u32 $(, $param: $ty)*) -> Answer<G> {
            Ok(if stdio(fd).is_some() { Errno::Success } else { Errno::BadFd }.code())
        }
    )+};
}

stdio_only! {
    fd_allocate(fd, _offset: u64, _len: u64);
    fd_datasync(fd);
    fd_fdstat_set_rights(fd, _base: u64, _inheriting: u64);
    fd_filestat_set_size(fd, _size: u64);
    fd_filestat_set_times(fd, _atime: u64, _mtime: u64, _flags: u32);
    fd_sync(fd);
}

fn stdio(fd: u32) -> Option<Stdio> {
    match fd {
        1 => Some(Stdio::Out),
        2 => Some(Stdio::Err),
        _ => None,
    }
}

fn write<H: HostCalls>(
    memory: &mut [u8],
    state: &mut State<H>,
    fd: u32,
    iovs: u32,
    iovs_len: u32,
    ret_size: u32,
) -> Result<(), Errno> {
    let stream = stdio(fd).ok_or(Errno::BadFd)?;
    let table = bytes(memory, iovs, iovs_len.checked_mul(8).ok_or(Errno::Fault)?)?;

    let vectors = || table.chunks_exact(8).take(MAX_VECTORS).map(|vector| slice(memory, vector));
    let written = if iovs_len == 1 {
        let bytes = vectors().next().transpose()?.unwrap_or_default();
        let bytes = bytes.get(..MAX_BYTES).unwrap_or(bytes);
        write_line(&state.host, stream, bytes);
        bytes.len()
    } else {
        state.stdio.clear();
        for bytes in vectors() {
            let room = MAX_BYTES.saturating_sub(state.stdio.len());
            let bytes = bytes?;
            state.stdio.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        }
        write_line(&state.host, stream, &state.stdio);
        let written = state.stdio.len();
        state.stdio.clear();
        state.stdio.shrink_to(KEPT_CAPACITY);
        written
    };
    Ok(put_u32(memory, ret_size, u32::try_from(written).unwrap_or(u32::MAX))?)
}

fn slice<'a>(memory: &'a [u8], vector: &[u8]) -> Result<&'a [u8], Status> {
    let (pointer, rest) = vector.split_first_chunk().ok_or(Status::InvalidMemoryAccess)?;
    let length = rest.first_chunk().ok_or(Status::InvalidMemoryAccess)?;
    bytes(memory, u32::from_le_bytes(*pointer), u32::from_le_bytes(*length))
}

/// One call is one line: its last newline goes.
fn write_line<H: HostCalls>(host: &H, stream: Stdio, bytes: &[u8]) {
    if !bytes.is_empty() {
        host.write_stdio(stream, bytes.strip_suffix(b"\n").unwrap_or(bytes));
    }
}
