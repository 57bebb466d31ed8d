//! What `/clusters` shows of a host. Written by all threads.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A host's own numbers, with Envoy's names.
#[derive(Debug, Default)]
pub struct HostStats {
    /// Connections open (gauge).
    pub cx_active: AtomicU64,
    /// Connections that could not be made.
    pub cx_connect_fail: AtomicU64,
    /// Connections tried.
    pub cx_total: AtomicU64,
    /// Requests in flight (gauge); what least request goes by.
    pub rq_active: AtomicU64,
    /// Responses of 5xx, and requests without one.
    pub rq_error: AtomicU64,
    /// Other responses.
    pub rq_success: AtomicU64,
    /// Requests that ran into a timeout.
    pub rq_timeout: AtomicU64,
    /// Requests sent.
    pub rq_total: AtomicU64,
}

impl HostStats {
    /// Counters by name, in Envoy's order.
    #[must_use]
    pub fn counters(&self) -> [(&'static str, u64); 6] {
        [
            ("cx_connect_fail", &self.cx_connect_fail),
            ("cx_total", &self.cx_total),
            ("rq_error", &self.rq_error),
            ("rq_success", &self.rq_success),
            ("rq_timeout", &self.rq_timeout),
            ("rq_total", &self.rq_total),
        ]
        .map(|(name, value)| (name, value.load(Relaxed)))
    }

    /// Gauges by name, in Envoy's order.
    #[must_use]
    pub fn gauges(&self) -> [(&'static str, u64); 2] {
        [("cx_active", self.cx_active.load(Relaxed)), ("rq_active", self.rq_active.load(Relaxed))]
    }

    /// Adds one.
    pub fn inc(value: &AtomicU64) {
        value.fetch_add(1, Relaxed);
    }

    /// Takes one away from a gauge.
    pub fn dec(value: &AtomicU64) {
        value.fetch_sub(1, Relaxed);
    }
}
