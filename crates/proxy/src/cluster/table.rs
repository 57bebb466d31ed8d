//! All clusters of the process: written by the main thread, read by it and whoever shows or looks something up.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use sandgate_config::model::{Bootstrap, Cluster, Discovery, NodeLocality};
use sandgate_load_balancing::Locality;

use super::{ClusterCounts, PriorityResources, PrioritySet, host_sets};
use crate::admin::ResourceView;
use crate::outlier::ClusterRates;
use crate::runtime::Runtime;
use crate::server::StartError;
use crate::stats::StatsStore;
use crate::upstream_tls::UpstreamTls;

/// The clusters there are. Every one has an index of its own, which is never used again: what comes too late for a cluster
/// that is gone finds nothing.
#[derive(Debug, Default)]
pub(crate) struct ClusterTable {
    state: Mutex<State>,
    /// What became of clusters.
    pub(crate) counts: ClusterCounts,
    /// What the control plane called its last update that changed something.
    version: Mutex<String>,
    local: OnceLock<LocalCluster>,
}

/// The cluster that this process is one of.
#[derive(Debug)]
pub(crate) struct LocalCluster {
    pub(crate) name: String,
    /// Where this process is.
    pub(crate) own: Option<Locality>,
}

#[derive(Debug, Default)]
struct State {
    next: usize,
    entries: BTreeMap<usize, Arc<ClusterEntry>>,
    /// Those that requests may go to.
    active: HashMap<String, usize>,
    /// The same names, for who reads routes; made when they are first wanted after a change.
    names: Option<Arc<HashSet<String>>>,
    /// Those that are not ready yet; one with the same name may be active.
    warming: HashMap<String, usize>,
}

/// Where a cluster's configuration comes from.
#[derive(Clone, Debug)]
pub(crate) enum ClusterOrigin {
    /// The bootstrap.
    Static,
    /// A control plane.
    Api(Box<DiscoveredCluster>),
}

/// What a control plane said.
#[derive(Clone, Debug)]
pub(crate) struct DiscoveredCluster {
    /// For who looks at it.
    pub(crate) view: ResourceView,
    /// `envoy.config.cluster.v3.Cluster` as it came.
    pub(crate) received: Bytes,
}

/// One cluster.
#[derive(Debug)]
pub(crate) struct ClusterEntry {
    pub(crate) index: usize,
    pub(crate) origin: ClusterOrigin,
    pub(crate) config: Arc<Cluster>,
    pub(crate) resources: Arc<PriorityResources>,
    /// What connections are encrypted with; nothing for plain text.
    pub(crate) tls: Option<Arc<UpstreamTls>>,
    /// What outlier detection compares hosts with.
    pub(crate) outlier_rates: Arc<ClusterRates>,
    /// What was found last of each endpoint, counted over all localities; only of DNS clusters.
    resolved: Mutex<HashMap<usize, Vec<SocketAddr>>>,
    /// The latest hosts: what a worker begins with.
    hosts: Mutex<Arc<PrioritySet>>,
}

// === impl ClusterTable ===

impl ClusterTable {
    /// The clusters of a bootstrap, all of them active. Given addresses are in place.
    ///
    /// # Errors
    /// What a cluster's TLS names is not there, or not what it should be.
    pub(crate) fn new(clusters: Vec<Cluster>, runtime: &Arc<Runtime>) -> Result<Arc<Self>, StartError> {
        let table = Self::default();
        for config in clusters {
            let entry = table.add(config, ClusterOrigin::Static, runtime)?;
            table.activate(entry.index);
            table.counts.added.inc();
        }
        Ok(Arc::new(table))
    }

    /// Says which cluster this process is one of, if it is; before any worker is made. Only the first call counts.
    pub(crate) fn set_local(&self, bootstrap: &Bootstrap) {
        let Some(name) = bootstrap.local_cluster_name.clone() else { return };
        let own = bootstrap.node.locality.clone();
        let own = own.map(|NodeLocality { region, zone, sub_zone }| Locality { region, zone, sub_zone });
        let _ = self.local.set(LocalCluster { name, own });
    }

