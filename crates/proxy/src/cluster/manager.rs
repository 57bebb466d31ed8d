//! All clusters: what is shared, and what a worker has of them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use sandgate_config::model::Cluster;

use super::{PriorityResources, PrioritySet, WorkerCluster};
use crate::outlier::ClusterRates;
use crate::pool::Sweeper;
use crate::runtime::Runtime;
use crate::server::StartError;
use crate::stats::StatsStore;
use crate::upstream_tls::UpstreamTls;

/// The clusters of a configuration, shared by all threads.
#[derive(Debug, Default)]
pub(crate) struct ClusterTable {
    pub(crate) entries: Vec<ClusterEntry>,
}

/// One cluster.
#[derive(Debug)]
pub(crate) struct ClusterEntry {
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

/// One worker's clusters.
pub(crate) struct ClusterManager {
    clusters: Vec<Rc<WorkerCluster>>,
    by_name: HashMap<String, usize>,
}

impl ClusterTable {
    /// # Errors
    /// What a cluster's TLS names is not there, or not what it should be.
    pub(crate) fn new(clusters: Vec<Cluster>, runtime: &Arc<Runtime>) -> Result<Arc<Self>, StartError> {
        let entry = |config: Cluster| {
            let tls = config.tls.as_ref().map(|tls| {
                let place = |source| StartError::Tls { origin: Box::new(tls.origin.clone()), source };
                UpstreamTls::load(tls, config.stat_name()).map_err(place)
            });
            Ok(ClusterEntry {
                resources: PriorityResources::new(&config.name, &config.circuit_breakers, runtime),
                tls: tls.transpose()?,
                config: Arc::new(config),
                outlier_rates: Arc::default(),
                resolved: Mutex::default(),
                hosts: Mutex::default(),
            })
        };
        Ok(Arc::new(Self { entries: clusters.into_iter().map(entry).collect::<Result<_, _>>()? }))
    }
}

impl ClusterTable {
    /// What is made of files.
    pub(crate) fn tls(&self) -> impl Iterator<Item = &Arc<UpstreamTls>> {
        self.entries.iter().filter_map(|entry| entry.tls.as_ref())
    }

    /// Shows when certificates end.
    pub(crate) fn show_expirations(&self, store: &StatsStore) {
        for entry in &self.entries {
            if let Some(tls) = &entry.tls {
                tls.show_expirations(store, entry.config.stat_name());
            }
        }
    }
}

impl ClusterEntry {
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

impl ClusterManager {
    pub(crate) fn new(
        table: &ClusterTable,
        sweeper: &Rc<Sweeper>,
        store: &StatsStore,
        runtime: &Arc<Runtime>,
    ) -> Rc<Self> {
        let clusters: Vec<_> = table
            .entries
            .iter()
            .map(|entry| {
                let cluster =
                    WorkerCluster::new(&entry.config, &entry.resources, entry.tls.as_ref(), sweeper, store, runtime);
                cluster.update(&entry.hosts());
                cluster
            })
            .collect();
        let by_name = clusters.iter().enumerate().map(|(index, c)| (c.config.name.clone(), index)).collect();
        Rc::new(Self { clusters, by_name })
    }

    /// The cluster with this name.
    pub(crate) fn get(&self, name: &str) -> Option<&Rc<WorkerCluster>> {
        self.clusters.get(*self.by_name.get(name)?)
    }

    /// All of them, in the order of the configuration.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Rc<WorkerCluster>> {
        self.clusters.iter()
    }

    /// The cluster at this place of the configuration.
    pub(crate) fn at(&self, index: usize) -> Option<&Rc<WorkerCluster>> {
        self.clusters.get(index)
    }
}
