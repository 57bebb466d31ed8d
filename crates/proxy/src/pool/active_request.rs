//! What is in flight to a host.

use std::rc::Rc;
use std::sync::Arc;

use crate::cluster::{Host, HostStats, ResourceGuard, WorkerCluster};

/// Counts a request in flight.
pub(crate) struct ActiveRequest {
    cluster: Rc<WorkerCluster>,
    host: Arc<Host>,
    _slot: ResourceGuard,
}

// === impl ActiveRequest ===

impl ActiveRequest {
    pub(crate) fn new(cluster: &Rc<WorkerCluster>, host: &Arc<Host>, slot: ResourceGuard) -> Self {
        cluster.stats.upstream_rq_total().inc();
        cluster.stats.upstream_rq_active().inc();
        HostStats::inc(&host.stats.rq_total);
        HostStats::inc(&host.stats.rq_active);
        Self { cluster: Rc::clone(cluster), host: Arc::clone(host), _slot: slot }
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        self.cluster.stats.upstream_rq_active().dec();
        HostStats::dec(&self.host.stats.rq_active);
    }
}
