//! The clusters of one worker.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use sandgate_load_balancing::LocalHosts;

use super::{ClusterEntry, ClusterTable, WorkerCluster};
use crate::pool::Sweeper;
use crate::runtime::Runtime;
use crate::stats::StatsStore;

/// One worker's clusters.
pub(crate) struct ClusterManager {
    clusters: RefCell<Clusters>,
    sweeper: Rc<Sweeper>,
    store: Arc<StatsStore>,
    runtime: Arc<Runtime>,
    /// The name of the cluster that this process is one of, and its hosts.
    local: Option<(String, Rc<LocalHosts>)>,
}

#[derive(Default)]
struct Clusters {
    /// By their index in the table.
    all: BTreeMap<usize, Rc<WorkerCluster>>,
    /// Those that requests may go to.
    by_name: HashMap<String, Rc<WorkerCluster>>,
}

impl ClusterManager {
    /// The clusters that are active now.
    pub(crate) fn new(
        table: &ClusterTable,
        sweeper: &Rc<Sweeper>,
        store: &Arc<StatsStore>,
        runtime: &Arc<Runtime>,
    ) -> Rc<Self> {
        let (sweeper, store, runtime) = (Rc::clone(sweeper), Arc::clone(store), Arc::clone(runtime));
        let local = table.local().map(|local| (local.name.clone(), LocalHosts::new(local.own.clone())));
        let manager = Self { clusters: RefCell::default(), sweeper, store, runtime, local };
        for entry in table.all_active() {
            manager.add(&entry);
            manager.activate(entry.index);
        }
        Rc::new(manager)
    }

    /// The cluster with this name.
    pub(crate) fn get(&self, name: &str) -> Option<Rc<WorkerCluster>> {
        self.clusters.borrow().by_name.get(name).cloned()
    }

    /// Whether there is such a cluster.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.clusters.borrow().by_name.contains_key(name)
    }

    /// The earliest of what `when` says of each. It must not add or remove any.
    pub(crate) fn earliest<T: Ord>(&self, when: impl FnMut(&Rc<WorkerCluster>) -> Option<T>) -> Option<T> {
        self.clusters.borrow().all.values().filter_map(when).min()
    }

    /// All of them, the oldest first.
    pub(crate) fn all(&self) -> Vec<Rc<WorkerCluster>> {
        self.clusters.borrow().all.values().cloned().collect()
    }

    /// The cluster with this index, ready or not.
    pub(crate) fn at(&self, index: usize) -> Option<Rc<WorkerCluster>> {
        self.clusters.borrow().all.get(&index).cloned()
    }

    /// Adds a cluster, which requests do not find yet. One that is known stays as it is.
    pub(crate) fn add(&self, entry: &ClusterEntry) -> Rc<WorkerCluster> {
        if let Some(known) = self.at(entry.index) {
            return known;
        }
        let cluster = WorkerCluster::new(entry, &self.sweeper, &self.store, &self.runtime);
        match &self.local {
            Some((name, hosts)) if *name == entry.config.name => cluster.tell_hosts_to(hosts),
            Some((_, hosts)) => cluster.keep_in_zone(hosts),
            None => {}
        }
        cluster.update(&entry.hosts());
        self.clusters.borrow_mut().all.insert(entry.index, Rc::clone(&cluster));
        cluster
    }

    /// Requests go to the cluster from now on. The one that had its name ends: streams on it finish.
    pub(crate) fn activate(&self, index: usize) {
        let Some(cluster) = self.at(index) else { return };
        let replaced = self.clusters.borrow_mut().by_name.insert(cluster.config.name.clone(), Rc::clone(&cluster));
        if let Some(replaced) = replaced.filter(|replaced| !Rc::ptr_eq(replaced, &cluster)) {
            self.clusters.borrow_mut().all.retain(|_, other| !Rc::ptr_eq(other, &replaced));
            replaced.retire();
        }
    }

    /// The cluster is no more: streams on it finish.
    pub(crate) fn remove(&self, index: usize) {
        let Some(cluster) = self.clusters.borrow_mut().all.remove(&index) else { return };
        let mut clusters = self.clusters.borrow_mut();
        if clusters.by_name.get(&cluster.config.name).is_some_and(|active| Rc::ptr_eq(active, &cluster)) {
            clusters.by_name.remove(&cluster.config.name);
        }
        drop(clusters);
        cluster.retire();
    }
}
