//! Which circuit breakers are open: read from what is in use, when somebody asks.

use std::sync::Arc;

use super::{ClusterTable, Resource};
use crate::stats::{self, Sample, StatKind, StatsStore};

/// Shows `cluster.<name>.circuit_breakers.<priority>.*_open`.
pub(crate) fn add_breaker_stats(store: &StatsStore, table: &Arc<ClusterTable>) {
    let table = Arc::clone(table);
    store.add_source(Box::new(move |add| {
        for entry in &table.entries {
            let resources = &entry.resources;
            let mut show = |priority: &str, what: &str, resource: Option<&Resource>| {
                let value = resource.is_some_and(Resource::is_exhausted).into();
                // Pools of both priorities come and go with connections of either.
                let used = resource.or((what == "cx_pool").then_some(&*resources.connections));
                let used = used.is_some_and(Resource::was_used);
                let name = format!(
                    "cluster.{}.circuit_breakers.{priority}.{what}_open",
                    stats::scope_name(entry.config.stat_name())
                );
                add(&name, Sample { kind: StatKind::Gauge, value, used });
            };
            show("default", "cx", Some(&resources.connections));
            show("default", "rq", Some(&resources.requests));
            show("default", "rq_pending", Some(&resources.pending_requests));
            for (priority, what) in [("default", "cx_pool"), ("default", "rq_retry")] {
                show(priority, what, None);
            }
            for what in ["cx", "cx_pool", "rq", "rq_pending", "rq_retry"] {
                show("high", what, None);
            }
        }
    }));
}
