//! The filters of clusters that a control plane tells: their plugins, on the main thread.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use sandgate_config::model::Cluster;

use super::Clusters;
use crate::server::StartError;
use crate::server::plugins::{PluginLoader, Plugins, Running};
use crate::server::{remote_code, upstream_filters};
use crate::worker::guarded;

/// Filters by the cluster's number.
#[derive(Default)]
pub(super) struct Filters(BTreeMap<usize, OfCluster>);

enum OfCluster {
    /// Code has to be fetched.
    Waiting,
    /// The plugins run here, too, as long as this is there.
    Ready { plugins: Arc<Plugins>, _running: Running },
}

// === impl Filters ===

impl Filters {
    /// Whether the cluster cannot be used yet.
    pub(super) fn is_waiting(&self, index: usize) -> bool {
        matches!(self.0.get(&index), Some(OfCluster::Waiting))
    }

    /// The plugins of a cluster that has some.
    pub(super) fn plugins(&self, index: usize) -> Option<Arc<Plugins>> {
        match self.0.get(&index) {
            Some(OfCluster::Ready { plugins, .. }) => Some(Arc::clone(plugins)),
            _ => None,
        }
    }

    /// The cluster is gone. What this gives is to be dropped when nothing is borrowed: plugins end then.
    pub(super) fn remove(&mut self, index: usize) -> impl Sized + use<> {
        self.0.remove(&index)
    }
}

// === impl Clusters ===

impl Clusters {
    /// Loads and starts the plugins of a cluster, but those whose code has to be fetched; nothing if it has no filters.
    pub(super) fn load_filters(&self, cluster: &Cluster) -> Result<Option<PluginLoader>, StartError> {
        if cluster.http.http_filters.is_empty() {
            return Ok(None);
        }
        let (host, environment) = (&self.shared.host, &self.environment);
        PluginLoader::load_cluster(cluster, host, environment, &self.thread.host)
            .inspect_err(|error| remote_code::fetch_for_the_next(error, (host, environment), &self.thread))
            .map(Some)
    }

    /// Gives a cluster the filters that were loaded for it, once their code is there.
    pub(super) fn begin_filters(self: &Rc<Self>, index: usize, mut loader: PluginLoader) {
        if !loader.waits_for_code() {
            return self.take_filters(index, loader);
        }
        self.filters.borrow_mut().0.insert(index, OfCluster::Waiting);
        let weak = Rc::downgrade(self);
        let (shared, environment) = (Arc::clone(&self.shared), Rc::clone(&self.environment));
        let thread = Rc::clone(&self.thread);
        let fetch = async move {
            loader.fetch_now(&shared.host, &environment, &thread).await;
            // The cluster may be gone by now.
            if let Some(this) = weak.upgrade().filter(|this| this.filters.borrow().is_waiting(index)) {
                this.take_filters(index, loader);
                this.check(index);
            }
        };
        tokio::task::spawn_local(guarded("code of an upstream filter", fetch));
    }

    fn take_filters(&self, index: usize, loader: PluginLoader) {
        let (plugins, running) = loader.finish();
        if let Some(cluster) = self.local.at(index) {
            upstream_filters::equip_discovered_main(&cluster, (&plugins, &running), &self.thread.host);
        }
        self.filters.borrow_mut().0.insert(index, OfCluster::Ready { plugins: Arc::new(plugins), _running: running });
    }

    /// Forgets the filters of a cluster that is gone; their plugins end with the last request.
    pub(super) fn end_filters(&self, index: usize) {
        let gone = self.filters.borrow_mut().remove(index);
        drop(gone);
    }
}
