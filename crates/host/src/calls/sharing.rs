//! Shared data and queues.

use sandgate_abi::Status;
use sandgate_vm::Output;

use crate::limits::Limit;
use crate::shared::queue::Consumer;
use crate::vm::state::VmState;

pub(super) fn get_data(state: &VmState, key: &[u8], out: &mut Output) -> Result<u32, Status> {
    let (value, cas) = state.base.space.get(key).ok_or(Status::NotFound)?;
    out.push_segment(value);
    Ok(cas)
}

pub(super) fn set_data(state: &VmState, key: &[u8], value: &[u8], cas: u32) -> Result<(), Status> {
    let set = state.base.space.set(key, value, cas, &state.limits);
    set.map_err(|status| at_limit(state, status, Limit::SharedData))
}

/// Makes or finds a queue; the acting context's root is told of its elements from now on.
pub(super) fn register_queue(state: &VmState, name: &[u8]) -> Result<u32, Status> {
    let root = state.acting().ok_or(Status::BadArgument)?.root_of();
    let consumer = Consumer { mailbox: state.mailbox.clone(), vm: state.base.key, root: root.id };
    let registered = state.base.space.register_queue(name, consumer, &state.limits);
    registered.map_err(|status| at_limit(state, status, Limit::Queues))
}

pub(super) fn resolve_queue(state: &VmState, vm_id: &[u8], name: &[u8]) -> Result<u32, Status> {
    let found = if vm_id.is_empty() {
        state.base.space.resolve_queue(name)
    } else {
        state.host.spaces().find(vm_id).and_then(|space| space.resolve_queue(name))
    };
    found.ok_or(Status::NotFound)
}

pub(super) fn enqueue(state: &VmState, queue: u32, value: &[u8]) -> Result<(), Status> {
    let queue = state.host.spaces().queue(queue).ok_or(Status::NotFound)?;
    let pushed = queue.push(value, state.limits.queue_bytes);
    pushed.map_err(|status| at_limit(state, status, Limit::Queue))
}

pub(super) fn dequeue(state: &VmState, queue: u32, out: &mut Output) -> Result<(), Status> {
    let queue = state.host.spaces().queue(queue).ok_or(Status::NotFound)?;
    out.push_segment(queue.pop().ok_or(Status::Empty)?);
    Ok(())
}

/// `InternalFailure` means a limit there.
fn at_limit(state: &VmState, status: Status, limit: Limit) -> Status {
    if status == Status::InternalFailure { state.breach(limit) } else { status }
}
