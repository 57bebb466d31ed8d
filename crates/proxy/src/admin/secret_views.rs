//! Secrets of control planes that `/config_dump` shows.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use prost::encoding::string;

use super::{ResourceView, ResourceViews};
use crate::secrets::SecretType;

/// Those that have come, and those that are waited for, by kind.
#[derive(Debug, Default)]
pub(crate) struct SecretViews {
    active: [ResourceViews; 3],
    warming: [ResourceViews; 3],
    next: AtomicU64,
}

/// Tells secrets of one name apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SecretNumber {
    /// The place of its kind in Envoy's order.
    kind: usize,
    number: u64,
}

// === impl SecretViews ===

impl SecretViews {
    /// A secret is waited for.
    pub(crate) fn add(&self, name: &str, kind: SecretType) -> SecretNumber {
        let kind = match kind {
            SecretType::Certificate => 0,
            SecretType::Validation => 1,
            SecretType::TicketKeys => 2,
        };
        let number = SecretNumber { kind, number: self.next.fetch_add(1, Ordering::Relaxed) };
        // As in Envoy: a secret with nothing but its name.
        let mut serialized = Vec::new();
        string::encode(1, &name.to_owned(), &mut serialized);
        let (version, updated) = ("uninitialized".to_owned(), Some(SystemTime::now()));
        let view = ResourceView { version, updated, serialized: serialized.into() };
        of_kind(&self.warming, number, |views| views.set(name, number.number, view));
        number
    }

    /// It has come, or another one instead.
    pub(crate) fn set_active(&self, name: &str, number: SecretNumber, view: ResourceView) {
        of_kind(&self.warming, number, |views| views.remove(name, number.number));
        of_kind(&self.active, number, |views| views.set(name, number.number, view));
    }

    /// Nobody wants it any more.
    pub(crate) fn remove(&self, name: &str, number: SecretNumber) {
        for views in [&self.warming, &self.active] {
            of_kind(views, number, |views| views.remove(name, number.number));
        }
    }

    /// Those that have come.
    pub(super) fn active(&self) -> Vec<ResourceView> {
        self.active.iter().flat_map(ResourceViews::get).collect()
    }

    /// Those that are waited for.
    pub(super) fn warming(&self) -> Vec<ResourceView> {
        self.warming.iter().flat_map(ResourceViews::get).collect()
    }
}

fn of_kind(all: &[ResourceViews; 3], number: SecretNumber, act: impl FnOnce(&ResourceViews)) {
    if let Some(views) = all.get(number.kind) {
        act(views);
    }
}
