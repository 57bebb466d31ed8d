//! The WAMR engine: an interpreter in C, for machines on which code may not be made.
//!
//! | | |
//! |---|---|
//! | CPU limit | a watchdog that looks every 10 ms at the CPU clock of a thread whose call lasts, and ends it |
//! | memory cap | the instance's largest memory; growth beyond it answers -1 |
//! | stack | 256 KiB of the interpreter's frames; a deeper call traps |
//! | imported memory and table | made for each instance; imported globals are refused |
//! | start functions | restricted as on Envoy's V8 |
//! | backtraces | none, as in Envoy |
//! | not supported | SIMD, exceptions, several memories, memories of 64 bits, shared memory, garbage collection |
//!
//! Modules are validated before WAMR sees them: its own loader is the part of it that has been attacked least.

#[expect(unsafe_code, reason = "guest memory and its owner, by pointers that C keeps")]
mod guest;
#[expect(unsafe_code, reason = "calls C")]
mod module;
mod rewrite;
#[expect(unsafe_code, reason = "calls C, and is called by it")]
mod runtime;
#[expect(unsafe_code, reason = "calls C")]
mod vm;
#[expect(unsafe_code, reason = "the CPU clock of another thread, and a call into C")]
mod watchdog;

use std::sync::Arc;

use crate::foreign_calls::{Functions, HostCall};
use crate::{Engine, HostCalls, LoadError, Module, check};

use self::guest::WamrGuest;
use self::module::WamrModule;

/// The runtime `envoy.wasm.runtime.wamr`. Make one per process and share it.
pub struct WamrEngine<H> {
    /// What guests without a restriction call, in the order in which C knows the functions.
    functions: Arc<[&'static HostCall]>,
    _host: std::marker::PhantomData<fn(H)>,
}

// === impl WamrEngine ===

impl<H: HostCalls> WamrEngine<H> {
    /// Envoy's name of this runtime.
    pub const NAME: &'static str = "envoy.wasm.runtime.wamr";

    /// The engine.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub fn new() -> Result<Self, LoadError> {
        runtime::start()?;
        let functions = Functions::<WamrGuest<H>>::all().map(|(function, _)| function).collect();
        Ok(Self { functions, _host: std::marker::PhantomData })
    }
}

impl<H: HostCalls> Engine<H> for WamrEngine<H> {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn compile(&self, code: &[u8]) -> Result<Arc<dyn Module<H>>, LoadError> {
        let checked = check::check(code)?;
        Ok(Arc::new(WamrModule::new(code, &checked, &self.functions)?))
    }
}

impl<H> std::fmt::Debug for WamrEngine<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WamrEngine").finish_non_exhaustive()
    }
}
