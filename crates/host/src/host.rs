//! The process-wide part: engines, modules, base VMs and what plugins share.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, Weak};

use bytes::Bytes;
use prost_reflect::DescriptorPool;
use sandgate_abi::{LogLevel, Status};
use sandgate_vm::{Engine, Limits, LoadError, ModuleCache, NativeEngine, WasmtimeEngine};

use crate::code_cache::CodeCache;
use crate::explain::Explain;
use crate::foreign::{ForeignFunction, ForeignFunctions};
use crate::keys::{PluginKey, VmKey};
use crate::limits::Breaches;
use crate::meter::Meter;
use crate::modules::{CompileAhead, Compiled, Modules};
use crate::plugin::{ReloadCounts, log_load_failure};
use crate::report::PluginReport;
use crate::shared::metrics::Metrics;
use crate::shared::space::{Spaces, locked};
use crate::vm::base::{BaseVm, RuntimeCounts, VmCount};
use crate::vm::image::StreamImage;
use crate::vm::instance::Vm;
use crate::vm::state::VmState;
use crate::vm::timers::Timers;
use crate::worker_host::start_root;
use crate::{
    Environment, ForeignCall, GuestLog, HostLimits, Isolation, Plugin, PluginConfig, PluginError, PluginErrorCause,
    PluginSettings, Quotas, Stat, VmConfig, VmHost,
};

/// Chooses what a [`Host`] is made of.
pub struct HostBuilder {
    log: Arc<dyn GuestLog>,
    engines: Vec<Arc<dyn Engine<VmHost>>>,
    module_cache: Option<Arc<ModuleCache>>,
    quotas: Quotas,
    settings: Vec<PluginSettings>,
    strict_runtime: bool,
    old_attributes: bool,
    explain: Explain,
    foreign_functions: ForeignFunctions,
    expressions: sandgate_expression::Environment,
}

/// All that is shared by the workers of a process.
pub struct Host {
    log: Arc<dyn GuestLog>,
    modules: Modules,
    quotas: Quotas,
    settings: Vec<PluginSettings>,
    old_attributes: bool,
    explain: Explain,
    foreign_functions: ForeignFunctions,
    expressions: sandgate_expression::Environment,
    breaches: Breaches,
    bases: Mutex<HashMap<VmKey, Weak<BaseVm>>>,
    code_cache: CodeCache,
    spaces: Spaces,
    metrics: Metrics,
    active_vms: Arc<AtomicU64>,
    runtimes: Mutex<BTreeMap<String, Arc<RuntimeCounts>>>,
    reloads: Mutex<BTreeMap<String, Arc<ReloadCounts>>>,
    plugins: Mutex<Vec<Weak<Plugin>>>,
    meters: Mutex<Meters>,
}

/// By VM key, plugin key and thread.
type Meters = BTreeMap<(VmKey, PluginKey, String), Arc<Meter>>;

// === impl HostBuilder ===

impl HostBuilder {
    /// Adds Wasmtime, which also runs plugins whose runtime is unset, the null runtime without native plugins, and V8 and WAMR if they are built in.
    /// Without V8 Wasmtime runs its plugins, too.
    ///
    /// # Errors
    /// If Wasmtime does not support this machine, or the V8 that is linked is not the one Sandgate was built for.
    pub fn default_engines(self) -> Result<Self, LoadError> {
        let wasmtime = WasmtimeEngine::new()?;
        let wasmtime = match &self.module_cache {
            Some(cache) => wasmtime.with_cache(Arc::clone(cache)),
            None => wasmtime,
        };
        let built = self.engine(Arc::new(wasmtime)).engine(Arc::new(NativeEngine::new()));
        #[cfg(feature = "v8")]
        let built = built.engine(Arc::new(sandgate_vm::V8Engine::new()?));
        #[cfg(feature = "wamr")]
        let built = built.engine(Arc::new(sandgate_vm::WamrEngine::new()?));
        Ok(built)
    }

    /// Where [`Self::default_engines`], which comes after this, keeps compiled modules. Without it each process compiles them anew.
    #[must_use]
    pub fn module_cache(mut self, cache: Arc<ModuleCache>) -> Self {
        self.module_cache = Some(cache);
        self
    }

