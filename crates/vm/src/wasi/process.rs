//! Arguments, environment, clocks, random bytes, waiting, and the end.

use super::errno::{Answer, Errno, errno};
use crate::HostCalls;
use crate::guest::{Guest, Stop};
use crate::marshal::{bytes_mut, check, put, put_u32, put_u64};

/// The most random bytes in one call; more is an error, as in Envoy.
const MAX_RANDOM: u32 = 64 << 10;

const REALTIME: u32 = 0;
const MONOTONIC: u32 = 1;

/// There are none, so there is nothing to write.
pub(crate) fn args_get<G: Guest>(_: &mut G, _argv: u32, _argv_buf: u32) -> Answer<G> {
    Ok(Errno::Success.code())
}

pub(crate) fn args_sizes_get<G: Guest>(guest: &mut G, ret_argc: u32, ret_size: u32) -> Answer<G> {
    let (memory, _) = guest.split();
    Ok(errno(put_sizes(memory, ret_argc, ret_size, 0, 0)))
}

pub(crate) fn environ_sizes_get<G: Guest>(guest: &mut G, ret_count: u32, ret_size: u32) -> Answer<G> {
    let (memory, state) = guest.split();
    let (mut count, mut size) = (0_u32, 0_u32);
    state.host.for_each_environment_variable(&mut |name, value| {
        count = count.saturating_add(1);
        // `=` and NUL.
        let length = name.len().saturating_add(value.len()).saturating_add(2);
        size = size.saturating_add(u32::try_from(length).unwrap_or(u32::MAX));
    });
    Ok(errno(put_sizes(memory, ret_count, ret_size, count, size)))
}

pub(crate) fn environ_get<G: Guest>(guest: &mut G, environ: u32, environ_buf: u32) -> Answer<G> {
    let (memory, state) = guest.split();
    let (mut entry, mut text) = (environ, environ_buf);
    let mut result = Ok(());
    state.host.for_each_environment_variable(&mut |name, value| {
        if result.is_ok() {
            result = put_variable(memory, &mut entry, &mut text, name, value);
        }
    });
    Ok(errno(result))
}

pub(crate) fn clock_res_get<G: Guest>(guest: &mut G, id: u32, ret_resolution: u32) -> Answer<G> {
    let (memory, _) = guest.split();
    Ok(errno(match id {
        REALTIME | MONOTONIC => put_u64(memory, ret_resolution, 1).map_err(Errno::from),
        _ => Err(Errno::NotSupported),
    }))
}

pub(crate) fn clock_time_get<G: Guest>(guest: &mut G, id: u32, _precision: u64, ret_time: u32) -> Answer<G> {
    let (memory, state) = guest.split();
    let now = match id {
        REALTIME => state.host.realtime_ns(),
        MONOTONIC => state.host.monotonic_ns(),
        _ => return Ok(Errno::NotSupported.code()),
    };
    Ok(errno(put_u64(memory, ret_time, now).map_err(Errno::from)))
}

pub(crate) fn random_get<G: Guest>(guest: &mut G, buf: u32, buf_len: u32) -> Answer<G> {
    let (memory, state) = guest.split();
    Ok(errno(match (buf_len, bytes_mut(memory, buf, buf_len)) {
        (MAX_RANDOM.., _) if buf_len > MAX_RANDOM => Err(Errno::Invalid),
        (0, _) => Ok(()),
        (_, Err(_)) => Err(Errno::Fault),
        (_, Ok(bytes)) => state.host.random(bytes).then_some(()).ok_or(Errno::Io),
    }))
}

pub(crate) fn sched_yield<G: Guest>(_: &mut G) -> Answer<G> {
    Ok(Errno::Success.code())
}

/// Nothing ever happens and no time passes. Go needs the success and looks at the clock itself.
pub(crate) fn poll_oneoff<G: Guest>(
    guest: &mut G,
    _subscriptions: u32,
    _events: u32,
    _count: u32,
    ret_count: u32,
) -> Answer<G> {
    let (memory, _) = guest.split();
    Ok(errno(put_u32(memory, ret_count, 0).map_err(Errno::from)))
}

/// Ends the guest call. Envoy lets the guest go on, which none of the toolchains expects.
pub(crate) fn proc_exit<G: Guest>(_: &mut G, code: u32) -> Result<(), G::Error> {
    Err(Stop::Exit(code).into())
}

/// Envoy lacks this function.
pub(crate) fn proc_raise<G: Guest>(_: &mut G, _signal: u32) -> Answer<G> {
    Ok(Errno::NoSys.code())
}

fn put_sizes(memory: &mut [u8], ret_count: u32, ret_size: u32, count: u32, size: u32) -> Result<(), Errno> {
    check::<4>(memory, ret_size)?;
    put_u32(memory, ret_count, count)?;
    Ok(put_u32(memory, ret_size, size)?)
}

fn put_variable(memory: &mut [u8], entry: &mut u32, text: &mut u32, name: &str, value: &str) -> Result<(), Errno> {
    put_u32(memory, *entry, *text)?;
    *entry = entry.checked_add(4).ok_or(Errno::Fault)?;
    for part in [name.as_bytes(), b"=", value.as_bytes()] {
        let length = u32::try_from(part.len()).map_err(|_| Errno::Fault)?;
        bytes_mut(memory, *text, length)?.copy_from_slice(part);
        *text = text.checked_add(length).ok_or(Errno::Fault)?;
    }
    put(memory, *text, [0])?;
    *text = text.checked_add(1).ok_or(Errno::Fault)?;
    Ok(())
}