    /// The cluster that this process is one of.
    pub(crate) fn local(&self) -> Option<&LocalCluster> {
        self.local.get()
    }

    /// Adds a cluster that is not ready yet. One of the same name that is not ready either has to be removed first.
    ///
    /// # Errors
    /// As [`ClusterTable::new`].
    pub(crate) fn add(
        &self,
        config: Cluster,
        origin: ClusterOrigin,
        runtime: &Arc<Runtime>,
    ) -> Result<Arc<ClusterEntry>, StartError> {
        let tls = config.tls.as_ref().map(|tls| {
            let place = |source| StartError::Tls { origin: Box::new(tls.origin.clone()), source };
            UpstreamTls::load(tls, config.stat_name()).map_err(place)
        });
        let tls = tls.transpose()?;
        let hosts = Arc::new(host_sets(&config, &PrioritySet::default(), |_| Vec::new()));
        let mut state = self.state();
        let index = state.next;
        state.next += 1;
        let entry = Arc::new(ClusterEntry {
            index,
            origin,
            resources: PriorityResources::new(&config.name, &config.circuit_breakers, runtime),
            tls,
            config: Arc::new(config),
            outlier_rates: Arc::default(),
            resolved: Mutex::default(),
            hosts: Mutex::new(hosts),
        });
        state.warming.insert(entry.config.name.clone(), index);
        state.entries.insert(index, Arc::clone(&entry));
        drop(state);
        Ok(entry)
    }

    /// A cluster is ready: gives it its name, and takes the one away that had it.
    pub(crate) fn activate(&self, index: usize) -> Option<Arc<ClusterEntry>> {
        let mut state = self.state();
        state.names = None;
        let name = state.entries.get(&index)?.config.name.clone();
        if state.warming.get(&name) == Some(&index) {
            state.warming.remove(&name);
        }
        let replaced = state.active.insert(name, index).filter(|replaced| *replaced != index)?;
        state.entries.remove(&replaced)
    }

    /// Takes a cluster away.
    pub(crate) fn remove(&self, index: usize) -> Option<Arc<ClusterEntry>> {
        let mut state = self.state();
        state.names = None;
        let entry = state.entries.remove(&index)?;
        let State { active, warming, .. } = &mut *state;
        for names in [active, warming] {
            if names.get(&entry.config.name) == Some(&index) {
                names.remove(&entry.config.name);
            }
        }
        drop(state);
        Some(entry)
    }

    /// The cluster with this index, ready or not.
    pub(crate) fn get(&self, index: usize) -> Option<Arc<ClusterEntry>> {
        self.state().entries.get(&index).cloned()
    }

    /// The active cluster of this name.
    pub(crate) fn active(&self, name: &str) -> Option<Arc<ClusterEntry>> {
        let state = self.state();
        state.entries.get(state.active.get(name)?).cloned()
    }

    /// The cluster of this name that is not ready yet.
    pub(crate) fn warming(&self, name: &str) -> Option<Arc<ClusterEntry>> {
        let state = self.state();
        state.entries.get(state.warming.get(name)?).cloned()
    }

    /// All that are active, the oldest first.
    pub(crate) fn all_active(&self) -> Vec<Arc<ClusterEntry>> {
        let state = self.state();
        let is_active = |entry: &&Arc<ClusterEntry>| state.active.get(&entry.config.name) == Some(&entry.index);
        state.entries.values().filter(is_active).cloned().collect()
    }

    /// All that are not ready yet, the oldest first.
    pub(crate) fn all_warming(&self) -> Vec<Arc<ClusterEntry>> {
        let state = self.state();
        let is_warming = |entry: &&Arc<ClusterEntry>| state.warming.get(&entry.config.name) == Some(&entry.index);
        state.entries.values().filter(is_warming).cloned().collect()
    }

