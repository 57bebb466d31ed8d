//! Which circuit breakers are open: read from what is in use, when somebody asks.

use std::sync::Arc;

use sandgate_config::model::RoutingPriority;

use super::{ClusterTable, Resource};
use crate::stats::{self, Sample, StatKind, StatsStore};

/// Shows `cluster.<name>.circuit_breakers.<priority>.*_open`, and `remaining_*` where the configuration asks for it.
pub(crate) fn add_breaker_stats(store: &StatsStore, table: &Arc<ClusterTable>) {
    let table = Arc::clone(table);
    store.add_source(Box::new(move |add| {
        for entry in &table.all_active() {
            let cluster = stats::scope_name(entry.config.stat_name());
            // Pools of both priorities come and go with connections of either.
            let any = &entry.resources.of(RoutingPriority::Default).connections;
            for (priority, name) in [(RoutingPriority::Default, "default"), (RoutingPriority::High, "high")] {
                let resources = entry.resources.of(priority);
                let mut show = |open: &str, remaining: &str, resource: &Resource, limit: u32| {
                    // Envoy's limit of pools is one of 64 bits.
                    let limit = if limit == u32::MAX { u64::MAX } else { limit.into() };
                    let left = limit.saturating_sub(resource.in_use().into());
                    let used = resource.was_used() || (open == "cx_pool" && any.was_used());
                    let mut gauge = |stat: std::fmt::Arguments<'_>, value: u64| {
                        let name = format!("cluster.{cluster}.circuit_breakers.{name}.{stat}");
                        add(&name, Sample { kind: StatKind::Gauge, value, used });
                    };
                    // What was never used is not open, whatever the limit.
                    gauge(format_args!("{open}_open"), u64::from(left == 0 && resource.was_used()));
                    if resources.tracks_remaining() {
                        gauge(format_args!("remaining_{remaining}"), left);
                    }
                };
                show("cx", "cx", &resources.connections, resources.connections.shown_limit());
                show("cx_pool", "cx_pools", &resources.pools, resources.pools.shown_limit());
                show("rq", "rq", &resources.requests, resources.requests.shown_limit());
                show("rq_pending", "pending", &resources.pending_requests, resources.pending_requests.shown_limit());
                show("rq_retry", "retries", &resources.retries, resources.shown_retry_limit());
            }
        }
    }));
}
