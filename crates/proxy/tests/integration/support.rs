//! A client, an upstream and a server to test with.

mod client;
mod proxy;
mod upstream;

use std::time::{Duration, Instant};

pub(crate) use client::Client;
pub(crate) use proxy::{Lines, Proxy, bootstrap, cluster, cluster_of, direct, forward, hcm, prefix};
pub(crate) use upstream::Upstream;

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `condition` holds.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        std::thread::yield_now();
        std::thread::park_timeout(Duration::from_millis(2));
    }
}
