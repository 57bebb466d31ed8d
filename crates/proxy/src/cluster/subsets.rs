//! What requests ask of the metadata of hosts.

use std::sync::Arc;

use sandgate_config::model::MetadataCriteria;
use sandgate_load_balancing::subset_duplicates;

use super::ClusterTable;
use crate::stats::{self, Sample, StatKind, StatsStore};

/// What a route asks for, with `envoy.lb` of pieces of dynamic metadata over it, the last over those before.
pub(crate) fn subset_criteria(
    of_route: Option<&Arc<MetadataCriteria>>,
    dynamic_metadata: &[&[u8]],
) -> Option<Arc<MetadataCriteria>> {
    let own = dynamic_metadata.iter().filter_map(|metadata| MetadataCriteria::of_metadata(metadata));
    own.fold(of_route.cloned(), |before, own| match before {
        Some(before) => Some(Arc::new(before.merged(&own))),
        None => Some(Arc::new(own)),
    })
}

/// Shows `cluster.<name>.lb_subsets_single_host_per_subset_duplicate` of clusters with subsets, counted when somebody asks.
pub(crate) fn add_subset_stats(store: &StatsStore, table: &Arc<ClusterTable>) {
    let table = Arc::clone(table);
    store.add_source(Box::new(move |add| {
        for entry in &table.all_active() {
            let Some(subsets) = &entry.config.load_balancing.subsets else { continue };
            let cluster = stats::scope_name(entry.config.stat_name());
            let value = subset_duplicates(&entry.hosts(), subsets);
            let name = format!("cluster.{cluster}.lb_subsets_single_host_per_subset_duplicate");
            add(&name, Sample { kind: StatKind::Gauge, value, used: true });
        }
    }));
}
