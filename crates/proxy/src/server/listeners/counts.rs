//! What `listener_manager.*` shows.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::stats::{Sample, StatKind};

/// Counted on the main thread, read by whoever shows stats.
#[derive(Debug, Default)]
pub(in crate::server) struct ListenerCounts {
    active: AtomicU64,
    warming: AtomicU64,
    draining: AtomicU64,
    chains_draining: AtomicU64,
    pub(super) added: AtomicU64,
    pub(super) modified: AtomicU64,
    pub(super) removed: AtomicU64,
    pub(super) in_place_updated: AtomicU64,
    pub(super) created: AtomicU64,
    pub(super) create_failed: AtomicU64,
}

// === impl ListenerCounts ===

impl ListenerCounts {
    pub(super) fn add(counter: &AtomicU64, count: usize) {
        counter.fetch_add(count as u64, Relaxed);
    }

    pub(in crate::server) fn set_active(&self, count: usize) {
        self.active.store(count as u64, Relaxed);
    }

    pub(super) fn set_warming(&self, count: usize) {
        self.warming.store(count as u64, Relaxed);
    }

    /// More, or fewer, listeners are drained.
    pub(super) fn draining(&self, began: bool) {
        if began {
            self.draining.fetch_add(1, Relaxed)
        } else {
            self.draining.fetch_sub(1, Relaxed)
        };
    }

    /// The same of filter chains of listeners that stay.
    pub(super) fn chains_draining(&self, began: bool, count: usize) {
        let count = count as u64;
        if began {
            self.chains_draining.fetch_add(count, Relaxed)
        } else {
            self.chains_draining.fetch_sub(count, Relaxed)
        };
    }

    /// Shows them under Envoy's names.
    pub(in crate::server) fn show(&self, add: &mut dyn FnMut(&str, Sample)) {
        for (name, counter) in [
            ("listener_added", &self.added),
            ("listener_modified", &self.modified),
            ("listener_removed", &self.removed),
            ("listener_in_place_updated", &self.in_place_updated),
            ("listener_create_success", &self.created),
            ("listener_create_failure", &self.create_failed),
        ] {
            let value = counter.load(Relaxed);
            add(&format!("listener_manager.{name}"), Sample { kind: StatKind::Counter, value, used: value != 0 });
        }
        for (name, gauge, always) in [
            ("total_listeners_active", &self.active, true),
            ("total_listeners_warming", &self.warming, true),
            ("total_listeners_draining", &self.draining, false),
            ("total_filter_chains_draining", &self.chains_draining, false),
        ] {
            let value = gauge.load(Relaxed);
            let sample = Sample { kind: StatKind::Gauge, value, used: always || value != 0 };
            add(&format!("listener_manager.{name}"), sample);
        }
    }
}
