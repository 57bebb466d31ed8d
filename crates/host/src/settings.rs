//! What an operator gives to single plugins, beside what Envoy's messages say of them.

use std::sync::Arc;

use sandgate_vm::Limits;

use crate::HostLimits;

/// What some plugins are given. They are those that have every name which is given here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginSettings {
    /// `PluginConfig.name`.
    pub name: Option<String>,
    /// `PluginConfig.root_id`.
    pub root_id: Option<String>,
    /// `VmConfig.vm_id`.
    pub vm_id: Option<String>,
    /// What they are given.
    pub quotas: Quotas,
}

/// What a plugin's VMs are given: three fields of [`VmConfig`](crate::VmConfig).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quotas {
    /// What the guest may use.
    pub vm: Limits,
    /// What the host keeps for it.
    pub host: Arc<HostLimits>,
    /// Which streams have an instance together.
    pub isolation: Isolation,
}

/// Which streams of a worker have an instance of a plugin together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// All of them, as in Envoy.
    #[default]
    Vm,
    /// None: each has its own.
    Stream,
}

// === impl PluginSettings ===

impl PluginSettings {
    /// Whether the plugin of these names is one of those that are meant.
    pub(crate) fn fit(&self, name: &str, root_id: &str, vm_id: &str) -> bool {
        let names = [(&self.name, name), (&self.root_id, root_id), (&self.vm_id, vm_id)];
        names.iter().all(|(wanted, name)| wanted.as_deref().is_none_or(|wanted| wanted == *name))
    }
}
