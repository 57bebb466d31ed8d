//! Engines, and what they have compiled: each module once, however many VM keys use it.

mod ahead;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, Weak};

use bytes::Bytes;
use rayon::ThreadPool;
use sandgate_vm::{Engine, LoadError, Module, ModuleCache, WasmtimeEngine};

use self::ahead::{Compilers, Job, Outcome, Waiting};
use crate::keys::CodeHash;
use crate::shared::space::locked;
use crate::{GuestLog, Isolation, Stat, VmConfig, VmHost};

/// Envoy's name of the runtime that official Envoy has; it means Wasmtime where V8 is not built in.
const V8: &str = "envoy.wasm.runtime.v8";
const WASMTIME: &str = WasmtimeEngine::<VmHost>::NAME;

/// All modules of the process.
pub(crate) struct Modules {
    engines: Vec<Arc<dyn Engine<VmHost>>>,
    strict_runtime: bool,
    told_of_v8: AtomicBool,
    /// The engines in use whose warnings have been told.
    warned_of: Mutex<HashSet<&'static str>>,
    compiled: Mutex<HashMap<ModuleKey, Weak<dyn Module<VmHost>>>>,
    /// Those that are compiled before they are needed.
    ahead: Mutex<Ahead>,
    cache: Option<Arc<ModuleCache>>,
}

/// Modules that other threads compile, and with which threads.
#[derive(Default)]
struct Ahead {
    outcomes: HashMap<ModuleKey, Arc<Outcome>>,
    pool: Option<Arc<ThreadPool>>,
}

/// The engine's name and the module's bytes.
type ModuleKey = (&'static str, CodeHash);

/// A module, of which bytes, and by which engine.
pub(crate) struct Compiled {
    pub(crate) module: Arc<dyn Module<VmHost>>,
    pub(crate) engine: &'static str,
    pub(crate) code: CodeHash,
}

/// Modules that are compiled before plugins that need them are loaded; see [`Host::compile_ahead`](crate::Host::compile_ahead).
pub struct CompileAhead<'a> {
    modules: &'a Modules,
    compilers: Option<Compilers>,
}

// === impl Modules ===

impl Modules {
    pub(crate) fn new(
        engines: Vec<Arc<dyn Engine<VmHost>>>,
        strict_runtime: bool,
        cache: Option<Arc<ModuleCache>>,
    ) -> Self {
        Self {
            engines,
            strict_runtime,
            told_of_v8: AtomicBool::new(false),
            warned_of: Mutex::default(),
            compiled: Mutex::default(),
            ahead: Mutex::default(),
            cache,
        }
    }

