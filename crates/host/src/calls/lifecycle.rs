//! Contexts and timers.

use std::rc::Rc;

use sandgate_abi::Status;

use crate::vm::action::Action;
use crate::vm::state::VmState;

/// Sets the timer of the acting context's root; 0 stops it.
pub(super) fn set_tick_period(state: &VmState, period_ms: u32) -> Result<(), Status> {
    let root = state.acting().ok_or(Status::BadArgument)?.root_of();
    if state.is_for_stream {
        // The VM ends with its stream, and nobody would see what a tick does.
        return Err(Status::Unimplemented);
    }
    if let Some(root_state) = root.as_root() {
        root_state.tick_period_ms.set(period_ms);
    }
    if period_ms == 0 {
        state.timers.disarm(&root);
    } else {
        let vm = state.vm.borrow().clone();
        state.timers.arm(vm, &root, deadline(state.env.monotonic_ns(), period_ms));
    }
    state.env.timers_changed();
    Ok(())
}

/// `period_ms` after `now_ns`.
pub(crate) fn deadline(now_ns: u64, period_ms: u32) -> u64 {
    now_ns.saturating_add(u64::from(period_ms) * 1_000_000)
}

/// Chooses what the hostcalls of this callback act on; 0 is the callback's own context again.
pub(super) fn set_effective_context(state: &VmState, id: u32) -> Result<(), Status> {
    let context = if id == 0 { None } else { Some(state.context(id).ok_or(Status::BadArgument)?) };
    state.effective.replace(context);
    Ok(())
}

/// Ends the wait of a root context whose `proxy_on_done` answered false.
pub(super) fn done(state: &VmState) -> Result<(), Status> {
    let root = state.acting().ok_or(Status::NotFound)?.root_of();
    let pending = root.as_root().is_some_and(|root| root.pending_done.take());
    if !pending {
        return Err(Status::NotFound);
    }
    state.later(Action::DeleteRoot(Rc::clone(&root)));
    Ok(())
}
