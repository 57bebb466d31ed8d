//! Envoy's circuit breakers of one cluster: process-wide counts with limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

/// Envoy's default for every limit of a cluster (`circuit_breakers.thresholds`).
const DEFAULT_LIMIT: u32 = 1024;
/// Envoy's default for `max_retries`.
const DEFAULT_RETRIES: u32 = 3;

/// What a cluster uses over all workers. Counts are of the moment: two workers that ask at once may go over a limit by
/// one each, as in Envoy.
#[derive(Debug)]
pub(crate) struct Resources {
    pub(crate) connections: Arc<Resource>,
    pub(crate) pending_requests: Arc<Resource>,
    pub(crate) requests: Arc<Resource>,
    /// Retries waited for or in flight.
    pub(crate) retries: Arc<Resource>,
}

/// One counted thing.
#[derive(Debug)]
pub(crate) struct Resource {
    in_use: AtomicU32,
    limit: u32,
    used: AtomicBool,
}

/// One unit in use, given back when dropped.
#[derive(Debug)]
pub(crate) struct ResourceGuard(Arc<Resource>);

impl Default for Resources {
    fn default() -> Self {
        Self::new(DEFAULT_LIMIT, DEFAULT_LIMIT, DEFAULT_LIMIT)
    }
}

impl Resources {
    pub(crate) fn new(connections: u32, pending_requests: u32, requests: u32) -> Self {
        Self {
            connections: Resource::new(connections),
            pending_requests: Resource::new(pending_requests),
            requests: Resource::new(requests),
            retries: Resource::new(DEFAULT_RETRIES),
        }
    }
}

impl Resource {
    pub(crate) fn new(limit: u32) -> Arc<Self> {
        Arc::new(Self { in_use: AtomicU32::new(0), limit, used: AtomicBool::new(false) })
    }

    /// One unit, or nothing at the limit.
    pub(crate) fn acquire(self: &Arc<Self>) -> Option<ResourceGuard> {
        (self.in_use.load(Relaxed) < self.limit).then(|| self.acquire_over_limit())
    }

    /// Whether the limit is reached.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.in_use.load(Relaxed) >= self.limit
    }

    /// Whether there ever was a unit in use.
    pub(crate) fn was_used(&self) -> bool {
        self.used.load(Relaxed)
    }

    /// One unit, whatever the limit.
    pub(crate) fn acquire_over_limit(self: &Arc<Self>) -> ResourceGuard {
        self.in_use.fetch_add(1, Relaxed);
        if !self.used.load(Relaxed) {
            self.used.store(true, Relaxed);
        }
        ResourceGuard(Arc::clone(self))
    }
}

impl Drop for ResourceGuard {
    fn drop(&mut self) {
        self.0.in_use.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_until_given_back() {
        let resource = Resource::new(2);
        let first = resource.acquire();
        let second = resource.acquire();
        assert!(first.is_some() && second.is_some() && resource.acquire().is_none());
        let third = resource.acquire_over_limit();
        drop((first, third));
        assert!(resource.acquire().is_some());
    }
}
