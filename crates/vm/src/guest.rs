//! What marshalling needs of an engine: the guest's memory, its allocator, and the host's side of the VM.

use std::time::Duration;

use crate::{HostCalls, Output};

/// A guest in the middle of a hostcall.
///
/// Hostcalls are written once over this trait; each engine implements it for whatever its own hostcalls receive.
pub(crate) trait Guest {
    /// The host's side of the VM.
    type Host: HostCalls;
    /// What the engine's hostcalls return to end the running guest call.
    type Error: From<Stop>;

    /// The linear memory as it is now, and the state. The memory is empty if the guest has none.
    ///
    /// The borrow ends before any guest code runs, so a base address can never be stale.
    fn split(&mut self) -> (&mut [u8], &mut State<Self::Host>);

    /// The state alone, for hostcalls without pointers.
    fn state(&mut self) -> &mut State<Self::Host>;

    /// Calls the guest's allocator; 0 if it cannot be called yet. `size` is not 0.
    ///
    /// # Errors
    /// Whatever ends the allocator ends the outer guest call too.
    fn call_allocator(&mut self, size: u32) -> Result<u32, Self::Error>;
}

/// The host's side of one VM, and what is reused from call to call.
#[derive(Debug)]
pub(crate) struct State<H> {
    pub(crate) host: H,
    pub(crate) phase: Phase,
    /// The value of the hostcall that is running, from before the allocator runs until it is copied.
    pub(crate) output: Output,
    /// Room for joining the vectors of `fd_write`, which may run while `output` waits for the allocator.
    pub(crate) stdio: Vec<u8>,
}

/// Which guest code is running, which decides what it may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The start section (everything may be called, as in Envoy), a callback, or nothing.
    Running,
    /// `_initialize`, `main`, `__main_void` or `_start`.
    Start,
    /// The allocator, called from a hostcall.
    Allocator,
}

/// Whether a hostcall may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    Open,
    /// The hostcall answers `INTERNAL_FAILURE`.
    Refused,
}

/// Why the host ends a guest call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stop {
    #[error("proc_exit({0})")]
    Exit(u32),
    #[error("restricted_callback: {0}")]
    Restricted(&'static str),
    #[error("abort: {0}")]
    Abort(String),
    #[error("CPU time limit of {0:?} exceeded")]
    CpuLimit(Duration),
}

// === impl State ===

impl<H> State<H> {
    pub(crate) fn new(host: H) -> Self {
        Self { host, phase: Phase::Running, output: Output::default(), stdio: Vec::new() }
    }

    /// Whether the `proxy_*` function of this name may be called now.
    ///
    /// While start functions run, Envoy's V8 traps on all but `proxy_log`. In the allocator it traps too;
    /// here the guest gets a status, which is the kinder of two ways to say no.
    pub(crate) fn gate(&self, function: &'static str) -> Result<Gate, Stop> {
        match self.phase {
            Phase::Running => Ok(Gate::Open),
            Phase::Start | Phase::Allocator if function == "proxy_log" => Ok(Gate::Open),
            Phase::Start => Err(Stop::Restricted(function)),
            Phase::Allocator => Ok(Gate::Refused),
        }
    }
}