    /// Adds an engine, or replaces the one of the same name.
    #[must_use]
    pub fn engine(mut self, engine: Arc<dyn Engine<VmHost>>) -> Self {
        self.engines.retain(|other| other.name() != engine.name());
        self.engines.push(engine);
        self
    }

    /// Bounds on what guests can grow.
    #[must_use]
    pub fn limits(mut self, limits: HostLimits) -> Self {
        self.quotas.host = Arc::new(limits);
        self
    }

    /// The quotas of VMs, see [`Host::quotas`].
    #[must_use]
    pub fn vm_limits(mut self, limits: Limits) -> Self {
        self.quotas.vm = limits;
        self
    }

    /// What single plugins are given instead, see [`Host::quotas`].
    #[must_use]
    pub fn plugin_settings(mut self, settings: Vec<PluginSettings>) -> Self {
        self.settings = settings;
        self
    }

    /// Refuses `envoy.wasm.runtime.v8` instead of running it on Wasmtime.
    #[must_use]
    pub fn strict_runtime(mut self, strict: bool) -> Self {
        self.strict_runtime = strict;
        self
    }

    /// Answers names of attributes that Envoy had until 1.33, too, see [`Host::old_attributes`].
    #[must_use]
    pub fn old_attributes(mut self, on: bool) -> Self {
        self.old_attributes = on;
        self
    }

    /// Says from the beginning why hostcalls fail, see [`Host::explain`].
    #[must_use]
    pub fn explain(self, on: bool) -> Self {
        self.explain.set(on);
        self
    }

    /// Adds a function that guests can call by `name`; it stands before one of ours of the same name.
    #[must_use]
    pub fn foreign_function(
        mut self,
        name: &str,
        function: impl Fn(&ForeignCall<'_>, &mut Vec<u8>) -> Result<(), Status> + Send + Sync + 'static,
    ) -> Self {
        self.foreign_functions.add(name, Box::new(function));
        self
    }

    /// The Protobuf messages that guests' expressions can read and make; none unless these are given. Asked for when an expression first
    /// needs one.
    #[must_use]
    pub fn message_types(mut self, types: fn() -> Option<&'static DescriptorPool>) -> Self {
        self.expressions = self.expressions.with_types(types);
        self
    }

    /// The host.
    #[must_use]
    pub fn build(self) -> Arc<Host> {
        Arc::new(Host {
            log: self.log,
            modules: Modules::new(self.engines, self.strict_runtime, self.module_cache),
            quotas: self.quotas,
            settings: self.settings,
            old_attributes: self.old_attributes,
            explain: self.explain,
            foreign_functions: self.foreign_functions,
            expressions: self.expressions,
            breaches: Breaches::default(),
            bases: Mutex::default(),
            code_cache: CodeCache::default(),
            spaces: Spaces::default(),
            metrics: Metrics::default(),
            active_vms: Arc::default(),
            runtimes: Mutex::default(),
            reloads: Mutex::default(),
            plugins: Mutex::default(),
            meters: Mutex::default(),
        })
    }
}

impl fmt::Debug for HostBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostBuilder").field("quotas", &self.quotas).finish_non_exhaustive()
    }
}

// === impl Host ===

impl Host {
    /// Begins to make a host that logs to `log`.
    #[must_use]
    pub fn builder(log: Arc<dyn GuestLog>) -> HostBuilder {
        HostBuilder {
            log,
            engines: Vec::new(),
            module_cache: None,
            quotas: Quotas::default(),
            settings: Vec::new(),
            strict_runtime: false,
            old_attributes: false,
            explain: Explain::default(),
            foreign_functions: ForeignFunctions::default(),
            expressions: sandgate_expression::Environment::plugins(),
        }
    }

    /// Whether plugins are answered `node`, `cluster_name`, `route_name` and others that are now members of `xds`, in properties and
    /// in expressions: with what the member is.
    #[must_use]
    pub fn old_attributes(&self) -> bool {
        self.old_attributes
    }

