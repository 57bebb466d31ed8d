//! A VM key's module, configuration and shared state: what every VM of that key is made from.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use sandgate_vm::Module;

use crate::keys::{CodeHash, PluginKey, VmKey};
use crate::shared::space::Space;
use crate::{VmConfig, VmHost};

/// Shared by all threads; lives as long as a plugin made from it.
pub(crate) struct BaseVm {
    pub(crate) key: VmKey,
    /// The name that the configuration used, for the names of stats.
    pub(crate) counts: Arc<RuntimeCounts>,
    pub(crate) config: VmConfig,
    pub(crate) module: Arc<dyn Module<VmHost>>,
    pub(crate) code: CodeHash,
    /// How long the code was.
    pub(crate) module_bytes: usize,
    /// The engine that made the module.
    pub(crate) engine: &'static str,
    pub(crate) space: Arc<Space>,
    /// What trial VMs said to a plugin's configuration; failures to start are not remembered (as in Envoy).
    pub(crate) canaries: Mutex<HashMap<PluginKey, bool>>,
    /// VMs of this key that live in the process.
    pub(crate) instances: Arc<AtomicUsize>,
    /// Envoy keeps an idle VM here; we keep only its place in the counts.
    pub(crate) _counted: VmCount,
}

/// One VM among those of its key.
#[derive(Debug)]
pub(crate) struct InstanceClaim(Arc<AtomicUsize>);

impl BaseVm {
    /// Room for one more VM, unless there are `most`.
    pub(crate) fn claim(&self, most: Option<usize>) -> Option<InstanceClaim> {
        let may = |living: usize| most.is_none_or(|most| living < most).then_some(living + 1);
        self.instances.fetch_update(Relaxed, Relaxed, may).ok()?;
        Some(InstanceClaim(Arc::clone(&self.instances)))
    }
}

impl Drop for InstanceClaim {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// VMs made and alive, of one runtime name.
#[derive(Debug)]
pub(crate) struct RuntimeCounts {
    pub(crate) runtime: String,
    pub(crate) created: AtomicU64,
    /// Of all runtimes.
    pub(crate) active: Arc<AtomicU64>,
    /// What `active` was when a VM of this runtime last came or went: that is what Envoy shows under each name.
    pub(crate) active_shown: AtomicU64,
}

/// One VM in the counts.
#[derive(Debug)]
pub(crate) struct VmCount(Arc<RuntimeCounts>);

impl VmCount {
    pub(crate) fn new(counts: &Arc<RuntimeCounts>) -> Self {
        counts.created.fetch_add(1, Relaxed);
        Self::new_base(counts)
    }

    /// The place of the idle VM that Envoy keeps: alive, and created by [`Self::new`] when its start functions ran.
    pub(crate) fn new_base(counts: &Arc<RuntimeCounts>) -> Self {
        counts.active_shown.store(counts.active.fetch_add(1, Relaxed) + 1, Relaxed);
        Self(Arc::clone(counts))
    }
}

impl Drop for VmCount {
    fn drop(&mut self) {
        self.0.active_shown.store(self.0.active.fetch_sub(1, Relaxed) - 1, Relaxed);
    }
}

impl fmt::Debug for BaseVm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BaseVm").field("key", &self.key).field("vm_id", &self.config.vm_id).finish_non_exhaustive()
    }
}
