//! What plugins may take.

use std::time::Duration;

use super::Origin;

/// `sandgate.v1.WasmPluginSettings`: what is ours about some plugins. They are those that have every name which is given here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WasmPluginSettings {
    /// `PluginConfig.name`.
    pub name: Option<String>,
    /// `PluginConfig.root_id`.
    pub root_id: Option<String>,
    /// `VmConfig.vm_id`.
    pub vm_id: Option<String>,
    /// What is left out is as for all plugins.
    pub limits: WasmLimits,
    /// What a failure takes with it.
    pub isolation: WasmIsolation,
    /// Where it stands.
    pub origin: Origin,
}

/// `sandgate.v1.WasmIsolation`: which streams have an instance of a plugin together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WasmIsolation {
    /// All of a worker, as in Envoy. The default.
    #[default]
    Vm,
    /// None: each has its own.
    Stream,
}

/// `sandgate.v1.WasmLimits`, a bootstrap extension of ours. What is left out has the default that `docs/limits.md` tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WasmLimits {
    /// Linear memory of one instance, in bytes.
    pub memory_bytes: Option<u64>,
    /// Elements of all tables of one instance.
    pub table_elements: Option<u64>,
    /// Instances of one VM in the process.
    pub instances: Option<u64>,
    /// CPU time of the callbacks of one stream together.
    pub stream_cpu: Option<Duration>,
    /// CPU time of one callback.
    pub callback_cpu: Option<Duration>,
    /// CPU time of the start functions, and of each callback that starts or configures a plugin.
    pub start_cpu: Option<Duration>,
    /// Shared data of one `vm_id`, in bytes.
    pub shared_data_bytes: Option<u64>,
    /// Elements of one queue, in bytes.
    pub queue_bytes: Option<u64>,
    /// Queues of one `vm_id`.
    pub queues: Option<u64>,
    /// Distinct metrics in the process.
    pub metrics: Option<u64>,
    /// Bytes of a metric's name.
    pub metric_name_bytes: Option<u64>,
    /// Metric ids of one VM.
    pub metric_ids: Option<u64>,
    /// Bytes of one log line.
    pub log_line_bytes: Option<u64>,
    /// Bytes that one VM may log in a second.
    pub log_bytes_per_second: Option<u64>,
    /// Properties that one plugin may set on one stream, in bytes.
    pub property_bytes: Option<u64>,
    /// What a plugin may make of a body, in bytes.
    pub body_bytes: Option<u64>,
    /// Callouts of one VM that are under way.
    pub callouts: Option<u64>,
    /// Messages that wait on one gRPC stream, in bytes.
    pub grpc_queue_bytes: Option<u64>,
    /// What `uncompress` may make of a zlib stream, in bytes.
    pub uncompressed_bytes: Option<u64>,
    /// Of the expressions that a root context keeps.
    pub expression_bytes: Option<u64>,
}

// === impl WasmPluginSettings ===

impl WasmPluginSettings {
    /// Whether the plugin of these names is one of those that are meant.
    #[must_use]
    pub fn fit(&self, name: &str, root_id: &str, vm_id: &str) -> bool {
        let names = [(&self.name, name), (&self.root_id, root_id), (&self.vm_id, vm_id)];
        names.iter().all(|(wanted, name)| wanted.as_deref().is_none_or(|wanted| wanted == *name))
    }
}
