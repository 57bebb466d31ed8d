//! What became of clusters: `cluster_manager.*`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::ClusterTable;
use crate::stats::{Sample, StatKind, StatsStore};

/// Counters of all clusters together, named as Envoy names them.
#[derive(Debug, Default)]
pub(crate) struct ClusterCounts {
    /// Clusters added.
    pub(crate) added: Count,
    /// Clusters whose configuration was replaced.
    pub(crate) modified: Count,
    /// Clusters removed.
    pub(crate) removed: Count,
    /// Hosts told to the threads at once.
    pub(crate) updated: Count,
    /// … after changes were gathered for a time.
    pub(crate) updated_via_merge: Count,
    /// Gathered changes that were told with others at once.
    pub(crate) merge_cancelled: Count,
    /// Changes that need not be gathered, since the last ones were long ago.
    pub(crate) out_of_merge_window: Count,
}

/// A number that grows.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    /// Adds one.
    pub(crate) fn inc(&self) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// Shows them, and how many clusters there are.
pub(crate) fn add_cluster_counts(store: &StatsStore, table: &Arc<ClusterTable>) {
    let table = Arc::clone(table);
    store.add_source(Box::new(move |add| {
        let counts = &table.counts;
        for (name, count) in [
            ("cluster_added", &counts.added),
            ("cluster_modified", &counts.modified),
            ("cluster_removed", &counts.removed),
            ("cluster_updated", &counts.updated),
            ("cluster_updated_via_merge", &counts.updated_via_merge),
            ("update_merge_cancelled", &counts.merge_cancelled),
            ("update_out_of_merge_window", &counts.out_of_merge_window),
        ] {
            let value = count.0.load(Relaxed);
            let sample = Sample { kind: StatKind::Counter, value, used: value != 0 };
            add(&format!("cluster_manager.{name}"), sample);
        }
        let (active, warming) = table.numbers();
        for (name, value) in [("active_clusters", active), ("warming_clusters", warming)] {
            let sample = Sample { kind: StatKind::Gauge, value: value as u64, used: true };
            add(&format!("cluster_manager.{name}"), sample);
        }
    }));
}
