//! What a host is made of.

use std::fmt;
use std::sync::{Arc, Mutex};

use prost_reflect::DescriptorPool;
use sandgate_abi::Status;
use sandgate_vm::{Engine, Limits, LoadError, ModuleCache, NativeEngine, WasmtimeEngine};

use super::Host;
use crate::code_cache::CodeCache;
use crate::explain::Explain;
use crate::foreign::ForeignFunctions;
use crate::limits::Breaches;
use crate::modules::Modules;
use crate::shared::metrics::Metrics;
use crate::shared::space::Spaces;
use crate::{ForeignCall, GuestLog, HostLimits, PluginSettings, Quotas, VmHost};

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
}

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
