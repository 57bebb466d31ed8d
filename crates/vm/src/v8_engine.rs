//! The V8 engine: what Envoy itself runs plugins on.
//!
//! | | |
//! |---|---|
//! | CPU limit | interruptions every 10 ms of a call that lasts, then the thread's CPU clock |
//! | memory cap | memories are made by the host, with the limit as their maximum; growth beyond it answers -1 |
//! | stack | 512 KiB from where the thread first used V8; a deeper call is a `RangeError` |
//! | imported memory and table | made by the host for each instance; imported globals are refused |
//! | start functions | restricted as on Envoy's V8 |
//! | backtraces | names from the module, innermost first |
//! | not supported | what this V8 lacks, several memories, shared memory, tables of typed references |
//!
//! One isolate and one context for each thread, entered once. A context is no border between guests: what they share
//! of it cannot be reached from Wasm. The handler that V8 has for traps stays off, because signals are Wasmtime's.

#[expect(unsafe_code, reason = "the functions of C++")]
mod ffi;
#[expect(unsafe_code, reason = "guest memory and its owner, by pointers that C++ keeps")]
mod guest;
#[expect(unsafe_code, reason = "calls C++")]
mod isolate;
#[expect(unsafe_code, reason = "calls C++")]
mod module;
mod names;
mod rewrite;
#[expect(unsafe_code, reason = "calls C++")]
mod version;
#[expect(unsafe_code, reason = "calls C++")]
mod vm;
mod watchdog;

use std::marker::PhantomData;
use std::sync::Arc;

use crate::{Engine, HostCalls, LoadError, Module, check};

use self::module::V8Module;
use self::version::Version;

/// The runtime `envoy.wasm.runtime.v8`. Make one per process and share it.
///
/// V8 and its threads start with the first module.
#[derive(Debug)]
pub struct V8Engine<H> {
    version: Version,
    _host: PhantomData<fn(H)>,
}

// === impl V8Engine ===

impl<H: HostCalls> V8Engine<H> {
    /// Envoy's name of this runtime.
    pub const NAME: &'static str = "envoy.wasm.runtime.v8";

    /// An engine of the V8 that is linked.
    ///
    /// # Errors
    /// If that V8 is not the one whose headers Sandgate was built with.
    pub fn new() -> Result<Self, LoadError> {
        let version = Version::linked();
        if !version.matches_headers() {
            return Err(LoadError::Compile(format!(
                "V8 {version} is not the V8 whose headers Sandgate was built with"
            )));
        }
        Ok(Self { version, _host: PhantomData })
    }
}

impl<H: HostCalls> Engine<H> for V8Engine<H> {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn compile(&self, code: &[u8]) -> Result<Arc<dyn Module<H>>, LoadError> {
        let checked = check::check(code)?;
        Ok(Arc::new(V8Module::new::<H>(code, &checked)?))
    }

    fn warning(&self) -> Option<String> {
        let Self { version, .. } = self;
        version.is_old().then(|| {
            let name = Self::NAME;
            format!("{name} is V8 {version}, which gets no security fixes any more: it is for comparing, not for untrusted plugins")
        })
    }
}
