//! What the host needs of the process it runs in.

use std::rc::Rc;
use std::task::Waker;

use bytes::Bytes;
use sandgate_abi::LogLevel;

use crate::Callouts;

/// The embedder's clock and timers, per worker.
///
/// Called also while a guest runs: nothing here may call back into the host.
pub trait Environment {
    /// Nanoseconds since the Unix epoch.
    fn realtime_ns(&self) -> u64;
    /// Nanoseconds of a clock that never goes back.
    fn monotonic_ns(&self) -> u64;
    /// The earliest deadline of this worker's VMs may have changed: ask for it again.
    fn timers_changed(&self);
    /// Lets any thread, this one too, say that [`crate::WorkerHost::drain`] has work. Asked once, when the worker's part
    /// of the host is made. Without one the work just waits for the next drain.
    fn remote_waker(&self) -> Option<Waker> {
        None
    }
    /// CPU time that this thread has taken, in nanoseconds. Without it the time that callbacks take is not known.
    fn thread_cpu_ns(&self) -> Option<u64> {
        None
    }
    /// What this thread is called where the host reports on plugins, such as `worker_0`.
    fn worker_name(&self) -> String {
        String::new()
    }
    /// Who sends requests of this thread's plugins. Without one, no plugin knows a cluster.
    fn callouts(&self) -> Option<Rc<dyn Callouts>> {
        None
    }
    /// Serialized `envoy.config.core.v3.Node`, which plugins see also outside streams.
    fn node(&self) -> Option<Bytes> {
        None
    }
}

/// Where guests' log lines and the host's own go.
pub trait GuestLog: Send + Sync {
    /// The least level that is written, 0 to 5; 6 for none.
    fn level(&self) -> u32;
    /// Writes a line, such as `wasm log my_plugin my_root my_vm: hello`. A guest's part of it is bytes of any kind, line
    /// breaks too.
    fn write(&self, level: LogLevel, line: &[u8]);
    /// Says something about the configuration that is no line of a plugin or its VM, if warnings are written at all.
    fn warn_of_configuration(&self, line: &str) {
        if self.level() <= LogLevel::Warn as u32 {
            self.write(LogLevel::Warn, line.as_bytes());
        }
    }
}
