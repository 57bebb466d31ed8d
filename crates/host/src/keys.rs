//! What makes two plugins share a VM or a root context.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::{PluginConfig, TrafficDirection, VmConfig};

/// Equal keys share a VM: `vm_id`, VM configuration and code. Not the runtime nor the environment (as in Envoy 1.40).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct VmKey([u8; 32]);

/// Within a VM, equal keys share a root context: `root_id`, configuration, name, direction and listener metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PluginKey([u8; 32]);

/// Identifies a module's bytes: their SHA-256, as `sha256sum` prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CodeHash([u8; 32]);

impl VmKey {
    pub(crate) fn of(config: &VmConfig) -> Self {
        Self(digest(&[config.vm_id.as_bytes(), &config.configuration, &config.code]))
    }
}

impl PluginKey {
    pub(crate) fn of(config: &PluginConfig) -> Self {
        let direction = match config.direction {
            TrafficDirection::Unspecified => "UNSPECIFIED",
            TrafficDirection::Inbound => "INBOUND",
            TrafficDirection::Outbound => "OUTBOUND",
        };
        let metadata = config.listener_metadata.as_deref();
        Self(digest(&[
            config.root_id.as_bytes(),
            &config.configuration,
            config.name.as_bytes(),
            direction.as_bytes(),
            if metadata.is_some() { b"metadata" } else { b"" },
            metadata.unwrap_or_default(),
        ]))
    }
}

impl CodeHash {
    pub(crate) fn of(code: &[u8]) -> Self {
        Self(Sha256::digest(code).into())
    }
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
fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}
