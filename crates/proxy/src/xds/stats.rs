//! What is counted of subscriptions and streams.

use std::cell::Cell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use xxhash_rust::xxh64::xxh64;

use crate::stats::{ControlPlaneStats, StatsStore, SubscriptionStats, TextReadout, milliseconds};

/// Of one subscription.
pub(super) struct SubscriptionNumbers {
    stats: SubscriptionStats,
    version_text: TextReadout,
}

/// Of one stream.
pub(super) struct ControlPlaneNumbers {
    pub(super) stats: ControlPlaneStats,
    pub(super) identifier: TextReadout,
    /// `pending_requests` stays unwritten until something has had to wait (as in Envoy).
    has_waited: Cell<bool>,
}

// === impl SubscriptionNumbers ===

impl SubscriptionNumbers {
    pub(super) fn new(store: &StatsStore, prefix: &str) -> Self {
        let version_text = TextReadout::new(store, &format!("{prefix}version_text"));
        Self { stats: SubscriptionStats::new(store, prefix), version_text }
    }

    pub(super) fn attempted(&self) {
        self.stats.update_attempt().inc();
    }

    pub(super) fn accepted(&self, version: &str, took: Duration) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.stats.update_success().inc();
        self.stats.update_time().set(u64::try_from(now.as_millis()).unwrap_or(u64::MAX));
        self.stats.version().set(xxh64(version.as_bytes(), 0));
        self.version_text.set(version);
        self.stats.update_duration().record(milliseconds(took));
    }

    pub(super) fn failed(&self) {
        self.stats.update_failure().inc();
    }

    pub(super) fn rejected(&self) {
        self.stats.update_rejected().inc();
    }

    pub(super) fn timed_out(&self) {
        self.stats.init_fetch_timeout().inc();
    }
}

impl Drop for SubscriptionNumbers {
    /// Another one may have this name soon, and gauges of one name are added up.
    fn drop(&mut self) {
        self.stats.update_time().set(0);
        self.stats.version().set(0);
    }
}

// === impl ControlPlaneNumbers ===

impl ControlPlaneNumbers {
    pub(super) fn new(store: &StatsStore, prefix: &str) -> Self {
        Self {
            stats: ControlPlaneStats::new(store, prefix),
            identifier: TextReadout::new(store, &format!("{prefix}control_plane.identifier")),
            has_waited: Cell::new(false),
        }
    }

    pub(super) fn connected(&self, is: bool) {
        self.stats.connected_state().set(is.into());
    }

    pub(super) fn pending(&self, count: usize) {
        if count > 0 || self.has_waited.get() {
            self.has_waited.set(true);
            self.stats.pending_requests().set(count as u64);
        }
    }
}

impl Drop for ControlPlaneNumbers {
    fn drop(&mut self) {
        self.connected(false);
        self.pending(0);
    }
}
