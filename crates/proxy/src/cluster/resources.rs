//! Envoy's circuit breakers of one cluster: process-wide counts with limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use sandgate_config::model::{CircuitBreakers, RoutingPriority, Thresholds};

use crate::runtime::Runtime;

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
    /// Runtime keys of the budget: its percentage, and the least that is allowed.
    budget_keys: [String; 2],
    runtime: Arc<Runtime>,
}

/// One counted thing.
#[derive(Debug)]
pub(crate) struct Resource {
    in_use: AtomicU32,
    limit: Limit,
    used: AtomicBool,
}

/// A configured number that a runtime key overrides.
#[derive(Debug)]
struct Limit {
    default: u32,
    key: String,
    runtime: Arc<Runtime>,
}

/// One unit in use, given back when dropped.
#[derive(Debug)]
pub(crate) struct ResourceGuard(Arc<Resource>);

// === impl PriorityResources ===

impl PriorityResources {
    /// Those of a cluster. Runtime keys `circuit_breakers.<cluster>.<priority>.<limit>` override what is configured.
    pub(crate) fn new(cluster: &str, config: &CircuitBreakers, runtime: &Arc<Runtime>) -> Arc<Self> {
        let resources = |thresholds, priority: &str| {
            Resources::new(thresholds, &format!("circuit_breakers.{cluster}.{priority}."), runtime)
        };
        Arc::new(Self { default: resources(&config.default, "default"), high: resources(&config.high, "high") })
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
    fn new(thresholds: &Thresholds, prefix: &str, runtime: &Arc<Runtime>) -> Self {
        let resource = |name: &str, default| Resource::new(default, format!("{prefix}{name}"), runtime);
        Self {
            connections: resource("max_connections", thresholds.max_connections),
            pending_requests: resource("max_pending_requests", thresholds.max_pending_requests),
            requests: resource("max_requests", thresholds.max_requests),
            retries: resource("max_retries", thresholds.max_retries),
            pools: resource("max_connection_pools", thresholds.max_connection_pools),
            thresholds: thresholds.clone(),
            budget_keys: ["budget_percent", "min_retry_concurrency"].map(|name| format!("{prefix}retry_budget.{name}")),
            runtime: Arc::clone(runtime),
        }
    }

    /// The right to another attempt, or nothing at the limit.
    pub(crate) fn acquire_retry(&self) -> Option<ResourceGuard> {
        (self.retries.in_use.load(Relaxed) < self.retry_limit()).then(|| self.retries.acquire_over_limit())
    }

    /// How many retries there may be now: a share of what is in flight, if there is a budget.
    pub(crate) fn retry_limit(&self) -> u32 {
        match &self.thresholds.retry_budget {
            None => self.retries.limit(),
            Some(budget) => {
                let [percent, least] = &self.budget_keys;
                let percent = self.runtime.number(percent, budget.percent);
                let least = self.runtime.integer(least, budget.min_retry_concurrency.into());
                let in_flight =
                    self.requests.in_use.load(Relaxed).saturating_add(self.pending_requests.in_use.load(Relaxed));
                #[allow(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a cast of a float stops at the ends"
                )]
                let share = (percent / 100.0 * f64::from(in_flight)) as u32;
                share.max(u32::try_from(least).unwrap_or(u32::MAX))
            }
        }
    }

    /// What stats reckon with, see [`Resource::shown_limit`].
    pub(crate) fn shown_retry_limit(&self) -> u32 {
        if self.thresholds.retry_budget.is_some() { self.retry_limit() } else { self.retries.shown_limit() }
    }

    /// Whether stats show what is left.
    pub(crate) fn tracks_remaining(&self) -> bool {
        self.thresholds.track_remaining
    }
}

impl Resource {
    fn new(default: u32, key: String, runtime: &Arc<Runtime>) -> Arc<Self> {
        let limit = Limit { default, key, runtime: Arc::clone(runtime) };
        Arc::new(Self { in_use: AtomicU32::new(0), limit, used: AtomicBool::new(false) })
    }

    /// One unit, or nothing at the limit.
    pub(crate) fn acquire(self: &Arc<Self>) -> Option<ResourceGuard> {
        (self.in_use.load(Relaxed) < self.limit()).then(|| self.acquire_over_limit())
    }

    /// Whether there is another unit.
    pub(crate) fn has_room(&self) -> bool {
        self.in_use.load(Relaxed) < self.limit()
    }

    /// Units in use.
    pub(crate) fn in_use(&self) -> u32 {
        self.in_use.load(Relaxed)
    }

    /// What it is now.
    pub(crate) fn limit(&self) -> u32 {
        let Limit { default, key, runtime } = &self.limit;
        u32::try_from(runtime.integer(key, (*default).into())).unwrap_or(u32::MAX)
    }

    /// What stats reckon with: until something was in use, the configured limit (observed in Envoy 1.40).
    pub(crate) fn shown_limit(&self) -> u32 {
        if self.was_used() { self.limit() } else { self.limit.default }
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
        let resource = Resource::new(2, "limit".to_owned(), &Arc::default());
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
        let thresholds = Thresholds { retry_budget: Some(budget), ..Thresholds::default() };
        let resources = Resources::new(&thresholds, "", &Arc::default());
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
