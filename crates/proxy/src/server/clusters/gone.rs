//! The stats of clusters that are gone: they go, too, unless there is another cluster of that name, which goes on counting.

use std::cell::RefCell;
use std::collections::HashSet;
use std::mem;

use tokio::sync::Notify;

use super::Clusters;
use crate::cluster::ClusterEntry;
use crate::stats::scope_name;

/// The scopes that a cluster has, within its own.
const SCOPES: [&str; 8] =
    ["", "http1.", "http2.", "ssl.", "client_ssl_socket_factory.", "health_check.", "outlier_detection.", "default."];

/// Clusters that are gone, until their stats have been seen to: all those of an update at once, as looking through all stats
/// for each of many takes long.
#[derive(Default)]
pub(super) struct GoneClusters {
    /// As in their stats.
    names: RefCell<HashSet<String>>,
    some: Notify,
}

// === impl GoneClusters ===

impl GoneClusters {
    pub(super) fn add(&self, entry: &ClusterEntry) {
        self.names.borrow_mut().insert(scope_name(entry.config.stat_name()).into_owned());
        self.some.notify_one();
    }

    /// Waits until there are some.
    pub(super) async fn some(&self) {
        self.some.notified().await;
    }
}

// === impl Clusters ===

impl Clusters {
    pub(super) fn settle_stats(&self) {
        let mut gone = mem::take(&mut *self.gone.names.borrow_mut());
        for other in self.table().all_active().into_iter().chain(self.table().all_warming()) {
            gone.remove(&*scope_name(other.config.stat_name()));
        }
        let stats = &self.shared.stats;
        if !gone.is_empty() {
            stats.remove_scopes(&|prefix| SCOPES.iter().any(|scope| is_within(prefix, scope, &gone)));
        }
        stats.settle();
    }
}

/// Whether a prefix of stats is this scope of one of the clusters.
fn is_within(prefix: &str, scope: &str, clusters: &HashSet<String>) -> bool {
    let rest = prefix.strip_prefix("cluster.").and_then(|rest| rest.strip_suffix(scope));
    rest.and_then(|rest| rest.strip_suffix('.')).is_some_and(|name| clusters.contains(name))
}
