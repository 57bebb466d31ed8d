//! The process-wide part: engines, modules, base VMs and what plugins share.

mod builder;
mod loading;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, Weak};

use sandgate_abi::LogLevel;
use sandgate_vm::ModuleCache;

pub use self::builder::HostBuilder;

use crate::code_cache::CodeCache;
use crate::explain::Explain;
use crate::foreign::{ForeignFunction, ForeignFunctions};
use crate::keys::{PluginKey, VmKey};
use crate::limits::Breaches;
use crate::meter::Meter;
use crate::modules::Modules;
use crate::plugin::{ReloadCounts, log_load_failure};
use crate::report::PluginReport;
use crate::shared::metrics::Metrics;
use crate::shared::space::{Spaces, locked};
use crate::vm::base::{BaseVm, RuntimeCounts};
use crate::{GuestLog, HostLimits, Plugin, PluginConfig, PluginSettings, Quotas, Stat};

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

// === impl Host ===

impl Host {
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

    /// Code that was fetched.
    #[must_use]
    pub fn code_cache(&self) -> &CodeCache {
        &self.code_cache
    }

    /// Writes the lines that Envoy 1.40 writes when code could not be fetched.
    pub fn log_missing_code(&self, config: &PluginConfig) {
        log_load_failure(config, &mut |level, line| self.note(level, line));
    }

    /// Where compiled modules are kept.
    #[must_use]
    pub fn module_cache(&self) -> Option<&ModuleCache> {
        self.modules.cache()
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

    /// What an operator gives to the plugin of these names: what an embedder puts in its [`VmConfig`](crate::VmConfig). The first of the
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