    /// Shows when certificates end.
    pub(crate) fn show_expirations(self: &Arc<Self>, store: &StatsStore) {
        let table = Arc::clone(self);
        store.add_source(Box::new(move |add| {
            for entry in table.all_active() {
                if let Some(tls) = &entry.tls {
                    tls.visit_expirations(entry.config.stat_name(), add);
                }
            }
        }));
    }

    /// What the control plane called its last update that changed something; empty if there was none.
    pub(crate) fn version(&self) -> String {
        self.version.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets that.
    pub(crate) fn set_version(&self, version: &str) {
        version.clone_into(&mut self.version.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The names of all that are active.
    pub(crate) fn names(&self) -> Arc<HashSet<String>> {
        let mut state = self.state();
        let State { names, active, .. } = &mut *state;
        Arc::clone(names.get_or_insert_with(|| Arc::new(active.keys().cloned().collect())))
    }

    /// How many are active, and how many are not ready yet.
    pub(crate) fn numbers(&self) -> (usize, usize) {
        let state = self.state();
        (state.active.len(), state.warming.len())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl ClusterOrigin ===

impl ClusterOrigin {
    /// What a control plane said, if it did.
    pub(crate) fn view(&self) -> Option<&ResourceView> {
        match self {
            Self::Static => None,
            Self::Api(discovered) => Some(&discovered.view),
        }
    }

    /// Whether it came from a control plane.
    pub(crate) fn is_api(&self) -> bool {
        matches!(self, Self::Api(_))
    }
}

// === impl ClusterEntry ===

impl ClusterEntry {
    /// What its endpoints are asked for by, if somebody else tells them.
    pub(crate) fn service_name(&self) -> Option<&str> {
        let Discovery::Eds(eds) = &self.config.discovery else { return None };
        Some(if eds.service_name.is_empty() { &self.config.name } else { &eds.service_name })
    }

    pub(crate) fn hosts(&self) -> Arc<PrioritySet> {
        Arc::clone(&self.hosts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set_hosts(&self, hosts: Arc<PrioritySet>) {
        *self.hosts.lock().unwrap_or_else(PoisonError::into_inner) = hosts;
    }

    /// What the address of an endpoint resolved to last.
    pub(crate) fn resolved(&self, endpoint: usize) -> Vec<SocketAddr> {
        let resolved = self.resolved.lock().unwrap_or_else(PoisonError::into_inner);
        resolved.get(&endpoint).cloned().unwrap_or_default()
    }

    pub(crate) fn set_resolved(&self, endpoint: usize, addresses: Vec<SocketAddr>) {
        self.resolved.lock().unwrap_or_else(PoisonError::into_inner).insert(endpoint, addresses);
    }

    /// Sorts the hosts anew by the health they have now, for the main thread to push to the workers; nothing if that
    /// changes nothing.
    pub(crate) fn reload_healthy_hosts(&self) -> Option<Arc<PrioritySet>> {
        let old = self.hosts();
        let new = Arc::new(old.with_health_now());
        if new.is_same(&old) {
            return None;
        }
        self.set_hosts(Arc::clone(&new));
        Some(new)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn a_name_goes_over_to_the_new_one_when_it_is_ready() {
        let runtime = Arc::default();
        let table = ClusterTable::new(vec![Cluster::new("c")], &runtime).unwrap();
        let index = |name: &str| table.active(name).map(|entry| entry.index);
        let new = table.add(Cluster::new("c"), ClusterOrigin::Static, &runtime).unwrap();
        assert_eq!((index("c"), table.numbers()), (Some(0), (1, 1)));
        assert_eq!(table.activate(new.index).map(|old| old.index), Some(0));
        assert_eq!((index("c"), table.numbers(), table.get(0).is_none()), (Some(1), (1, 0), true));
        assert!(table.remove(1).is_some() && table.remove(1).is_none() && table.activate(1).is_none());
        let third = table.add(Cluster::new("c"), ClusterOrigin::Static, &runtime).unwrap();
        assert_eq!((index("c"), third.index), (None, 2), "an index is never used again");
        assert_eq!((table.warming("c").unwrap().index, table.all_active().len()), (2, 0));
    }
}
