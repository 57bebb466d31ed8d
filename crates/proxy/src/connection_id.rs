//! Numbers of connections.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The next number.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A number that no other connection of the process has, of clients and upstreams alike; from 0, as in Envoy.
pub(crate) fn next_connection_id() -> u64 {
    NEXT.fetch_add(1, Relaxed)
}
