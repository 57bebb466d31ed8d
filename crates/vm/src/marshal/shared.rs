//! Shared data and shared queues.

use super::{Outcome, bytes, check, put_u32, returning};
use crate::HostCalls;
use crate::guest::Guest;

pub(crate) fn proxy_get_shared_data<G: Guest>(
    guest: &mut G,
    key: u32,
    key_len: u32,
    ret_ptr: u32,
    ret_len: u32,
    ret_cas: u32,
) -> Outcome<G> {
    let cas = returning(guest, ret_ptr, ret_len, |memory, host, out| {
        host.get_shared_data(bytes(memory, key, key_len)?, out)
    })?;
    Ok(put_u32(guest.split().0, ret_cas, cas)?)
}

pub(crate) fn proxy_set_shared_data<G: Guest>(
    guest: &mut G,
    key: u32,
    key_len: u32,
    value: u32,
    value_len: u32,
    cas: u32,
) -> Outcome<G> {
    let (memory, state) = guest.split();
    let key = bytes(memory, key, key_len)?;
    Ok(state.host.set_shared_data(key, bytes(memory, value, value_len)?, cas)?)
}

pub(crate) fn proxy_register_shared_queue<G: Guest>(
    guest: &mut G,
    name: u32,
    name_len: u32,
    ret_queue: u32,
) -> Outcome<G> {
    let (memory, state) = guest.split();
    let name = bytes(memory, name, name_len)?;
    check::<4>(memory, ret_queue)?;
    let queue = state.host.register_shared_queue(name)?;
    Ok(put_u32(memory, ret_queue, queue)?)
}

pub(crate) fn proxy_resolve_shared_queue<G: Guest>(
    guest: &mut G,
    vm_id: u32,
    vm_id_len: u32,
    name: u32,
    name_len: u32,
    ret_queue: u32,
) -> Outcome<G> {
    let (memory, state) = guest.split();
    let vm_id = bytes(memory, vm_id, vm_id_len)?;
    let name = bytes(memory, name, name_len)?;
    let queue = state.host.resolve_shared_queue(vm_id, name)?;
    Ok(put_u32(memory, ret_queue, queue)?)
}

pub(crate) fn proxy_enqueue_shared_queue<G: Guest>(
    guest: &mut G,
    queue: u32,
    value: u32,
    value_len: u32,
) -> Outcome<G> {
    let (memory, state) = guest.split();
    Ok(state.host.enqueue_shared_queue(queue, bytes(memory, value, value_len)?)?)
}

pub(crate) fn proxy_dequeue_shared_queue<G: Guest>(
    guest: &mut G,
    queue: u32,
    ret_ptr: u32,
    ret_len: u32,
) -> Outcome<G> {
    let (memory, _) = guest.split();
    check::<4>(memory, ret_ptr)?;
    check::<4>(memory, ret_len)?;
    returning(guest, ret_ptr, ret_len, |_, host, out| host.dequeue_shared_queue(queue, out))
}
