//! Envoy's circuit breakers of one cluster: process-wide counts with limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use sandgate_config::model::{CircuitBreakers, RoutingPriority, Thresholds};

/// The circuit breakers of both priorities.
#[derive(Debug)]
pub(crate) struct PriorityResources {
    default: Resources,
    high: Resources,
}

/// What a cluster uses over all workers. Counts are of the moment: two workers that ask at once may go over a limit by
/// one each, as in Envoy.
#[derive(Debug)]
pub(crate) struct Resources {
    pub(crate) connections: Arc<Resource>,
    pub(crate) pending_requests: Arc<Resource>,
    pub(crate) requests: Arc<Resource>,
    /// Retries waited for or in flight. With a budget their limit moves: ask [`Resources::acquire_retry`].
    pub(crate) retries: Arc<Resource>,
    /// Hosts that a worker has connections to.
    pub(crate) pools: Arc<Resource>,
    thresholds: Thresholds,
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

// === impl PriorityResources ===

impl PriorityResources {
    pub(crate) fn new(config: &CircuitBreakers) -> Arc<Self> {
        Arc::new(Self { default: Resources::new(&config.default), high: Resources::new(&config.high) })
    }

    pub(crate) fn of(&self, priority: RoutingPriority) -> &Resources {
        match priority {
            RoutingPriority::Default => &self.default,
            RoutingPriority::High => &self.high,
        }
    }
}

// === impl Resources ===

impl Resources {
    fn new(thresholds: &Thresholds) -> Self {
        Self {
            connections: Resource::new(thresholds.max_connections),
            pending_requests: Resource::new(thresholds.max_pending_requests),
            requests: Resource::new(thresholds.max_requests),
            retries: Resource::new(thresholds.max_retries),
            pools: Resource::new(thresholds.max_connection_pools),
            thresholds: thresholds.clone(),
        }
    }

    /// The right to another attempt, or nothing at the limit.
    pub(crate) fn acquire_retry(&self) -> Option<ResourceGuard> {
        (self.retries.in_use.load(Relaxed) < self.retry_limit()).then(|| self.retries.acquire_over_limit())
    }

    /// How many retries there may be now: a share of what is in flight, if there is a budget.
    pub(crate) fn retry_limit(&self) -> u32 {
        match &self.thresholds.retry_budget {
            None => self.thresholds.max_retries,
            Some(budget) => {
                let in_flight =
                    self.requests.in_use.load(Relaxed).saturating_add(self.pending_requests.in_use.load(Relaxed));
                #[allow(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a cast of a float stops at the ends"
                )]
                let share = (budget.percent / 100.0 * f64::from(in_flight)) as u32;
                share.max(budget.min_retry_concurrency)
            }
        }
    }

    /// Whether stats show what is left.
    pub(crate) fn tracks_remaining(&self) -> bool {
        self.thresholds.track_remaining
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

    /// Units in use.
    pub(crate) fn in_use(&self) -> u32 {
        self.in_use.load(Relaxed)
    }

    pub(crate) fn limit(&self) -> u32 {
        self.limit
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
    use sandgate_config::model::RetryBudget;

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

    #[test]
    fn a_budget_follows_what_is_in_flight() {
        let budget = RetryBudget { percent: 50.0, min_retry_concurrency: 1 };
        let resources = Resources::new(&Thresholds { retry_budget: Some(budget), ..Thresholds::default() });
        let first = resources.acquire_retry();
        assert!(first.is_some() && resources.acquire_retry().is_none());
        let in_flight: Vec<_> = (0..3).map(|_| resources.requests.acquire()).collect();
        assert!(resources.acquire_retry().is_none());
        let _pending = resources.pending_requests.acquire();
        assert_eq!(resources.retry_limit(), 2);
        assert!(resources.acquire_retry().is_some());
        drop(in_flight);
        assert_eq!(resources.retry_limit(), 1);
    }
}
