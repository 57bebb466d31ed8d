//! Endpoints that a control plane tells.

use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use sandgate_config::model::{ClusterLoadAssignment, Discovery};
use tokio::task::JoinHandle;

use super::Clusters;
use crate::cluster::{ClusterEntry, assigned};
use crate::worker::guarded;
use crate::xds::{Names, ResourceType, Subscription, SubscriptionCallbacks, Update};

/// The subscriptions of all clusters whose endpoints are told.
#[derive(Default)]
pub(super) struct Endpoints(BTreeMap<usize, ClusterEndpoints>);

struct ClusterEndpoints {
    /// Something has come, or nothing in time.
    answered: bool,
    stale: Option<JoinHandle<()>>,
    _subscription: Subscription,
}

/// Is told of one cluster's endpoints.
struct Listening {
    clusters: Weak<Clusters>,
    index: usize,
    name: String,
}

// === impl Endpoints ===

impl Endpoints {
    /// Whether the cluster waits for endpoints.
    pub(super) fn is_waiting(&self, index: usize) -> bool {
        self.0.get(&index).is_some_and(|endpoints| !endpoints.answered)
    }

    /// The cluster is no more.
    pub(super) fn remove(&mut self, index: usize) {
        self.0.remove(&index);
    }
}

impl Drop for ClusterEndpoints {
    fn drop(&mut self) {
        if let Some(stale) = &self.stale {
            stale.abort();
        }
    }
}

// === impl Clusters ===

impl Clusters {
    /// Asks for the endpoints of a cluster, if somebody is to be asked. Its hosts are not there before that.
    pub(super) fn ask_for_endpoints(self: &Rc<Self>, entry: &Arc<ClusterEntry>) {
        let Discovery::Eds(eds) = &entry.config.discovery else { return };
        let name = entry.service_name().unwrap_or(&entry.config.name);
        let listening = Rc::new(Listening { clusters: Rc::downgrade(self), index: entry.index, name: name.to_owned() });
        let prefix = format!("cluster.{}.", crate::stats::scope_name(entry.config.stat_name()));
        let subscription =
            self.xds.subscribe(&eds.source, ResourceType::Endpoint, Names::one(name), &prefix, listening);
        let endpoints = ClusterEndpoints { answered: false, stale: None, _subscription: subscription };
        self.endpoints.borrow_mut().0.insert(entry.index, endpoints);
    }

    fn answered(self: &Rc<Self>, index: usize) {
        if let Some(endpoints) = self.endpoints.borrow_mut().0.get_mut(&index) {
            endpoints.answered = true;
        }
        self.check(index);
    }

    fn on_assignment(self: &Rc<Self>, index: usize, assignment: &ClusterLoadAssignment) {
        self.keep_for(index, assignment);
        self.assign(index, assignment);
        self.answered(index);
    }

    fn assign(&self, index: usize, assignment: &ClusterLoadAssignment) {
        let (Some(entry), Some(cluster)) = (self.table().get(index), self.local.at(index)) else { return };
        let old = entry.hosts();
        let new = assigned(&entry.config, &old, assignment);
        let hosts = Arc::new(new.hosts);
        if hosts.is_same(&old) {
            cluster.stats.update_no_rebuild().inc();
            return;
        }
        cluster.stats.membership_change().add(new.changed as u64);
        // Of the last priority, as in Envoy.
        let last = hosts.hosts.iter().map(|host| host.priority).max();
        let heaviest = hosts.hosts.iter().filter(|host| Some(host.priority) == last).map(|host| host.weight).max();
        cluster.stats.max_host_weight().set(heaviest.unwrap_or(1).into());
        if !self.waiting.borrow().contains(&index) {
            cluster.transport_stats.total_match_count().add(new.made as u64);
        }
        self.take_hosts(&entry, &cluster, hosts);
    }

    /// Endpoints may have a time after which they are gone unless they come again.
    fn keep_for(self: &Rc<Self>, index: usize, assignment: &ClusterLoadAssignment) {
        let stale = assignment.endpoint_stale_after.filter(|after| *after >= Duration::from_millis(1));
        if stale.is_some()
            && let Some(cluster) = self.local.at(index)
        {
            cluster.stats.assignment_timeout_received().inc();
        }
        let task = stale.map(|after| {
            let (this, empty) =
                (Rc::downgrade(self), ClusterLoadAssignment { localities: Vec::new(), ..assignment.clone() });
            tokio::task::spawn_local(guarded("endpoint timer", async move {
                tokio::time::sleep(after).await;
                let Some(this) = this.upgrade() else { return };
                if let Some(cluster) = this.local.at(index) {
                    cluster.stats.assignment_stale().inc();
                }
                this.assign(index, &empty);
            }))
        });
        if let Some(endpoints) = self.endpoints.borrow_mut().0.get_mut(&index)
            && let Some(before) = std::mem::replace(&mut endpoints.stale, task)
        {
            before.abort();
        }
    }
}

// === impl Listening ===

impl SubscriptionCallbacks for Listening {
    fn on_update(&self, update: &Update) -> Result<(), String> {
        let Some(clusters) = self.clusters.upgrade() else { return Ok(()) };
        let result = self.take(&clusters, update);
        if result.is_err() {
            // Who waits for endpoints goes on without them, as in Envoy.
            clusters.answered(self.index);
        }
        result
    }

    fn on_fetch_timeout(&self) {
        if let Some(clusters) = self.clusters.upgrade() {
            clusters.answered(self.index);
        }
    }
}

impl Listening {
    fn take(&self, clusters: &Rc<Clusters>, update: &Update) -> Result<(), String> {
        let resource = match &*update.resources {
            [resource] => resource,
            [] => {
                if let Some(cluster) = clusters.local.at(self.index) {
                    cluster.stats.update_empty().inc();
                }
                clusters.answered(self.index);
                return Ok(());
            }
            more => return Err(format!("Unexpected EDS resource length: {}", more.len())),
        };
        let Some(body) = &resource.body else {
            return Err(format!("{}: no endpoints in the resource", resource.name));
        };
        let loaded = clusters.loader.endpoints(body).map_err(|errors| errors.detail())?;
        loaded.warnings.items().iter().for_each(|warning| log::warn!(target: "config", "{warning}"));
        let assignment = loaded.resource;
        if assignment.cluster_name != self.name {
            return Err(format!("Unexpected EDS cluster (expecting {}): {}", self.name, assignment.cluster_name));
        }
        clusters.on_assignment(self.index, &assignment);
        Ok(())
    }
}
