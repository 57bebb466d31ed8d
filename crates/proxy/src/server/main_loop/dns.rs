//! Host sets: given ones at the start, resolved ones again and again.

use std::collections::HashSet;
use std::sync::Arc;

use sandgate_config::model::Discovery;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::cluster::{ClusterManager, ClusterTable, PrioritySet, Resolution, Resolver, WorkerCluster, host_sets};
use crate::worker::guarded;

/// What a resolution of one cluster gave.
#[derive(Debug)]
pub(super) struct HostUpdate {
    pub(super) cluster: usize,
    endpoint: usize,
    resolution: Resolution,
}

/// Puts given addresses in place.
pub(super) fn set_static_hosts(clusters: &ClusterTable) {
    for entry in &clusters.entries {
        entry.set_hosts(Arc::new(host_sets(&entry.config, &PrioritySet::default(), |_| Vec::new())));
    }
}

/// Starts to resolve names; what comes of it is told.
pub(super) fn start(clusters: &Arc<ClusterTable>) -> UnboundedReceiver<HostUpdate> {
    let (updates, inbox) = unbounded_channel();
    for (index, entry) in clusters.entries.iter().enumerate() {
        for resolver in Resolver::all(&entry.config) {
            let task = resolve(index, resolver, Arc::clone(clusters), updates.clone());
            tokio::task::spawn_local(guarded("resolver", task));
        }
    }
    inbox
}

async fn resolve(
    index: usize,
    mut resolver: Resolver,
    clusters: Arc<ClusterTable>,
    updates: UnboundedSender<HostUpdate>,
) {
    let Some(entry) = clusters.entries.get(index) else { return };
    let endpoint = resolver.endpoint();
    loop {
        let resolution = resolver.resolve(entry).await;
        if updates.send(HostUpdate { cluster: index, endpoint, resolution }).is_err() {
            return;
        }
        tokio::time::sleep(resolver.delay()).await;
    }
}

/// Waits until every cluster was resolved once, or for too long: then it begins without hosts, as in Envoy.
pub(super) async fn first_round(
    table: &ClusterTable,
    updates: &mut UnboundedReceiver<HostUpdate>,
    clusters: &ClusterManager,
) {
    let mut waiting: HashSet<_> = table
        .entries
        .iter()
        .enumerate()
        .flat_map(|(cluster, entry)| (0..Resolver::all(&entry.config).len()).map(move |endpoint| (cluster, endpoint)))
        .collect();
    let deadline = tokio::time::Instant::now() + super::FIRST_RESOLUTION;
    while !waiting.is_empty() {
        match tokio::time::timeout_at(deadline, updates.recv()).await {
            Ok(Some(update)) => {
                let _ = update.apply(clusters);
                waiting.remove(&(update.cluster, update.endpoint));
            }
            Ok(None) => return,
            Err(_) => {
                log::warn!(target: "upstream", "{} names are not resolved yet; starting without their hosts", waiting.len());
                return;
            }
        }
    }
}

/// Sets the membership stats of all clusters.
pub(super) fn count_members(table: &ClusterTable, clusters: &ClusterManager) {
    for (entry, cluster) in table.entries.iter().zip(clusters.iter()) {
        let hosts = entry.hosts();
        cluster.transport_stats.total_match_count().add(hosts.hosts.len() as u64);
        if matches!(entry.config.discovery, Discovery::Static) {
            let filled = hosts.priorities.iter().filter(|priority| !priority.all.is_empty());
            cluster.stats.membership_change().add(filled.count() as u64);
        }
        show_membership(cluster, &hosts);
        cluster.stats.warming_state().set(0);
    }
}

/// Shows how many hosts a cluster has.
pub(super) fn show_membership(cluster: &WorkerCluster, hosts: &PrioritySet) {
    let membership = hosts.membership();
    cluster.stats.membership_total().set(membership.total as u64);
    cluster.stats.membership_healthy().set(membership.healthy as u64);
    cluster.stats.membership_degraded().set(membership.degraded as u64);
    cluster.stats.membership_excluded().set(membership.excluded as u64);
}

impl HostUpdate {
    /// Counts it and takes it over on this thread; the hosts, if they have changed.
    pub(super) fn apply(&self, clusters: &ClusterManager) -> Option<Arc<PrioritySet>> {
        let cluster = clusters.at(self.cluster)?;
        let stats = &cluster.stats;
        stats.update_attempt().inc();
        match self.resolution.succeeded {
            true => stats.update_success().inc(),
            false => stats.update_failure().inc(),
        }
        let Some(hosts) = self.resolution.hosts.clone() else {
            if self.resolution.succeeded {
                stats.update_no_rebuild().inc();
            }
            return None;
        };
        stats.membership_change().inc();
        show_membership(cluster, &hosts);
        cluster.update(&hosts);
        Some(hosts)
    }
}
