//! How the tables of hashing policies came out: read when somebody asks.

use std::sync::Arc;

use sandgate_config::model::LbPolicy;

use super::ClusterTable;
use crate::stats::{self, Sample, StatKind, StatsStore};

/// Shows `cluster.<name>.ring_hash_lb.*` and `cluster.<name>.maglev_lb.*`, of clusters with these policies.
pub(crate) fn add_hash_stats(store: &StatsStore, table: &Arc<ClusterTable>) {
    let table = Arc::clone(table);
    store.add_source(Box::new(move |add| {
        for entry in &table.all_active() {
            let (scope, names) = match &entry.config.load_balancing.policy {
                LbPolicy::RingHash(_) => ("ring_hash_lb", ["size", "min_hashes_per_host", "max_hashes_per_host"]),
                LbPolicy::Maglev(_) => ("maglev_lb", ["", "min_entries_per_host", "max_entries_per_host"]),
                _ => continue,
            };
            let cluster = stats::scope_name(entry.config.stat_name());
            let made = entry.hosts().made_hash_tables().map(|tables| tables.stats());
            let used = made.is_some_and(|stats| stats.size > 0);
            let made = made.unwrap_or_default();
            for (name, value) in names.iter().zip([made.size, made.min_per_host, made.max_per_host]) {
                if !name.is_empty() {
                    let name = format!("cluster.{cluster}.{scope}.{name}");
                    add(&name, Sample { kind: StatKind::Gauge, value, used });
                }
            }
        }
    }));
}
