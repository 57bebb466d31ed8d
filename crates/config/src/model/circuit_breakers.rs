//! How much a cluster may use at once.

use super::RoutingPriority;

/// Envoy's `envoy.config.cluster.v3.CircuitBreakers`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CircuitBreakers {
    /// For requests of priority `DEFAULT`.
    pub default: Thresholds,
    /// For requests of priority `HIGH`.
    pub high: Thresholds,
    /// Connections to one endpoint, for requests of priority `DEFAULT`. No limit by default.
    pub per_host_connections: Option<u32>,
    /// The same for requests of priority `HIGH`.
    pub per_host_connections_high: Option<u32>,
}

/// Envoy's `CircuitBreakers.Thresholds`, over all endpoints and workers.
#[derive(Clone, Debug, PartialEq)]
pub struct Thresholds {
    /// 1024 by default.
    pub max_connections: u32,
    /// Requests that wait for a connection. 1024 by default.
    pub max_pending_requests: u32,
    /// 1024 by default.
    pub max_requests: u32,
    /// Retries at once. 3 by default; without effect if there is a budget.
    pub max_retries: u32,
    /// Connection pools: endpoints that a worker has connections to. `u32::MAX` by default.
    pub max_connection_pools: u32,
    /// Retries at once as a share of the requests.
    pub retry_budget: Option<RetryBudget>,
    /// Stats show what is left.
    pub track_remaining: bool,
}

/// Envoy's `CircuitBreakers.Thresholds.RetryBudget`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryBudget {
    /// Of the requests in flight or waiting, how many may be retries. 20 by default.
    pub percent: f64,
    /// So many may be retries in any case. 3 by default.
    pub min_retry_concurrency: u32,
}

// === impl CircuitBreakers ===

impl CircuitBreakers {
    /// Connections to one endpoint.
    #[must_use]
    pub fn per_host(&self, priority: RoutingPriority) -> Option<u32> {
        match priority {
            RoutingPriority::Default => self.per_host_connections,
            RoutingPriority::High => self.per_host_connections_high,
        }
    }
}

// === impl Thresholds ===

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            max_connections: 1024,
            max_pending_requests: 1024,
            max_requests: 1024,
            max_retries: 3,
            max_connection_pools: u32::MAX,
            retry_budget: None,
            track_remaining: false,
        }
    }
}
