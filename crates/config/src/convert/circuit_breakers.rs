//! How much a cluster may use at once.

use super::Context;
use crate::{
    model::{CircuitBreakers, RetryBudget, RoutingPriority, Thresholds},
    proto::envoy::config::{
        cluster::v3::{self as proto, circuit_breakers as breakers},
        core::v3 as core,
    },
};

/// Converts the circuit breakers; of several thresholds of one priority the first counts, as in Envoy.
pub(super) fn circuit_breakers(context: &mut Context<'_>, message: proto::CircuitBreakers) -> CircuitBreakers {
    let all: Vec<_> = context.list("thresholds", message.thresholds, |_, message| {
        Some((routing_priority(message.priority), thresholds(&message)))
    });
    let of = |wanted| {
        let found = all.iter().find(|(priority, _)| *priority == wanted);
        found.map(|(_, thresholds)| thresholds.clone()).unwrap_or_default()
    };
    let per_host = context.list("per_host_thresholds", message.per_host_thresholds, |context, message| {
        if message.max_pending_requests.is_some()
            || message.max_requests.is_some()
            || message.max_retries.is_some()
            || message.max_connection_pools.is_some()
            || message.retry_budget.is_some()
        {
            context.error("Unsupported field in per_host_thresholds");
        }
        Some((routing_priority(message.priority), message.max_connections))
    });
    let connections = |wanted| per_host.iter().find(|(priority, _)| *priority == wanted).and_then(|(_, max)| *max);
    CircuitBreakers {
        default: of(RoutingPriority::Default),
        high: of(RoutingPriority::High),
        per_host_connections: connections(RoutingPriority::Default),
        per_host_connections_high: connections(RoutingPriority::High),
    }
}

/// Of a request or a threshold.
pub(super) fn routing_priority(priority: i32) -> RoutingPriority {
    match core::RoutingPriority::try_from(priority) {
        Ok(core::RoutingPriority::High) => RoutingPriority::High,
        Ok(core::RoutingPriority::Default) | Err(_) => RoutingPriority::Default,
    }
}

fn thresholds(message: &breakers::Thresholds) -> Thresholds {
    let defaults = Thresholds::default();
    let budget = message.retry_budget.as_ref().map(|budget| RetryBudget {
        percent: budget.budget_percent.as_ref().map_or(20.0, |percent| percent.value),
        min_retry_concurrency: budget.min_retry_concurrency.unwrap_or(3),
    });
    Thresholds {
        max_connections: message.max_connections.unwrap_or(defaults.max_connections),
        max_pending_requests: message.max_pending_requests.unwrap_or(defaults.max_pending_requests),
        max_requests: message.max_requests.unwrap_or(defaults.max_requests),
        max_retries: message.max_retries.unwrap_or(defaults.max_retries),
        max_connection_pools: message.max_connection_pools.unwrap_or(defaults.max_connection_pools),
        retry_budget: budget,
        track_remaining: message.track_remaining,
    }
}
