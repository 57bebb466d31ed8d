//! Reading the configuration that the command line names.

use std::path::Path;
use std::sync::Arc;

use sandgate_config::model::{Bootstrap, WasmIsolation, WasmLimits, WasmPluginSettings};
use sandgate_config::{Diagnostics, Format, LoadOptions, Loaded, Unsupported, load_file, load_str, message_types};
use sandgate_host::{
    Host, HostLimits, Isolation, Limits, LoadError, ModuleCacheError, NativeEngine, PluginSettings, Quotas,
};

use crate::cli::{self, ConfigArgs};
use crate::logger::WasmLog;
use crate::module_cache;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigurationError {
    /// Envoy's words.
    #[error("At least one of --config-path or --config-yaml or Options::configProto() should be non-empty")]
    None,
    /// Everything that was found.
    #[error("{0}")]
    Findings(Diagnostics),
}

/// Why there is no Wasm host.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HostError {
    #[error(transparent)]
    Engine(#[from] LoadError),
    #[error(transparent)]
    ModuleCache(#[from] ModuleCacheError),
}

/// Loads the file, the text, or the text over the file.
///
/// # Errors
/// Nothing to load, or all that is wrong with it.
pub(crate) fn load(
    args: &ConfigArgs,
    file: Option<&Path>,
    service_node: &str,
    service_cluster: &str,
) -> Result<Loaded, ConfigurationError> {
    let mut options = LoadOptions {
        unsupported: match args.unsupported {
            cli::Unsupported::Refuse => Unsupported::Refuse,
            cli::Unsupported::Warn => Unsupported::Warn,
        },
        service_node: service_node.to_owned(),
        service_cluster: service_cluster.to_owned(),
        ..LoadOptions::default()
    };
    let loaded = match (file.or(args.config_path.as_deref()), &args.config_yaml) {
        (None, None) => return Err(ConfigurationError::None),
        (None, Some(text)) => load_str("--config-yaml", text, Format::Yaml, &options),
        (Some(path), overlay) => {
            options.overlay.clone_from(overlay);
            load_file(path, &options)
        }
    };
    loaded.map_err(ConfigurationError::Findings)
}

/// What plugins may make the process keep: the defaults, where nothing is configured.
fn host_limits(configured: &WasmLimits, defaults: &HostLimits) -> HostLimits {
    let or = |value: Option<u64>, default: usize| {
        value.map_or(default, |value| usize::try_from(value).unwrap_or(usize::MAX))
    };
    HostLimits {
        shared_data_bytes: or(configured.shared_data_bytes, defaults.shared_data_bytes),
        queue_bytes: or(configured.queue_bytes, defaults.queue_bytes),
        queues: or(configured.queues, defaults.queues),
        metrics: or(configured.metrics, defaults.metrics),
        metric_name_bytes: or(configured.metric_name_bytes, defaults.metric_name_bytes),
        metric_ids: or(configured.metric_ids, defaults.metric_ids),
        log_line_bytes: or(configured.log_line_bytes, defaults.log_line_bytes),
        log_bytes_per_second: configured.log_bytes_per_second.or(defaults.log_bytes_per_second),
        property_bytes: or(configured.property_bytes, defaults.property_bytes),
        body_bytes: or(configured.body_bytes, defaults.body_bytes),
        callouts: or(configured.callouts, defaults.callouts),
        grpc_queue_bytes: or(configured.grpc_queue_bytes, defaults.grpc_queue_bytes),
        uncompressed_bytes: or(configured.uncompressed_bytes, defaults.uncompressed_bytes),
        stream_cpu: configured.stream_cpu.or(defaults.stream_cpu),
        instances: configured.instances.map(|most| usize::try_from(most).unwrap_or(usize::MAX)).or(defaults.instances),
        expression_bytes: or(configured.expression_bytes, defaults.expression_bytes),
    }
}

/// What an instance may take.
fn vm_limits(configured: &WasmLimits, defaults: &Limits) -> Limits {
    Limits {
        memory_bytes: configured
            .memory_bytes
            .map_or(defaults.memory_bytes, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
        table_elements: configured
            .table_elements
            .map_or(defaults.table_elements, |most| usize::try_from(most).unwrap_or(usize::MAX)),
        callback_cpu: configured.callback_cpu.unwrap_or(defaults.callback_cpu),
        start_cpu: configured.start_cpu.unwrap_or(defaults.start_cpu),
    }
}

/// What is ours about some plugins.
fn plugin_settings(configured: &WasmPluginSettings, limits: &HostLimits, vm: &Limits) -> PluginSettings {
    PluginSettings {
        name: configured.name.clone(),
        root_id: configured.root_id.clone(),
        vm_id: configured.vm_id.clone(),
        quotas: Quotas {
            vm: vm_limits(&configured.limits, vm),
            host: Arc::new(host_limits(&configured.limits, limits)),
            isolation: match configured.isolation {
                WasmIsolation::Vm => Isolation::Vm,
                WasmIsolation::Stream => Isolation::Stream,
            },
        },
    }
}

/// The Wasm host with the runtimes and native plugins that are built in.
///
/// # Errors
/// Wasmtime does not support this machine, or compiled modules cannot be kept where they should be.
pub(crate) fn host(args: &ConfigArgs, native: &NativeEngine, bootstrap: &Bootstrap) -> Result<Arc<Host>, HostError> {
    let limits = host_limits(&bootstrap.wasm_limits, &HostLimits::default());
    let vm_limits = vm_limits(&bootstrap.wasm_limits, &Limits::default());
    let settings =
        bootstrap.wasm_plugins.iter().map(|settings| plugin_settings(settings, &limits, &vm_limits)).collect();
    let builder = Host::builder(Arc::new(WasmLog));
    let builder = match module_cache::open(&args.cache)? {
        Some(cache) => builder.module_cache(cache),
        None => builder,
    };
    let builder = builder.default_engines()?.engine(Arc::new(native.clone()));
    let builder = builder.limits(limits).vm_limits(vm_limits).plugin_settings(settings).message_types(message_types);
    let builder = builder.old_attributes(args.old_attributes);
    Ok(builder.strict_runtime(args.strict_runtime).explain(args.explain).build())
}
