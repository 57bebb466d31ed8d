//! What plugins do, for an operator to see.

/// A plugin, on all threads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginReport {
    /// Its name.
    pub name: String,
    /// Its root id.
    pub root_id: String,
    /// The VM's id.
    pub vm_id: String,
    /// Plugins with equal keys share a VM on each thread; hexadecimal.
    pub vm_key: String,
    /// The SHA-256 of the module's bytes, hexadecimal.
    pub module_sha256: String,
    /// How many bytes the module has.
    pub module_bytes: usize,
    /// The runtime as it is configured; may be empty.
    pub runtime: String,
    /// The engine that runs it.
    pub engine: &'static str,
    /// What happens to streams once the VM has failed, in Envoy's words.
    pub failure_policy: &'static str,
    /// Bytes that the linear memory of an instance may have.
    pub memory_limit_bytes: usize,
    /// By thread, in the order of their names.
    pub workers: Vec<WorkerReport>,
}

/// A plugin on one thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerReport {
    /// The thread.
    pub worker: String,
    /// `running`, or what becomes of streams.
    pub state: &'static str,
    /// Instances alive. Plugins that share a VM each count it.
    pub instances: u64,
    /// Instances made since the start.
    pub instances_created: u64,
    /// Linear memory as of the last callback; 0 if there is no instance.
    pub memory_bytes: u64,
    /// The most it ever was; linear memory of one instance never shrinks.
    pub memory_peak_bytes: u64,
    /// Kinds that were called, in the ABI's order.
    pub callbacks: Vec<CallbackReport>,
    /// Hostcalls that did not answer `OK`, by callback and function, while [`crate::Host::explains`] was true.
    pub failed_calls: Vec<FailedCallReport>,
    /// How often the guest trapped. Of plugins that share a VM the one whose callback ran counts it.
    pub traps: u64,
    /// The last of them.
    pub last_trap: Option<TrapReport>,
    /// Failed VMs that were made anew.
    pub reload_success: u64,
    /// Attempts at it that failed.
    pub reload_failure: u64,
    /// Streams that came before the next attempt was due.
    pub reload_backoff: u64,
}

/// Callbacks of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallbackReport {
    /// The export.
    pub name: &'static str,
    /// How often it was called.
    pub calls: u64,
    /// CPU time of all calls, nanoseconds: of the first as measured, of the others estimated from one in 64; hostcalls count.
    /// `None` without a clock.
    pub cpu_ns: Option<u64>,
}

/// Hostcalls of one function that failed with one answer in one kind of callback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedCallReport {
    /// The export that was running; empty in start functions.
    pub callback: &'static str,
    /// The import; empty for all that there was no room to tell apart.
    pub function: &'static str,
    /// Number and name, as `2 BadArgument`.
    pub answer: String,
    /// How often.
    pub count: u64,
    /// The last one with its arguments, and why it failed.
    pub last: String,
}

/// The end of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrapReport {
    /// As it was logged, without the backtrace.
    pub message: String,
    /// The guest's frames as they were logged, innermost first.
    pub backtrace: Vec<String>,
    /// When, in nanoseconds since the Unix epoch.
    pub at_ns: u64,
}
