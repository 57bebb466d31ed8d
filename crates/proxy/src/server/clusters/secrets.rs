//! Secrets of clusters' TLS that control planes tell.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use tokio::task::JoinHandle;

use super::Clusters;
use crate::cluster::ClusterEntry;
use crate::secrets::SecretUser;
use crate::server::StartError;
use crate::server::secrets::SecretUse;
use crate::upstream_tls::UpstreamTls;
use crate::worker::guarded;

/// Of all clusters that have such secrets.
#[derive(Default)]
pub(super) struct ClusterSecrets(BTreeMap<usize, OfCluster>);

struct OfCluster {
    secrets: Rc<SecretUse>,
    /// They have been asked for.
    started: bool,
    /// Waits for them.
    task: Option<JoinHandle<()>>,
}

// === impl ClusterSecrets ===

impl ClusterSecrets {
    /// Whether the cluster waits for secrets, or has not asked for them yet.
    pub(super) fn is_waiting(&self, index: usize) -> bool {
        self.0.get(&index).is_some_and(|of| !of.started || of.secrets.is_waiting())
    }

    /// The cluster is no more.
    pub(super) fn remove(&mut self, index: usize) {
        self.0.remove(&index);
    }
}

impl Drop for OfCluster {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

// === impl Clusters ===

impl Clusters {
    /// The cluster will want its secrets. Those that are there already it has at once.
    ///
    /// # Errors
    /// They do not do for it.
    pub(super) fn want_secrets(&self, entry: &ClusterEntry) -> Result<(), StartError> {
        let Some(tls) = &entry.tls else { return Ok(()) };
        let user = Arc::<UpstreamTls>::clone(tls) as Arc<dyn SecretUser>;
        let secrets = self.secret_manager.get(&user).map_err(|source| {
            let origin = entry.config.tls.as_ref().map(|tls| tls.origin.clone()).unwrap_or_default();
            StartError::Tls { origin: Box::new(origin), source }
        })?;
        if let Some(secrets) = secrets {
            self.secrets.borrow_mut().0.insert(entry.index, OfCluster { secrets, started: false, task: None });
        }
        Ok(())
    }

    /// Asks for a cluster's secrets, if that was not done yet. As in Envoy, its hosts are known by then.
    pub(super) fn ask_for_secrets(self: &Rc<Self>, index: usize) {
        let mut all = self.secrets.borrow_mut();
        let Some(of) = all.0.get_mut(&index).filter(|of| !of.started) else { return };
        of.started = true;
        of.secrets.start();
        if of.secrets.is_waiting() {
            let (clusters, secrets) = (Rc::downgrade(self), Rc::clone(&of.secrets));
            of.task = Some(tokio::task::spawn_local(guarded("secrets of a cluster", async move {
                secrets.answered().await;
                if let Some(clusters) = clusters.upgrade() {
                    clusters.check(index);
                }
            })));
        }
    }
}
