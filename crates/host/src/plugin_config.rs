//! What a plugin is made from: Envoy's `PluginConfig` and `VmConfig`, already read and checked.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sandgate_abi::Capabilities;
use sandgate_vm::Limits;

use crate::{HostLimits, Isolation};

/// Envoy's `envoy.extensions.wasm.v3.PluginConfig`, with `Any`s turned to bytes as Envoy does.
#[derive(Clone, Debug, Default)]
pub struct PluginConfig {
    /// Names the plugin in logs, stats and the property `plugin_name`.
    pub name: String,
    /// Chooses the root context inside the module.
    pub root_id: String,
    /// The VM.
    pub vm: VmConfig,
    /// What `proxy_on_configure` reads.
    pub configuration: Bytes,
    /// What happens to streams once the VM has failed.
    pub failure_policy: FailurePolicy,
    /// The deprecated `fail_open: true`: streams in flight in a failed VM pass too.
    pub legacy_fail_open: bool,
    /// `reload_config.backoff.base_interval`; Envoy's default is 1 s.
    pub reload_backoff: Option<Duration>,
    /// A headers callback's 1 means `StopIteration`, not `StopAllIterationAndWatermark`.
    pub allow_on_headers_stop_iteration: bool,
    /// Whatever else tells plugins apart that would share a root context, as Envoy's hash of the whole message does.
    pub identity: Bytes,
}

/// Envoy's `VmConfig`.
#[derive(Clone, Debug, Default)]
pub struct VmConfig {
    /// Part of the VM key; namespace of shared data and queues.
    pub vm_id: String,
    /// Envoy's runtime name; empty means Wasmtime. Part of the VM key.
    pub runtime: String,
    /// The module's bytes; the plugin's name for the null runtime. Gone from what a loaded plugin tells of its configuration,
    /// unless its streams are isolated: it is not needed any more.
    pub code: Bytes,
    /// What `proxy_on_vm_start` reads; part of the VM key.
    pub configuration: Bytes,
    /// WASI environment, in order, already merged and checked for duplicates; part of the VM key.
    pub environment: Vec<(String, String)>,
    /// Whatever else tells VMs apart that would be shared.
    pub identity: Bytes,
    /// What the guest may call, and which of its callbacks are called; part of the VM key.
    pub capabilities: Capabilities,
    /// What the guest may use; part of the VM key.
    pub limits: Limits,
    /// What the host keeps for it; `None` is what the host was made with. Part of the VM key.
    pub host_limits: Option<Arc<HostLimits>>,
    /// Which streams have an instance together; part of the VM key.
    pub isolation: Isolation,
}

/// Envoy's `FailurePolicy`; unspecified is closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailurePolicy {
    /// Every stream of the failed VM gets 503.
    #[default]
    FailClosed,
    /// New streams pass without the plugin.
    FailOpen,
    /// The VM is made anew, with a backoff.
    FailReload,
}

// === impl PluginConfig ===

impl PluginConfig {
    /// What a plugin keeps of it when it has been loaded.
    pub(crate) fn kept(&self) -> Self {
        Self { vm: self.vm.kept(), ..self.clone() }
    }
}

// === impl VmConfig ===

impl VmConfig {
    pub(crate) fn kept(&self) -> Self {
        let code = match self.isolation {
            Isolation::Vm => Bytes::new(),
            Isolation::Stream => self.code.clone(),
        };
        Self { code, ..self.clone() }
    }
}
