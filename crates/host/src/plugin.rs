//! A plugin that the main thread has accepted.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use sandgate_abi::LogLevel;

use crate::keys::PluginKey;
use crate::meter::Meter;
use crate::report::PluginReport;
use crate::vm::base::BaseVm;
use crate::vm::image::StreamImage;
use crate::{FailurePolicy, PluginConfig, Stat};

/// A plugin whose module is compiled and whose configuration a trial VM has accepted. Shared by all threads.
pub struct Plugin {
    config: Arc<PluginConfig>,
    pub(crate) key: PluginKey,
    pub(crate) base: Arc<BaseVm>,
    pub(crate) reloads: Arc<ReloadCounts>,
    /// With isolation of streams: what each stream's instance begins from.
    pub(crate) image: OnceLock<StreamImage>,
}

/// How often VMs of plugins of one name were made anew. Kept by the host under that name.
#[derive(Debug, Default)]
pub(crate) struct ReloadCounts {
    pub(crate) success: AtomicU64,
    pub(crate) failure: AtomicU64,
    pub(crate) backoff: AtomicU64,
}

impl Plugin {
    pub(crate) fn new(config: Arc<PluginConfig>, base: Arc<BaseVm>, reloads: Arc<ReloadCounts>) -> Arc<Self> {
        Arc::new(Self { key: PluginKey::of(&config), config, base, reloads, image: OnceLock::new() })
    }

    /// What it was made from.
    #[must_use]
    pub fn config(&self) -> &Arc<PluginConfig> {
        &self.config
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.config.name
    }
}

impl Plugin {
    pub(crate) fn report<'a>(&self, meters: impl Iterator<Item = &'a Meter>) -> PluginReport {
        let (config, base) = (&self.config, &self.base);
        let open = config.failure_policy == FailurePolicy::FailOpen || config.legacy_fail_open;
        PluginReport {
            name: config.name.clone(),
            root_id: config.root_id.clone(),
            vm_id: base.config.vm_id.clone(),
            vm_key: base.key.to_string(),
            module_sha256: base.code.to_string(),
            module_bytes: base.module_bytes,
            runtime: base.config.runtime.clone(),
            engine: base.engine,
            failure_policy: match config.failure_policy {
                FailurePolicy::FailClosed if config.legacy_fail_open => "FAIL_OPEN",
                FailurePolicy::FailClosed => "FAIL_CLOSED",
                FailurePolicy::FailOpen => "FAIL_OPEN",
                FailurePolicy::FailReload => "FAIL_RELOAD",
            },
            memory_limit_bytes: base.config.limits.memory_bytes,
            workers: meters.map(|meter| meter.report(config.failure_policy, open)).collect(),
        }
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin").field("name", &self.config.name).field("base", &self.base).finish_non_exhaustive()
    }
}

impl ReloadCounts {
    pub(crate) fn visit(&self, plugin: &str, visit: &mut dyn FnMut(&str, Stat)) {
        // Envoy defines the first and never counts it.
        let counts = [("", 0), ("_backoff", self.backoff.load(Relaxed))]
            .into_iter()
            .chain([("_failure", self.failure.load(Relaxed)), ("_success", self.success.load(Relaxed))]);
        for (what, value) in counts {
            visit(&format!("wasm.{plugin}.vm_reload{what}"), Stat::Counter(value));
        }
    }
}

/// The lines that Envoy 1.40 logs when a plugin cannot be made on the main thread, without its last one, which names
/// the configuration.
/// On each thread. Envoy looks at the old field alone.
pub(crate) fn log_closed(config: &PluginConfig, log: &mut dyn FnMut(LogLevel, fmt::Arguments<'_>)) {
    if !config.legacy_fail_open {
        log(LogLevel::Critical, format_args!("Plugin configured to fail closed failed to load"));
    }
}

pub(crate) fn log_load_failure(config: &PluginConfig, log: &mut dyn FnMut(LogLevel, fmt::Arguments<'_>)) {
    log(LogLevel::Critical, format_args!("Plugin {} failed to load", config.name));
    log_closed(config, log);
}