    /// Envoy's names of the runtimes built in.
    #[must_use]
    pub fn runtimes(&self) -> Vec<&'static str> {
        self.modules.runtimes()
    }

    /// Compiles the module, and tries the configuration in a VM of its own, which is then thrown away. Call on the main
    /// thread, before any worker asks for a handle.
    ///
    /// What the trial does to shared data, queues and metrics stays (as in Envoy).
    ///
    /// # Errors
    /// Whatever Envoy refuses a configuration for, whichever its failure policy; the lines that Envoy logs then have
    /// been logged, but for the last one, `Unable to create Wasm plugin <name>`.
    pub fn load(
        self: &Arc<Self>,
        config: Arc<PluginConfig>,
        env: Rc<dyn Environment>,
    ) -> Result<Arc<Plugin>, PluginError> {
        self.try_load(&config, env).map_err(|cause| {
            cause.log(self);
            if !matches!(cause, PluginErrorCause::NoCode) {
                log_load_failure(&config, &mut |level, line| self.note(level, line));
            }
            PluginError { plugin: config.name.clone(), cause }
        })
    }

    /// Code that was fetched.
    #[must_use]
    pub fn code_cache(&self) -> &CodeCache {
        &self.code_cache
    }

    /// Writes the lines that Envoy 1.40 writes when code could not be fetched.
    pub fn log_missing_code(&self, config: &PluginConfig) {
        log_load_failure(config, &mut |level, line| self.note(level, line));
    }

    fn try_load(
        self: &Arc<Self>,
        config: &Arc<PluginConfig>,
        env: Rc<dyn Environment>,
    ) -> Result<Arc<Plugin>, PluginErrorCause> {
        if config.vm.code.is_empty() {
            return Err(PluginErrorCause::NoCode);
        }
        let base = self.base(&config.vm, &env)?;
        let reloads = Arc::clone(locked(&self.reloads).entry(config.name.clone()).or_default());
        let plugin = Plugin::new(Arc::new(config.kept()), base, reloads);
        self.refuse_to_share(&plugin)?;
        self.try_out(&plugin, env)?;
        let mut plugins = locked(&self.plugins);
        plugins.retain(|plugin| plugin.strong_count() > 0);
        plugins.push(Arc::downgrade(&plugin));
        let living: Vec<_> = plugins.iter().filter_map(Weak::upgrade).collect();
        drop(plugins);
        self.forget_all_but(&living);
        Ok(plugin)
    }

    /// What was counted of plugins that are gone goes, too.
    fn forget_all_but(&self, living: &[Arc<Plugin>]) {
        let keys: HashSet<_> = living.iter().map(|plugin| (plugin.base.key, plugin.key)).collect();
        locked(&self.meters).retain(|key, meter| Arc::strong_count(meter) > 1 || keys.contains(&(key.0, key.1)));
        locked(&self.reloads).retain(|_, counts| Arc::strong_count(counts) > 1);
    }

    /// The living base VM of this key, or a new one. Its start functions run, as they do in Envoy, where a guest's log
    /// shows them.
    fn base(self: &Arc<Self>, config: &VmConfig, env: &Rc<dyn Environment>) -> Result<Arc<BaseVm>, PluginErrorCause> {
        let key = VmKey::of(config);
        if let Some(base) = locked(&self.bases).get(&key).and_then(Weak::upgrade) {
            return Ok(base);
        }
        self.modules.engine(&config.runtime, &*self.log)?;
        let counts = self.counts(&config.runtime);
        // Envoy makes the VM first, and the code is then not for it.
        let compiled = self.modules.get(config, &*self.log).inspect_err(|_| drop(VmCount::new(&counts)))?;
        let Compiled { module, engine, code } = compiled;
        let base = Arc::new(BaseVm {
            key,
            module,
            engine,
            code,
            module_bytes: config.code.len(),
            config: config.kept(),
            space: self.spaces.open(&config.vm_id),
            canaries: Mutex::default(),
            instances: Arc::default(),
            _counted: VmCount::new_base(&counts),
            counts,
        });
        Vm::start(VmState::new(
            Arc::clone(self),
            Rc::clone(env),
            Arc::clone(&base),
            Rc::default(),
            std::sync::Weak::new(),
        ))?;
        let mut bases = locked(&self.bases);
        bases.retain(|_, base| base.strong_count() > 0);
        bases.insert(key, Arc::downgrade(&base));
        Ok(base)
    }

    /// Begins to compile, on other threads, modules that [`Self::load`] will ask for, in their order: each runtime with the code for it.
    /// Equal modules are compiled once. A load waits for its module alone, and is told of a failure as if it had compiled it itself.
    ///
    /// They are kept until this is dropped, and then as long as plugins use them.
    ///
    /// What gives the code is called twice, here and on the thread that compiles it; no code, or another one then, is left alone.
    #[must_use]
    pub fn compile_ahead<R: Fn() -> Bytes + Send + 'static>(
        &self,
        modules: impl IntoIterator<Item = (String, R)>,
    ) -> CompileAhead<'_> {
        self.modules.compile_ahead(modules, &*self.log)
    }

    /// Where compiled modules are kept.
    #[must_use]
    pub fn module_cache(&self) -> Option<&ModuleCache> {
        self.modules.cache()
    }

    /// Envoy's canary: a VM that is started and configured, and then dropped without `proxy_on_done`.
    fn try_out(self: &Arc<Self>, plugin: &Arc<Plugin>, env: Rc<dyn Environment>) -> Result<(), PluginErrorCause> {
        let base = &plugin.base;
        let known = locked(&base.canaries).get(&plugin.key).copied();
        match known {
            Some(true) if base.config.isolation == Isolation::Vm => return Ok(()),
            // The image needs a VM.
            Some(true) => {}
            Some(false) => return Err(PluginErrorCause::Configure { worker: false, fault: None }),
            None => {}
        }
        let timers = Rc::<Timers>::default();
        let state = VmState::new(Arc::clone(self), env, Arc::clone(base), timers, std::sync::Weak::new());
        let vm = Vm::start(state)?;
        let result = start_root(&vm, plugin, &Meter::new(String::new()), false);
        if matches!(result, Ok(_) | Err(PluginErrorCause::Configure { .. })) {
            locked(&base.canaries).insert(plugin.key, result.is_ok());
        }
        let root = result?;
        if base.config.isolation == Isolation::Stream {
            let engine = self.modules.engine(&base.config.runtime, &*self.log)?;
            // A plugin is tried once.
            let _ = plugin.image.set(StreamImage::of(&vm, &root, &**engine)?);
        }
        Ok(())
    }

    /// With isolation of streams, plugins cannot meet in a VM: no two of one VM key but versions of the same one.
    fn refuse_to_share(&self, plugin: &Plugin) -> Result<(), PluginErrorCause> {
        if plugin.base.config.isolation == Isolation::Vm {
            return Ok(());
        }
        let names = |plugin: &Plugin| (plugin.config().name.clone(), plugin.config().root_id.clone());
        let plugins = locked(&self.plugins);
        let other = plugins
            .iter()
            .filter_map(Weak::upgrade)
            .find(|other| other.base.key == plugin.base.key && names(other) != names(plugin));
        other.map_or(Ok(()), |other| {
            let with = format!("its VM would be shared with plugin {:?}; give it another vm_id", other.name());
            Err(LoadError::NotImageable(with).into())
        })
    }

    fn counts(&self, runtime: &str) -> Arc<RuntimeCounts> {
        let mut runtimes = locked(&self.runtimes);
        if let Some(counts) = runtimes.get(runtime) {
            return Arc::clone(counts);
        }
        let counts = Arc::new(RuntimeCounts {
            runtime: runtime.to_owned(),
            created: AtomicU64::new(0),
            active: Arc::clone(&self.active_vms),
            active_shown: AtomicU64::new(0),
        });
        runtimes.insert(runtime.to_owned(), Arc::clone(&counts));
        counts
    }

    /// What counts a plugin's doings on the thread of that name.
    pub(crate) fn meter(&self, plugin: &Plugin, worker: &str) -> Arc<Meter> {
        let key = (plugin.base.key, plugin.key, worker.to_owned());
        Arc::clone(locked(&self.meters).entry(key).or_insert_with(|| Meter::new(worker.to_owned())))
    }

    /// What every plugin that lives does, in the order in which they were loaded. Asks no worker.
    #[must_use]
    pub fn report(&self) -> Vec<PluginReport> {
        let plugins: Vec<_> = locked(&self.plugins).iter().filter_map(Weak::upgrade).collect();
        let meters = locked(&self.meters);
        let mut seen = HashSet::new();
        let plugins = plugins.iter().filter(|plugin| seen.insert((plugin.base.key, plugin.key)));
        plugins
            .map(|plugin| {
                let of = |(key, _): &(&(VmKey, PluginKey, String), &Arc<Meter>)| {
                    (key.0, key.1) == (plugin.base.key, plugin.key)
                };
                plugin.report(meters.iter().filter(of).map(|(_, meter)| &**meter))
            })
            .collect()
    }

    /// What plugins were held back from, and how often.
    /// The embedder's function of that name.
    pub(crate) fn foreign_function(&self, name: &[u8]) -> Option<&ForeignFunction> {
        self.foreign_functions.get(name)
    }

    pub(crate) fn breaches(&self) -> &Breaches {
        &self.breaches
    }

    /// Every stat, under the names that Envoy 1.40 uses: `wasm.<runtime>.created` and `.active`,
    /// `wasm.wasm_vm_count`, `wasm.remote_load_*`, `wasm.<plugin>.vm_reload_*` and `wasmcustom.<name>`. Nothing before the first plugin.
    pub fn visit_stats(&self, visit: &mut dyn FnMut(&str, Stat)) {
        let runtimes: Vec<_> = locked(&self.runtimes).values().cloned().collect();
        for counts in &runtimes {
            visit(&format!("wasm.{}.created", counts.runtime), Stat::Counter(counts.created.load(Relaxed)));
            visit(&format!("wasm.{}.active", counts.runtime), Stat::Gauge(counts.active_shown.load(Relaxed)));
        }
        if !runtimes.is_empty() {
            visit("wasm.wasm_vm_count", Stat::Gauge(self.active_vms.load(Relaxed)));
        }
        if !runtimes.is_empty() || self.code_cache.is_used() {
            self.code_cache.visit(visit);
        }
        self.modules.visit_stats(visit);
        let reloads: Vec<_> = locked(&self.reloads).iter().map(|(name, r)| (name.clone(), Arc::clone(r))).collect();
        for (name, counts) in reloads {
            counts.visit(&name, visit);
        }
        self.breaches.visit(&mut |limit, count| visit(&format!("wasm.limit_exceeded.{limit}"), Stat::Counter(count)));
        self.metrics.visit(visit);
    }

    /// What an operator gives to the plugin of these names: what an embedder puts in its [`VmConfig`]. The first of the
    /// [`HostBuilder::plugin_settings`] that fits holds, or else what all plugins are given.
    #[must_use]
    pub fn quotas(&self, name: &str, root_id: &str, vm_id: &str) -> &Quotas {
        let own = self.settings.iter().find(|settings| settings.fit(name, root_id, vm_id));
        own.map_or(&self.quotas, |settings| &settings.quotas)
    }

    /// Whether every hostcall that does not answer `OK` is told with its arguments, the one at fault and why: as log lines
    /// (at most 20 a second for each VM), and counted in [`Host::report`]. Calls that succeed cost the same either way.
    pub fn explain(&self, on: bool) {
        self.explain.set(on);
    }

    /// Whether failed hostcalls are told.
    #[must_use]
    pub fn explains(&self) -> bool {
        self.explain.is_on()
    }

    pub(crate) fn log(&self) -> &dyn GuestLog {
        &*self.log
    }

    /// What guests' expressions may use.
    pub(crate) fn expressions(&self) -> &sandgate_expression::Environment {
        &self.expressions
    }

    /// What is kept for plugins that have no limits of their own.
    pub(crate) fn limits(&self) -> &Arc<HostLimits> {
        &self.quotas.host
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(crate) fn spaces(&self) -> &Spaces {
        &self.spaces
    }

    /// Writes a line of the host's own.
    pub(crate) fn note(&self, level: LogLevel, line: fmt::Arguments<'_>) {
        if level as u32 >= self.log.level() {
            self.log.write(level, line.to_string().as_bytes());
        }
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("runtimes", &self.runtimes()).finish_non_exhaustive()
    }
}
