//! The Wasmtime engine: Cranelift code, epoch interruption, a limiter per instance.
//!
//! | | |
//! |---|---|
//! | CPU limit | epochs of 10 ms, then the thread's CPU clock |
//! | memory cap | a resource limiter; growth beyond it answers -1 |
//! | stack | 512 KiB of Wasm frames; a deeper call traps |
//! | imported memory and table | made by the host for each instance; imported globals are refused |
//! | start functions | restricted as on Envoy's V8 |
//! | backtraces | names from the module, innermost first |
//!
//! Instances allocate on demand, with copy-on-write images of the module's data. That costs 3 µs more per
//! instance than a pool, and address space (about 4 GiB of reservation each, which is not memory), but a pool's
//! sizes would have to be fixed for all plugins of the process before the first is known. A process has room
//! for about 30,000 instances of 47-bit address space.
//!
//! Instances of images, of which each stream has one, come from a pool beside it: see `pool`.

mod epoch;
mod fault;
mod functions;
mod guest;
mod limits;
mod linker;
mod module;
mod pool;
mod precompiled;
mod restore;
mod restriction;
mod vm;
#[expect(unsafe_code, reason = "a system call that no library has")]
mod written_pages;

use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::sync::{Arc, OnceLock};

use wasmtime::{Config, WasmBacktraceDetails};

use crate::{Engine, HostCalls, LoadError, Module, ModuleCache, check};

use self::epoch::Ticker;
use self::functions::Functions;
use self::guest::Data;
use self::module::WasmtimeModule;

/// How many frames of a guest's stack a fault names, as in Envoy.
const MAX_FRAMES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(19);

/// The runtime `envoy.wasm.runtime.wasmtime`. Make one per process and share it.
pub struct WasmtimeEngine<H: HostCalls> {
    engine: wasmtime::Engine,
    /// All host functions; what a module does not import costs it nothing.
    linker: Arc<wasmtime::Linker<Data<H>>>,
    ticker: Arc<Ticker>,
    cache: Option<Arc<ModuleCache>>,
    functions: Arc<Functions>,
    /// The same with a pool, if the machine has room for one. Made with the first image.
    pooled: OnceLock<Option<Box<Self>>>,
}

// === impl WasmtimeEngine ===

impl<H: HostCalls> WasmtimeEngine<H> {
    /// Envoy's name of this runtime.
    pub const NAME: &'static str = "envoy.wasm.runtime.wasmtime";

    /// An engine for this machine.
    ///
    /// # Errors
    /// If Wasmtime does not support the machine.
    pub fn new() -> Result<Self, LoadError> {
        Self::build(&Config::new()).map_err(|error| LoadError::Compile(format!("{error:#}")))
    }

    /// Takes compiled modules from there, and puts there what it compiles.
    #[must_use]
    pub fn with_cache(mut self, cache: Arc<ModuleCache>) -> Self {
        self.cache = Some(cache);
        self
    }

    fn build(config: &Config) -> wasmtime::Result<Self> {
        let mut config = config.clone();
        config
            .epoch_interruption(true)
            // For debuggers and the like alone: frames are walked by their pointers. It was 8 % of what is compiled.
            .native_unwind_info(false)
            .wasm_backtrace_max_frames(Some(MAX_FRAMES))
            // Otherwise an environment variable of the process decides.
            .wasm_backtrace_details(WasmBacktraceDetails::Disable);
        let functions = Arc::<Functions>::default();
        config.enable_incremental_compilation(Arc::clone(&functions) as _)?;
        let engine = wasmtime::Engine::new(&config)?;
        let linker = Arc::new(linker::linker(&engine)?);
        let ticker = Arc::new(Ticker::new(engine.clone()));
        Ok(Self { engine, linker, ticker, cache: None, functions, pooled: OnceLock::new() })
    }

    fn pooled(&self) -> Option<&Self> {
        let make = || Some(Box::new(Self { cache: self.cache.clone(), ..Self::build(&pool::config()).ok()? }));
        self.pooled.get_or_init(make).as_deref()
    }
}

impl<H: HostCalls> Engine<H> for WasmtimeEngine<H> {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn compiles_ahead(&self) -> bool {
        true
    }

    fn begin_batch(&self) {
        self.functions.begin_batch();
    }

    fn end_batch(&self) {
        self.functions.end_batch();
    }

    fn makes_images(&self) -> bool {
        true
    }

    fn compile(&self, code: &[u8]) -> Result<Arc<dyn Module<H>>, LoadError> {
        Ok(Arc::new(self.module(code)?))
    }

    fn compile_image(&self, code: &[u8]) -> Result<Arc<dyn Module<H>>, LoadError> {
        // An image whose state can be reached can be put back.
        let (code, restorable) = match crate::imageable(code) {
            Ok(reachable) => (Cow::Owned(reachable), true),
            Err(_) => (Cow::Borrowed(code), false),
        };
        // What is too large for the pool's places is made by itself.
        let module = match self.pooled().map(|pooled| pooled.module(&code)) {
            Some(Ok(module)) => module,
            _ => self.module(&code)?,
        };
        Ok(Arc::new(if restorable { module.restorable() } else { module }))
    }
}

impl<H: HostCalls> WasmtimeEngine<H> {
    fn module(&self, code: &[u8]) -> Result<WasmtimeModule<H>, LoadError> {
        let checked = check::check(code)?;
        let module = match &self.cache {
            Some(cache) => precompiled::module::<H>(&self.engine, cache, code),
            None => wasmtime::Module::from_binary(&self.engine, code),
        };
        let module = module.map_err(|error| LoadError::Compile(format!("{error:#}")))?;
        WasmtimeModule::new(module, &checked, &self.linker, &self.ticker)
            .map_err(|error| LoadError::Compile(format!("{error:#}")))
    }
}

impl<H: HostCalls> std::fmt::Debug for WasmtimeEngine<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WasmtimeEngine").finish_non_exhaustive()
    }
}
