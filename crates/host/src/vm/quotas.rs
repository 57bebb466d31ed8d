//! Limits on what a guest does, beside those that a hostcall answers for.

use sandgate_abi::CallbackKind;
use sandgate_vm::{Fault, FaultKind, Grown};

use super::context::Context;
use super::state::VmState;
use crate::limits::Limit;

impl VmState {
    /// CPU time that the callbacks of a stream may take together, in nanoseconds, if it is bounded and this one counts. Those that end a
    /// stream always come, so that the guest can forget it.
    pub(crate) fn stream_cpu_ns(&self, kind: CallbackKind) -> Option<u64> {
        let most = self.limits.stream_cpu?;
        let ends = matches!(kind, CallbackKind::Done | CallbackKind::Log | CallbackKind::Delete);
        (!ends).then(|| u64::try_from(most.as_nanos()).unwrap_or(u64::MAX - 1))
    }

    /// A callback is not made, since those before it took all the time that the stream has.
    #[cold]
    pub(crate) fn stream_cpu_spent(&self, context: &Context, kind: CallbackKind) {
        if context.cpu_ns.replace(u64::MAX) != u64::MAX {
            self.callback.set(Some(kind));
            self.breach_in(Limit::StreamCpu, Some(context));
        }
    }

    /// Counts a call that was stopped for its CPU time; the fault itself is told by whoever finds it.
    pub(crate) fn count_fault(&self, fault: &Fault) {
        if let FaultKind::CpuLimit { limit } = fault.kind {
            let is_start = fault.callback.is_none() || limit != self.base.config.limits.callback_cpu;
            self.host.breaches().count(if is_start { Limit::StartCpu } else { Limit::CallbackCpu });
        }
    }

    /// The guest wanted more memory or longer tables than it may have.
    pub(crate) fn refused_to_grow(&self, what: Grown) {
        let limit = match what {
            Grown::Memory => Limit::Memory,
            Grown::Tables => Limit::Tables,
        };
        self.breach_in(limit, self.current.borrow().as_deref());
    }
}