    /// Envoy's names of the engines.
    pub(crate) fn runtimes(&self) -> Vec<&'static str> {
        self.engines.iter().map(|engine| engine.name()).collect()
    }

    pub(crate) fn cache(&self) -> Option<&ModuleCache> {
        self.cache.as_deref()
    }

    /// The module of a VM, compiled if nobody has done that.
    pub(crate) fn get(&self, config: &VmConfig, log: &dyn GuestLog) -> Result<Compiled, LoadError> {
        let engine = self.engine(&config.runtime, log)?;
        let own = CodeHash::of(&config.code);
        let code = match config.isolation {
            Isolation::Vm => config.code.clone(),
            Isolation::Stream => prepared(&**engine, &config.code)?,
        };
        let key = (engine.name(), CodeHash::of(&code));
        if let Some(module) = locked(&self.compiled).get(&key).and_then(Weak::upgrade) {
            return Ok(Compiled { module, engine: key.0, code: own });
        }
        if let Some(line) = engine.warning().filter(|_| locked(&self.warned_of).insert(engine.name())) {
            log.warn_of_configuration(&line);
        }
        let (outcome, pool) = {
            let ahead = locked(&self.ahead);
            (ahead.outcomes.get(&key).cloned().unwrap_or_default(), ahead.pool.clone())
        };
        let module = Job { engine: Arc::clone(engine), code, outcome }.run(pool.as_deref())?;
        let mut compiled = locked(&self.compiled);
        compiled.retain(|_, module| module.strong_count() > 0);
        compiled.insert(key, Arc::downgrade(&module));
        Ok(Compiled { module, engine: key.0, code: own })
    }

    /// See [`Host::compile_ahead`](crate::Host::compile_ahead).
    pub(crate) fn compile_ahead<R: Fn() -> Bytes + Send + 'static>(
        &self,
        modules: impl IntoIterator<Item = (String, R)>,
        log: &dyn GuestLog,
    ) -> CompileAhead<'_> {
        let mut outcomes = HashMap::new();
        let mut jobs = Vec::new();
        for (runtime, read) in modules {
            // Who loads the plugin is told that there is none.
            let Ok(engine) = self.engine(&runtime, log) else { continue };
            if !engine.compiles_ahead() {
                continue;
            }
            let code = read();
            if code.is_empty() {
                continue;
            }
            let hash = CodeHash::of(&code);
            outcomes.entry((engine.name(), hash)).or_insert_with(|| {
                let outcome = Arc::<Outcome>::default();
                let (engine, read) = (Arc::clone(engine), Box::new(read));
                jobs.push(Waiting { engine, read, hash, outcome: Arc::clone(&outcome) });
                outcome
            });
        }
        let compilers = (!jobs.is_empty()).then(|| {
            self.engines.iter().for_each(|engine| engine.begin_batch());
            let compilers = Compilers::start(jobs);
            *locked(&self.ahead) = Ahead { outcomes, pool: compilers.pool() };
            compilers
        });
        CompileAhead { modules: self, compilers }
    }

    /// The engine of that name; an empty one means Wasmtime.
    pub(crate) fn engine(&self, runtime: &str, log: &dyn GuestLog) -> Result<&Arc<dyn Engine<VmHost>>, LoadError> {
        let find = |name: &str| self.engines.iter().find(|engine| engine.name() == name);
        let found = match runtime {
            "" => find(WASMTIME),
            V8 if !self.strict_runtime => find(V8).or_else(|| {
                if !self.told_of_v8.swap(true, Relaxed) {
                    log.warn_of_configuration(&format!("{V8} is not built in: such plugins run on {WASMTIME}"));
                }
                find(WASMTIME)
            }),
            name => find(name),
        };
        found.ok_or_else(|| LoadError::UnknownRuntime(runtime.to_owned()))
    }

    /// What the cache counted, once it was asked for anything.
    pub(crate) fn visit_stats(&self, visit: &mut dyn FnMut(&str, Stat)) {
        let Some(counts) = self.cache.as_deref().map(ModuleCache::counts) else { return };
        if counts.hits + counts.misses == 0 {
            return;
        }
        for (what, count) in [
            ("evicted", counts.evicted),
            ("hits", counts.hits),
            ("misses", counts.misses),
            ("rejected", counts.rejected),
            ("store_failures", counts.store_failures),
            ("stored", counts.stored),
        ] {
            visit(&format!("wasm.module_cache.{what}"), Stat::Counter(count));
        }
    }
}

/// The module as it must be for images of its instances.
fn prepared(engine: &dyn Engine<VmHost>, code: &Bytes) -> Result<Bytes, LoadError> {
    if !engine.makes_images() {
        return Err(LoadError::NotImageable(format!("{} cannot do that", engine.name())));
    }
    // What is no plugin at all is refused for that.
    sandgate_vm::imageable(code).map(Bytes::from).or_else(|error| engine.compile(code).and(Err(error)))
}

// === impl CompileAhead ===

impl Drop for CompileAhead<'_> {
    fn drop(&mut self) {
        if self.compilers.is_some() {
            *locked(&self.modules.ahead) = Ahead::default();
            self.modules.engines.iter().for_each(|engine| engine.end_batch());
        }
    }
}

impl fmt::Debug for CompileAhead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompileAhead").finish_non_exhaustive()
    }
}
