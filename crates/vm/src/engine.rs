//! What an engine must offer. Object safe: one virtual call per callback.

use std::sync::Arc;
use std::time::Duration;

use sandgate_abi::{Callback, CallbackSet, Capabilities};

use crate::{Fault, LoadError};

/// What one instance may use. See the design's quotas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory in bytes. `memory.grow` beyond it answers -1; a module that starts larger is
    /// refused. Envoy's limit and our default: 1 GiB.
    pub memory_bytes: usize,
    /// Elements of all tables together. `table.grow` beyond it answers -1; a module that starts with more is refused. 1,048,576
    /// by default. On WAMR it bounds what a module starts with.
    pub table_elements: usize,
    /// CPU time of one callback; 1 s by default. Not wall time: a descheduled thread is not charged.
    pub callback_cpu: Duration,
    /// CPU time of the start functions, of root context creation, `proxy_on_vm_start` and
    /// `proxy_on_configure`, each; 10 s by default.
    pub start_cpu: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 1 << 30,
            table_elements: 1 << 20,
            callback_cpu: Duration::from_secs(1),
            start_cpu: Duration::from_secs(10),
        }
    }
}

/// Something that [`Limits`] bound and a guest wanted more of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grown {
    /// [`Limits::memory_bytes`].
    Memory,
    /// [`Limits::table_elements`].
    Tables,
}

/// A Wasm runtime. One per process.
pub trait Engine<H>: Send + Sync {
    /// Envoy's name, such as `envoy.wasm.runtime.wasmtime`.
    fn name(&self) -> &'static str;

    /// Checks and compiles a module: ABI version, every import, every callback's type, the allocator.
    ///
    /// # Errors
    /// The first class of failure found; all missing imports at once.
    fn compile(&self, code: &[u8]) -> Result<Arc<dyn Module<H>>, LoadError>;

    /// Whether [`Self::compile`] takes so long that it is worth having other threads do it before a module is needed.
    fn compiles_ahead(&self) -> bool {
        false
    }

    /// Until [`Self::end_batch`] many modules are compiled, on any threads: what one has in common with the next need not be
    /// compiled again. Batches may overlap.
    fn begin_batch(&self) {}

    /// Frees what was kept for the rest of a batch.
    fn end_batch(&self) {}

    /// As [`Self::compile`], for a module that [`PluginVm::image`] made: many instances of it come and go.
    ///
    /// # Errors
    /// As [`Self::compile`].
    fn compile_image(&self, code: &[u8]) -> Result<Arc<dyn Module<H>>, LoadError> {
        self.compile(code)
    }

    /// Whether [`PluginVm::image`] works.
    fn makes_images(&self) -> bool {
        false
    }

    /// What an operator should know before plugins run on it, if anything.
    fn warning(&self) -> Option<String> {
        None
    }
}

/// A compiled module, shared by all threads.
pub trait Module<H>: Send + Sync {
    /// The callbacks that the module exports.
    fn exports(&self) -> CallbackSet;

    /// Whether the module speaks ABI 0.1.0 (changes what `get_header_map_value` answers for a missing key).
    fn is_abi_0_1_0(&self) -> bool;

    /// Makes an instance on this thread. The module's start section runs here; the start functions do not.
    ///
    /// Imports that `capabilities` does not allow are there, but calling them does nothing but tell the host. Callbacks are
    /// the caller's to leave out. Native plugins are not restricted (as in Envoy 1.40).
    ///
    /// # Errors
    /// Not enough memory allowed, or a trap in the start section.
    fn instantiate(
        &self,
        host: H,
        limits: &Limits,
        capabilities: &Capabilities,
    ) -> Result<Box<dyn PluginVm<H>>, LoadError>;
}

/// An instance with its host state; stays on its thread.
pub trait PluginVm<H> {
    /// Runs `_initialize` (then `main` or `__main_void`), or else `_start`. Once, before any callback.
    ///
    /// # Errors
    /// A trap, a CPU limit, or `proc_exit` with a code other than 0.
    fn start(&mut self) -> Result<(), Fault>;

    /// Calls into the guest. `None` if the module does not export the callback; `Some(0)` for one without a result.
    ///
    /// After an error the VM must not be called again: every further call fails at once.
    ///
    /// # Errors
    /// A trap, a CPU limit, or `proc_exit`.
    fn call(&mut self, callback: Callback) -> Result<Option<u32>, Fault>;

    /// The host's side of this VM.
    fn host(&self) -> &H;

    /// Puts the guest back into the state in which an instance of its module begins, for the next user: memory and globals. Whether that
    /// worked; if not, the VM must not be called again. Only modules of [`Engine::compile_image`] can do that, and not on every machine.
    fn restore(&mut self) -> bool {
        false
    }

    /// Gives the VM another host's side, after [`Self::restore`] has answered that it worked.
    fn assign(&mut self, host: H) {
        let _ = host;
    }

    /// Bytes of linear memory now.
    fn memory_size(&self) -> usize;

    /// A module whose instances begin in the state that this one is in now: memories, globals, tables. Their start functions
    /// must not be called again. `code` is what [`imageable`](crate::imageable) was given for this one's module.
    ///
    /// # Errors
    /// The engine cannot, or the module is not made for it.
    fn image(&mut self, code: &[u8]) -> Result<Vec<u8>, LoadError> {
        let _ = code;
        Err(LoadError::NotImageable("the runtime cannot do that".to_owned()))
    }
}
