//! Secrets of control planes that `/config_dump` shows.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use prost::encoding::string;

use super::{ResourceView, ResourceViews};

/// Those that have come, and those that are waited for.
#[derive(Debug, Default)]
pub(crate) struct SecretViews {
    pub(super) active: ResourceViews,
    pub(super) warming: ResourceViews,
    next: AtomicU64,
}

/// Tells secrets of one name apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SecretNumber(u64);

// === impl SecretViews ===

impl SecretViews {
    /// A secret is waited for.
    pub(crate) fn add(&self, name: &str) -> SecretNumber {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        // As in Envoy: a secret with nothing but its name.
        let mut serialized = Vec::new();
        string::encode(1, &name.to_owned(), &mut serialized);
        let (version, updated) = ("uninitialized".to_owned(), Some(SystemTime::now()));
        self.warming.set(name, number, ResourceView { version, updated, serialized: serialized.into() });
        SecretNumber(number)
    }

    /// It has come, or another one instead.
    pub(crate) fn set_active(&self, name: &str, number: SecretNumber, view: ResourceView) {
        self.warming.remove(name, number.0);
        self.active.set(name, number.0, view);
    }

    /// Nobody wants it any more.
    pub(crate) fn remove(&self, name: &str, number: SecretNumber) {
        self.warming.remove(name, number.0);
        self.active.remove(name, number.0);
    }
}
