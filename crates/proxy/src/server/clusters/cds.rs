//! Clusters that a control plane tells.

use std::collections::{BTreeSet, HashSet};
use std::rc::{Rc, Weak};
use std::time::SystemTime;

use bytes::Bytes;
use sandgate_config::ResourceLoader;
use sandgate_config::model::ConfigSource;

use super::Clusters;
use crate::admin::ResourceView;
use crate::cluster::{ClusterEntry, ClusterOrigin, DiscoveredCluster};
use crate::stats::CdsStats;
use crate::xds::{Names, ResourceType, Subscription, SubscriptionCallbacks, Update};

const STATS: &str = "cluster_manager.cds.";

/// Is told of clusters.
struct Listening {
    clusters: Weak<Clusters>,
    stats: CdsStats,
}

/// What an update came to.
#[derive(Default)]
struct Outcome {
    taken: usize,
    skipped: usize,
    removed: usize,
    errors: Vec<String>,
}

// === impl Clusters ===

impl Clusters {
    /// Asks for clusters; to be kept.
    pub(super) fn ask_for_clusters(self: &Rc<Self>, source: &ConfigSource) -> Subscription {
        let stats = CdsStats::new(&self.shared.stats, STATS);
        let listening = Rc::new(Listening { clusters: Rc::downgrade(self), stats });
        self.xds.subscribe(source, ResourceType::Cluster, Names::Wildcard, STATS, listening)
    }

    /// One cluster is there, or is another one than before: `false` if that changes nothing.
    fn update(self: &Rc<Self>, version: &str, name: &str, body: &Bytes) -> Result<bool, String> {
        let table = self.table();
        let is_same = |entry: &ClusterEntry| match &entry.origin {
            // As in Envoy: what the bootstrap says stays, and nobody hears of it.
            ClusterOrigin::Static => true,
            ClusterOrigin::Api(known) => known.received == *body,
        };
        let before = table.warming(name).or_else(|| table.active(name));
        if before.as_ref().is_some_and(|entry| is_same(entry)) {
            return Ok(false);
        }
        if before.is_some() {
            table.counts.modified.inc()
        } else {
            table.counts.added.inc()
        }
        let loaded = self.loader.cluster(body).map_err(|errors| errors.detail())?;
        loaded.warnings.items().iter().for_each(|warning| log::warn!(target: "config", "{warning}"));
        let (version, updated) = (version.to_owned(), Some(SystemTime::now()));
        let view = ResourceView { version, updated, serialized: loaded.serialized };
        let discovered = DiscoveredCluster { view, received: body.clone() };
        self.add(loaded.resource, ClusterOrigin::Api(Box::new(discovered))).map_err(|error| error.to_string())?;
        Ok(true)
    }

    fn take(self: &Rc<Self>, update: &Update) -> Outcome {
        let mut outcome = Outcome::default();
        let mut names = HashSet::new();
        for resource in &update.resources {
            let name = &resource.name;
            if !names.insert(name.as_str()) {
                // The first one was taken.
                outcome.errors.push(format!("{name}: duplicate cluster {name} found"));
                continue;
            }
            let version = if resource.version.is_empty() { &update.version } else { &resource.version };
            let body = resource.body.as_ref().ok_or_else(|| "no cluster in the resource".to_owned());
            match body.and_then(|body| self.update(version, name, body)) {
                Ok(true) => outcome.taken += 1,
                Ok(false) => outcome.skipped += 1,
                Err(error) => outcome.errors.push(format!("{name}: {error}")),
            }
        }
        let removed = if update.is_delta {
            update.removed.clone()
        } else {
            self.discovered().into_iter().filter(|name| !names.contains(name.as_str())).collect()
        };
        outcome.removed = removed.iter().filter(|name| self.remove(name)).count();
        outcome
    }

    /// The names of the clusters that the control plane has told.
    fn discovered(&self) -> BTreeSet<String> {
        let all = self.table().all_active().into_iter().chain(self.table().all_warming());
        all.filter(|entry| entry.origin.is_api()).map(|entry| entry.config.name.clone()).collect()
    }
}

// === impl Listening ===

impl SubscriptionCallbacks for Listening {
    fn on_update(&self, update: &Update) -> Result<(), String> {
        let Some(clusters) = self.clusters.upgrade() else { return Ok(()) };
        // Endpoints are asked for when all clusters are known that there are to ask for.
        let _paused = clusters.xds.pause(ResourceType::Endpoint);
        // As in Envoy, nothing is taken of an update with bytes that are no cluster.
        let mut bodies = update.resources.iter().filter_map(|resource| resource.body.as_ref());
        if let Some(error) = bodies.find_map(|body| ResourceLoader::undecodable_cluster(body)) {
            clusters.told();
            return Err(error);
        }
        let Outcome { taken, skipped, removed, errors } = clusters.take(update);
        log::info!(
            target: "upstream",
            "cds: added/updated {taken} cluster(s) (skipped {skipped} unmodified cluster(s)); removed {removed} cluster(s)"
        );
        if taken + removed > 0 {
            clusters.table().set_version(&update.version);
            self.stats.config_reload().inc();
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            self.stats.config_reload_time_ms().set(u64::try_from(now.as_millis()).unwrap_or(u64::MAX));
        }
        clusters.told();
        if errors.is_empty() {
            return Ok(());
        }
        Err(format!("Error adding/updating cluster(s) {}", errors.join(", ")))
    }

    fn on_fetch_timeout(&self) {
        if let Some(clusters) = self.clusters.upgrade() {
            clusters.told();
        }
    }
}
