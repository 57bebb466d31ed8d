//! Resources of control planes that pages show, one by one.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;

/// A resource of a control plane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ResourceView {
    /// Empty if unknown.
    pub(crate) version: String,
    /// When it was taken, or refused.
    pub(crate) updated: Option<SystemTime>,
    /// The message, serialized.
    pub(crate) serialized: Bytes,
}

/// Resources of one type as they are, by their names and by a number that tells those of one name apart.
#[derive(Debug, Default)]
pub(crate) struct ResourceViews(Mutex<BTreeMap<(String, u64), ResourceView>>);

// === impl ResourceViews ===

impl ResourceViews {
    pub(crate) fn set(&self, name: &str, number: u64, view: ResourceView) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((name.to_owned(), number), view);
    }

    pub(crate) fn remove(&self, name: &str, number: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&(name.to_owned(), number));
    }

    /// All of them in the order of their names.
    pub(crate) fn get(&self) -> Vec<ResourceView> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}
