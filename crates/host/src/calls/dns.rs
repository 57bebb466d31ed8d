//! Names that plugins ask for.

use sandgate_abi::Status;

use super::callouts::admit;
use crate::vm::state::VmState;

/// Looks a name up for the root of the acting context.
///
/// A name that cannot be one is told of in the callback, too, as is that there is no resolver.
pub(super) fn resolve(state: &VmState, name: &[u8]) -> Result<u32, Status> {
    let root = state.acting().ok_or(Status::BadArgument)?.root_of();
    let callouts = state.env.callouts().ok_or(Status::InternalFailure)?;
    admit(state)?;
    let token = state.callouts.dns.next();
    let vm = state.vm.borrow().clone();
    let done = Box::new(move |addresses: Option<Vec<_>>| {
        if let Some(vm) = vm.upgrade() {
            vm.dns_done(token, addresses.as_deref());
        }
    });
    let callout = callouts.resolve_dns(name, done);
    state.callouts.dns.insert(token, root, callout);
    Ok(token)
}
