//! Header maps.

use sandgate_abi::{MapType, Status};

use super::{Outcome, bytes, put_u32, returning};
use crate::HostCalls;
use crate::guest::Guest;

pub(crate) fn proxy_get_header_map_size<G: Guest>(guest: &mut G, map: u32, ret_size: u32) -> Outcome<G> {
    let map = map_type(map)?;
    let (memory, state) = guest.split();
    let size = state.host.get_header_map_size(map)?;
    Ok(put_u32(memory, ret_size, size)?)
}

pub(crate) fn proxy_get_header_map_pairs<G: Guest>(guest: &mut G, map: u32, ret_ptr: u32, ret_len: u32) -> Outcome<G> {
    let map = map_type(map)?;
    returning(guest, ret_ptr, ret_len, |_, host, out| host.get_header_map_pairs(map, out))
}

pub(crate) fn proxy_set_header_map_pairs<G: Guest>(guest: &mut G, map: u32, pairs: u32, pairs_len: u32) -> Outcome<G> {
    let map = map_type(map)?;
    let (memory, state) = guest.split();
    Ok(state.host.set_header_map_pairs(map, bytes(memory, pairs, pairs_len)?)?)
}

pub(crate) fn proxy_get_header_map_value<G: Guest>(
    guest: &mut G,
    map: u32,
    key: u32,
    key_len: u32,
    ret_ptr: u32,
    ret_len: u32,
) -> Outcome<G> {
    let map = map_type(map)?;
    returning(guest, ret_ptr, ret_len, |memory, host, out| {
        host.get_header_map_value(map, bytes(memory, key, key_len)?, out)
    })
}

pub(crate) fn proxy_add_header_map_value<G: Guest>(
    guest: &mut G,
    map: u32,
    key: u32,
    key_len: u32,
    value: u32,
    value_len: u32,
) -> Outcome<G> {
    let map = map_type(map)?;
    let (memory, state) = guest.split();
    let key = bytes(memory, key, key_len)?;
    Ok(state.host.add_header_map_value(map, key, bytes(memory, value, value_len)?)?)
}

pub(crate) fn proxy_replace_header_map_value<G: Guest>(
    guest: &mut G,
    map: u32,
    key: u32,
    key_len: u32,
    value: u32,
    value_len: u32,
) -> Outcome<G> {
    let map = map_type(map)?;
    let (memory, state) = guest.split();
    let key = bytes(memory, key, key_len)?;
    Ok(state.host.replace_header_map_value(map, key, bytes(memory, value, value_len)?)?)
}

pub(crate) fn proxy_remove_header_map_value<G: Guest>(guest: &mut G, map: u32, key: u32, key_len: u32) -> Outcome<G> {
    let map = map_type(map)?;
    let (memory, state) = guest.split();
    Ok(state.host.remove_header_map_value(map, bytes(memory, key, key_len)?)?)
}

fn map_type(map: u32) -> Result<MapType, Status> {
    MapType::from_u32(map).ok_or(Status::BadArgument)
}
