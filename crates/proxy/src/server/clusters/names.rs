//! Host sets of names: resolved again and again.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use crate::cluster::{ClusterEntry, ClusterManager, PrioritySet, Resolution, Resolver, WorkerCluster};
use crate::worker::guarded;

/// How long a cluster waits for names before it begins without them, as in Envoy.
const FIRST_RESOLUTION: Duration = Duration::from_secs(5);

/// What there is to say of a cluster's names.
#[derive(Debug)]
pub(super) enum NameNews {
    /// A resolution has ended.
    Resolved(HostUpdate),
    /// The first resolutions of this cluster take too long.
    Late(usize),
}

/// What a resolution of one cluster gave.
#[derive(Debug)]
pub(super) struct HostUpdate {
    pub(super) cluster: usize,
    endpoint: usize,
    resolution: Resolution,
}

/// Resolves the names of all clusters that have any.
#[derive(Debug)]
pub(super) struct Names {
    clusters: BTreeMap<usize, ClusterNames>,
    news: UnboundedSender<NameNews>,
}

#[derive(Debug)]
struct ClusterNames {
    /// Endpoints that were not resolved yet.
    waiting: HashSet<usize>,
    tasks: Vec<JoinHandle<()>>,
}

// === impl Names ===

impl Names {
    /// Nothing to resolve yet; what comes of it is told.
    pub(super) fn new() -> (Self, UnboundedReceiver<NameNews>) {
        let (news, inbox) = unbounded_channel();
        (Self { clusters: BTreeMap::new(), news }, inbox)
    }

    /// Begins to resolve the names of a cluster, if it has any. Inside a `LocalSet`.
    pub(super) fn add(&mut self, entry: &Arc<ClusterEntry>) {
        let resolvers = Resolver::all(&entry.config);
        if resolvers.is_empty() {
            return;
        }
        let index = entry.index;
        let waiting = resolvers.iter().map(Resolver::endpoint).collect();
        let mut tasks: Vec<_> = resolvers
            .into_iter()
            .map(|resolver| {
                let task = resolve(resolver, Arc::clone(entry), self.news.clone());
                tokio::task::spawn_local(guarded("resolver", task))
            })
            .collect();
        let news = self.news.clone();
        tasks.push(tokio::task::spawn_local(guarded("resolver", async move {
            tokio::time::sleep(FIRST_RESOLUTION).await;
            let _ = news.send(NameNews::Late(index));
        })));
        self.clusters.insert(index, ClusterNames { waiting, tasks });
    }

    /// The cluster is no more.
    pub(super) fn remove(&mut self, index: usize) {
        self.clusters.remove(&index);
    }

    /// Whether the cluster waits for names.
    pub(super) fn is_waiting(&self, index: usize) -> bool {
        self.clusters.get(&index).is_some_and(|names| !names.waiting.is_empty())
    }

    /// One name was resolved, or could not be.
    pub(super) fn resolved(&mut self, update: &HostUpdate) {
        if let Some(names) = self.clusters.get_mut(&update.cluster) {
            names.waiting.remove(&update.endpoint);
        }
    }

    /// The cluster waits no longer.
    pub(super) fn late(&mut self, index: usize) {
        let Some(names) = self.clusters.get_mut(&index).filter(|names| !names.waiting.is_empty()) else { return };
        log::warn!(target: "upstream", "{} names are not resolved yet; starting without their hosts", names.waiting.len());
        names.waiting.clear();
    }
}

impl Drop for ClusterNames {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn resolve(mut resolver: Resolver, entry: Arc<ClusterEntry>, news: UnboundedSender<NameNews>) {
    let endpoint = resolver.endpoint();
    loop {
        let resolution = resolver.resolve(&entry).await;
        let update = HostUpdate { cluster: entry.index, endpoint, resolution };
        if news.send(NameNews::Resolved(update)).is_err() {
            return;
        }
        tokio::time::sleep(resolver.delay()).await;
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
        cluster.update(&hosts);
        Some(hosts)
    }
}
