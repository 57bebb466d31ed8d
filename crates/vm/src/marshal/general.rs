//! Log, clock, timer, properties, contexts, foreign functions.

use sandgate_abi::{LogLevel, Status};

use super::{Outcome, bytes, check, deliver, put_u32, put_u64, returning};
use crate::HostCalls;
use crate::guest::Guest;

pub(crate) fn proxy_log<G: Guest>(guest: &mut G, level: u32, message: u32, message_len: u32) -> Outcome<G> {
    let level = LogLevel::from_u32(level).ok_or(Status::BadArgument)?;
    let (memory, state) = guest.split();
    Ok(state.host.log(level, bytes(memory, message, message_len)?)?)
}

pub(crate) fn proxy_get_log_level<G: Guest>(guest: &mut G, ret_level: u32) -> Outcome<G> {
    let (memory, state) = guest.split();
    Ok(put_u32(memory, ret_level, state.host.get_log_level()?)?)
}

pub(crate) fn proxy_get_current_time_nanoseconds<G: Guest>(guest: &mut G, ret_time: u32) -> Outcome<G> {
    let (memory, state) = guest.split();
    Ok(put_u64(memory, ret_time, state.host.get_current_time_nanoseconds())?)
}

pub(crate) fn proxy_set_tick_period_milliseconds<G: Guest>(guest: &mut G, period: u32) -> Outcome<G> {
    Ok(guest.state().host.set_tick_period_milliseconds(period)?)
}

pub(crate) fn proxy_get_configuration<G: Guest>(guest: &mut G, ret_ptr: u32, ret_len: u32) -> Outcome<G> {
    returning(guest, ret_ptr, ret_len, |_, host, out| host.get_configuration(out))
}

pub(crate) fn proxy_get_property<G: Guest>(
    guest: &mut G,
    path: u32,
    path_len: u32,
    ret_ptr: u32,
    ret_len: u32,
) -> Outcome<G> {
    returning(guest, ret_ptr, ret_len, |memory, host, out| host.get_property(bytes(memory, path, path_len)?, out))
}

pub(crate) fn proxy_set_property<G: Guest>(
    guest: &mut G,
    path: u32,
    path_len: u32,
    value: u32,
    value_len: u32,
) -> Outcome<G> {
    let (memory, state) = guest.split();
    let path = bytes(memory, path, path_len)?;
    Ok(state.host.set_property(path, bytes(memory, value, value_len)?)?)
}

pub(crate) fn proxy_set_effective_context<G: Guest>(guest: &mut G, context: u32) -> Outcome<G> {
    Ok(guest.state().host.set_effective_context(context)?)
}

pub(crate) fn proxy_done<G: Guest>(guest: &mut G) -> Outcome<G> {
    Ok(guest.state().host.done()?)
}

/// Either result pointer may be 0: that part is not wanted.
///
/// A failing function's value is written too, and its status returned as it is; where there is no such function nothing is
/// written (observed in Envoy 1.40).
pub(crate) fn proxy_call_foreign_function<G: Guest>(
    guest: &mut G,
    name: u32,
    name_len: u32,
    arguments: u32,
    arguments_len: u32,
    ret_ptr: u32,
    ret_len: u32,
) -> Outcome<G> {
    let (ret_ptr, ret_len) = (wanted(ret_ptr), wanted(ret_len));
    let (memory, state) = guest.split();
    let name = bytes(memory, name, name_len)?;
    let arguments = bytes(memory, arguments, arguments_len)?;
    state.output.clear();
    let result = state.host.call_foreign_function(name, arguments, &mut state.output);
    if result != Err(Status::NotFound) || state.host.has_foreign_function(name) {
        deliver(guest, ret_ptr, ret_len)?;
    }
    Ok(result?)
}

pub(crate) fn envoy_resolve_dns<G: Guest>(guest: &mut G, address: u32, address_len: u32, ret_token: u32) -> Outcome<G> {
    let (memory, state) = guest.split();
    let address = bytes(memory, address, address_len)?;
    check::<4>(memory, ret_token)?;
    let token = state.host.resolve_dns(address)?;
    Ok(put_u32(memory, ret_token, token)?)
}

fn wanted(pointer: u32) -> Option<u32> {
    (pointer != 0).then_some(pointer)
}
