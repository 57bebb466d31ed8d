//! What makes two plugins share a VM or a root context.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::{PluginConfig, VmConfig};

/// Equal keys share a VM: `vm_id`, VM configuration, code, runtime, environment, capabilities, and what the configuration calls the
/// VM's identity (observed in Envoy 1.40); and what is ours: quotas and isolation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct VmKey([u8; 32]);

/// Within a VM, equal keys share a root context: `root_id`, name, configuration, and what the configuration calls the
/// plugin's identity. Not the listener's direction nor its metadata (observed in Envoy 1.40).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PluginKey([u8; 32]);

/// Identifies a module's bytes: their SHA-256, as `sha256sum` prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CodeHash([u8; 32]);

impl VmKey {
    pub(crate) fn of(config: &VmConfig) -> Self {
        let own = [config.vm_id.as_bytes(), &config.configuration, &config.code];
        // Where the environment ends and the capabilities begin.
        let variables = config.environment.len().to_le_bytes();
        let further = [config.runtime.as_bytes(), &config.identity, &variables];
        let environment = config.environment.iter().flat_map(|(key, value)| [key.as_bytes(), value.as_bytes()]);
        let capabilities = config.capabilities.allowed().map(str::as_bytes);
        // Numbers in a fixed order: equal texts are equal quotas.
        let quotas = format!("{:?}{:?}{:?}", config.limits, config.host_limits, config.isolation);
        let mut parts: Vec<_> = own.into_iter().chain(further).chain(environment).chain(capabilities).collect();
        parts.push(quotas.as_bytes());
        Self(digest(parts))
    }
}

impl PluginKey {
    pub(crate) fn of(config: &PluginConfig) -> Self {
        Self(digest([config.root_id.as_bytes(), &config.configuration, config.name.as_bytes(), &config.identity]))
    }
}

impl CodeHash {
    pub(crate) fn of(code: &[u8]) -> Self {
        Self(Sha256::digest(code).into())
    }
}

/// The SHA-256 of `bytes` in lower-case hexadecimal, as `sha256sum` prints it.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    CodeHash::of(bytes).to_string()
}

impl fmt::Display for VmKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hexadecimal(&self.0, f)
    }
}

impl fmt::Display for CodeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hexadecimal(&self.0, f)
    }
}

fn hexadecimal(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

/// Each part goes in with its length, so that no two lists of parts look alike.
fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}
