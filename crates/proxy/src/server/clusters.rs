//! Clusters as the main thread looks after them: they come, get hosts, warm up, are told to the workers, and go.

mod cds;
mod eds;
mod filters;
mod gone;
mod health;
mod merge_window;
mod names;
mod secrets;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use sandgate_config::ResourceLoader;
use sandgate_config::model::{Cluster, Discovery};
use sandgate_host::Environment;
use sandgate_load_balancing::{HealthFlag, Host};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;

use super::StartError;
use super::main_loop::{Shared, WorkerSenders};
use super::secrets::SecretManager;
use super::thread::{LocalWorker, WorkerCommand};
use crate::cluster::{ClusterEntry, ClusterManager, ClusterOrigin, ClusterTable, PrioritySet, WorkerCluster};
use crate::listener_tls::{Reloadable, keep_fresh};
use crate::secrets::SecretUser as _;
use crate::upstream_tls::UpstreamTls;
use crate::worker::guarded;
use crate::xds::{Paused, ResourceType, Subscription, XdsClient};
use eds::Endpoints;
use filters::Filters;
use gone::GoneClusters;
use health::{HealthManager, HealthUpdate, Report};
use names::{HostUpdate, NameNews, Names, show_membership};
use secrets::ClusterSecrets;

/// All clusters, on the main thread.
pub(super) struct Clusters {
    shared: Arc<Shared>,
    /// This thread's.
    local: Rc<ClusterManager>,
    workers: WorkerSenders,
    health: RefCell<HealthManager>,
    names: RefCell<Names>,
    endpoints: RefCell<Endpoints>,
    secrets: RefCell<ClusterSecrets>,
    secret_manager: Rc<SecretManager>,
    filters: RefCell<Filters>,
    thread: Rc<LocalWorker>,
    environment: Rc<dyn Environment>,
    xds: Rc<XdsClient>,
    loader: ResourceLoader,
    /// Whether endpoints may be asked for: not before the clusters are ready that control planes are asked by.
    discovers: Cell<bool>,
    /// Whether the control plane has told its clusters, or has not in time.
    told: Cell<bool>,
    /// The start waits for no cluster any more.
    initialized: Cell<bool>,
    held: RefCell<Option<Paused>>,
    subscription: RefCell<Option<Subscription>>,
    /// Clusters that wait for names, endpoints or first checks.
    waiting: RefCell<BTreeSet<usize>>,
    /// One of them waits no longer.
    progress: Notify,
    gone: GoneClusters,
}

// === impl Clusters ===

impl Clusters {
    /// Begins to look after the clusters that there are. Inside a `LocalSet`.
    ///
    /// # Errors
    /// A log of events cannot be opened.
    pub(super) fn start(
        shared: &Arc<Shared>,
        (thread, environment): (&Rc<LocalWorker>, &Rc<dyn Environment>),
        workers: &WorkerSenders,
        (xds, secrets): (&Rc<XdsClient>, &Rc<SecretManager>),
    ) -> Result<Rc<Self>, StartError> {
        let (health, reports) = HealthManager::new(shared)?;
        let (names, news) = Names::new();
        let clusters = Rc::new(Self {
            shared: Arc::clone(shared),
            local: Rc::clone(&thread.worker.clusters),
            workers: workers.clone(),
            health: RefCell::new(health),
            names: RefCell::new(names),
            endpoints: RefCell::default(),
            secrets: RefCell::default(),
            secret_manager: Rc::clone(secrets),
            filters: RefCell::default(),
            thread: Rc::clone(thread),
            environment: Rc::clone(environment),
            xds: Rc::clone(xds),
            loader: shared.bootstrap.resource_loader(),
            discovers: Cell::new(false),
            told: Cell::new(false),
            initialized: Cell::new(false),
            held: RefCell::default(),
            subscription: RefCell::default(),
            waiting: RefCell::default(),
            progress: Notify::new(),
            gone: GoneClusters::default(),
        });
        for entry in shared.clusters.all_active().iter().filter(|entry| !is_discovered(entry)) {
            clusters.begin(entry)?;
        }
        tokio::task::spawn_local(guarded("cluster manager", Rc::clone(&clusters).run(reports, news)));
        Ok(clusters)
    }

    /// Adds a cluster, which replaces the one of its name as soon as it is ready. One of its name that is not ready yet goes
    /// at once. It counts as added or modified also if it is refused, as in Envoy.
    ///
    /// # Errors
    /// What it names is not there, or not what it should be. Nothing has changed then.
    pub(super) fn add(self: &Rc<Self>, config: Cluster, origin: ClusterOrigin) -> Result<(), StartError> {
        let table = self.table();
        let replaced = table.warming(&config.name);
        let filters = self.load_filters(&config)?;
        let entry = table.add(config, origin, &self.shared.runtime)?;
        if let Err(error) = self.begin(&entry) {
            self.forget(&entry);
            return Err(error);
        }
        if let Some(filters) = filters {
            self.begin_filters(entry.index, filters);
        }
        if let Some(replaced) = replaced {
            self.forget(&replaced);
        }
        self.check(entry.index);
        // Perhaps it is not ready, and the acknowledgement of the update that has brought it waits.
        self.hold();
        Ok(())
    }

    /// Takes a cluster away that a control plane has brought, ready or not. Whether there was one.
    pub(super) fn remove(&self, name: &str) -> bool {
        let table = self.table();
        let found: Vec<_> = table.active(name).into_iter().chain(table.warming(name)).collect();
        let mut removed = false;
        for entry in found.iter().filter(|entry| entry.origin.is_api()) {
            self.forget(entry);
            removed = true;
        }
        if removed {
            table.counts.removed.inc();
            found.iter().for_each(|entry| self.gone.add(entry));
            self.hold();
        }
        removed
    }

    /// Asks control planes for what the configuration leaves to them, in Envoy's order: endpoints of static clusters, then clusters. Call
    /// when those of the other clusters are warm. Returns when everything has come, or has not in time, and is ready.
    pub(super) async fn discover(self: Rc<Self>) {
        self.discovers.set(true);
        for entry in self.table().all_active().iter().filter(|entry| is_discovered(entry)) {
            if let Err(error) = self.begin(entry) {
                log::error!(target: "upstream", "{}: {error}", entry.config.name);
            }
            self.check(entry.index);
        }
        self.all_warm().await;
        let Some(source) = &self.shared.bootstrap.dynamic_resources.cds else { return };
        *self.subscription.borrow_mut() = Some(self.ask_for_clusters(source));
        while !self.told.get() {
            self.progress.notified().await;
        }
        self.all_warm().await;
        self.initialized.set(true);
        log::info!(target: "upstream", "cm init: all clusters initialized");
    }

    /// Once the start is over, the control plane hears nothing more of clusters while some are not ready: so it can tell that
    /// routes may lead to them (as in Envoy).
    fn hold(&self) {
        let (_, warming) = self.table().numbers();
        if warming == 0 {
            self.held.take();
        } else if self.initialized.get() && self.held.borrow().is_none() {
            let held = self.xds.pause(ResourceType::Cluster);
            self.held.replace(Some(held));
        }
    }

    /// The control plane has told its clusters, or has not in time.
    fn told(&self) {
        self.told.set(true);
        self.progress.notify_one();
    }

    /// Returns when no cluster waits for names, endpoints or first checks.
    pub(super) async fn all_warm(&self) {
        while !self.waiting.borrow().is_empty() {
            self.progress.notified().await;
        }
    }

    fn table(&self) -> &Arc<ClusterTable> {
        &self.shared.clusters
    }

    /// Begins to look after a cluster.
    fn begin(self: &Rc<Self>, entry: &Arc<ClusterEntry>) -> Result<(), StartError> {
        self.want_secrets(entry)?;
        let cluster = self.local.add(entry);
        let waits = self.secrets.borrow().is_waiting(entry.index);
        self.health.borrow_mut().add(entry, &self.shared, (&cluster.response_options, waits))?;
        self.names.borrow_mut().add(entry);
        if let Some(tls) = &entry.tls {
            let tls = Arc::<UpstreamTls>::clone(tls) as Arc<dyn Reloadable>;
            let fresh = keep_fresh(vec![tls], Arc::clone(&self.shared.stats));
            tokio::task::spawn_local(guarded("certificate watcher", fresh));
        }
        cluster.stats.warming_state().set(1);
        self.waiting.borrow_mut().insert(entry.index);
        self.ask_for_endpoints(entry);
        Ok(())
    }

    /// Ends everything about a cluster.
    fn forget(&self, entry: &ClusterEntry) {
        let index = entry.index;
        self.table().remove(index);
        self.stop(index);
        self.local.remove(index);
        self.workers.each(|| WorkerCommand::RemoveCluster(index));
    }

    fn stop(&self, index: usize) {
        self.health.borrow_mut().remove(index);
        self.names.borrow_mut().remove(index);
        self.endpoints.borrow_mut().remove(index);
        self.secrets.borrow_mut().remove(index);
        self.waiting.borrow_mut().remove(&index);
        self.end_filters(index);
        self.progress.notify_one();
    }

    async fn run(self: Rc<Self>, mut reports: UnboundedReceiver<Report>, mut news: UnboundedReceiver<NameNews>) {
        for entry in self.table().all_active() {
            self.check(entry.index);
        }
        loop {
            tokio::select! {
                Some(news) = news.recv() => self.on_names(&news),
                Some(report) = reports.recv() => self.on_report(report),
                () = self.gone.some() => self.settle_stats(),
                else => return,
            }
        }
    }

    fn on_names(self: &Rc<Self>, news: &NameNews) {
        match news {
            NameNews::Resolved(update) => {
                self.names.borrow_mut().resolved(update);
                self.on_resolved(update);
                self.check(update.cluster);
            }
            NameNews::Late(index) => {
                self.names.borrow_mut().late(*index);
                self.check(*index);
            }
        }
    }

    fn on_resolved(&self, update: &HostUpdate) {
        if let Some(hosts) = update.apply(&self.local) {
            self.tell_hosts(update.cluster, &hosts);
        }
    }

    /// A cluster has these hosts from now on.
    fn take_hosts(&self, entry: &ClusterEntry, cluster: &Rc<WorkerCluster>, hosts: Arc<PrioritySet>) {
        entry.set_hosts(Arc::clone(&hosts));
        // Health first: hosts that are checked say so to whoever uses them.
        self.health.borrow_mut().set_hosts(entry.index, &hosts.hosts);
        cluster.update(&hosts);
        self.tell_hosts(entry.index, &hosts);
    }

    /// A cluster has other hosts than before: tells all threads.
    fn tell_hosts(&self, index: usize, hosts: &Arc<PrioritySet>) {
        let mut health = self.health.borrow_mut();
        health.set_hosts(index, &hosts.hosts);
        if !self.waiting.borrow().contains(&index) {
            health.hosts_told(index, &self.table().counts);
            if let Some(cluster) = self.local.at(index) {
                show_membership(&cluster, hosts);
            }
        }
        self.workers.each(|| WorkerCommand::Hosts(index, Arc::clone(hosts)));
    }

    fn on_report(self: &Rc<Self>, report: Report) {
        let update = self.health.borrow_mut().on_report(report);
        self.on_health(&update);
        self.check(update.cluster);
    }

    /// The health of a cluster's hosts has changed: tells all threads.
    fn on_health(&self, update: &HealthUpdate) {
        let index = update.cluster;
        let (Some(entry), Some(cluster)) = (self.table().get(index), self.local.at(index)) else { return };
        let waiting = self.waiting.borrow().contains(&index);
        if update.reload
            && let Some(hosts) = entry.reload_healthy_hosts()
        {
            if waiting {
                cluster.update(&hosts);
            } else {
                show_membership(&cluster, &hosts);
                let (window, counts) = (entry.config.update_merge_window, &self.table().counts);
                if self.health.borrow_mut().may_tell(index, window, counts) {
                    cluster.update(&hosts);
                    self.workers.each(|| WorkerCommand::Hosts(index, Arc::clone(&hosts)));
                }
            }
        }
        if update.merged {
            let hosts = entry.hosts();
            cluster.update(&hosts);
            self.table().counts.updated_via_merge.inc();
            self.workers.each(|| WorkerCommand::Hosts(index, Arc::clone(&hosts)));
        }
        let is_gone = |host: &Host| {
            host.flags.has(HealthFlag::PendingDynamicRemoval) && host.flags.has(HealthFlag::FailedActiveHc)
        };
        if update.failed.iter().any(|host| is_gone(host)) {
            // The control plane had forgotten them before.
            cluster.stats.membership_change().inc();
            self.take_hosts(&entry, &cluster, Arc::new(entry.hosts().without(is_gone)));
        }
        // Connections to hosts that have failed take no more requests. This does not wait.
        for host in &update.failed {
            cluster.drain_host(host, Instant::now());
            self.workers.each(|| WorkerCommand::HostFailed(index, Arc::clone(host)));
        }
    }

    /// If the cluster waits for nothing any more, it is ready.
    fn check(self: &Rc<Self>, index: usize) {
        if self.names.borrow().is_waiting(index) || self.endpoints.borrow().is_waiting(index) {
            return;
        }
        self.ask_for_secrets(index);
        if self.secrets.borrow().is_waiting(index) || self.filters.borrow().is_waiting(index) {
            return;
        }
        self.health.borrow_mut().release(index);
        if !self.health.borrow().is_waiting(index) && self.waiting.borrow_mut().remove(&index) {
            self.ready(index);
            self.progress.notify_one();
        }
    }

    fn ready(&self, index: usize) {
        let (Some(entry), Some(cluster)) = (self.table().get(index), self.local.at(index)) else { return };
        if let Some(hosts) = entry.reload_healthy_hosts() {
            cluster.update(&hosts);
        }
        let replaced = self.table().activate(index);
        self.local.activate(index);
        let filters = self.filters.borrow().plugins(index);
        self.workers.each(|| WorkerCommand::AddCluster(Arc::clone(&entry), filters.clone()));
        if let Some(replaced) = replaced {
            self.stop(replaced.index);
            self.workers.each(|| WorkerCommand::RemoveCluster(replaced.index));
            self.gone.add(&replaced);
        }
        count_members(&entry, &cluster);
        self.hold();
    }
}

/// Sets the membership stats of a cluster that is ready.
fn count_members(entry: &ClusterEntry, cluster: &WorkerCluster) {
    let hosts = entry.hosts();
    cluster.transport_stats.total_match_count().add(hosts.hosts.len() as u64);
    if matches!(entry.config.discovery, Discovery::Static) {
        let filled = hosts.priorities.iter().filter(|priority| !priority.all.is_empty());
        cluster.stats.membership_change().add(filled.count() as u64);
    }
    show_membership(cluster, &hosts);
    cluster.stats.warming_state().set(0);
}

/// Whether somebody else tells the cluster's endpoints, or its secrets.
fn is_discovered(entry: &ClusterEntry) -> bool {
    matches!(entry.config.discovery, Discovery::Eds(_))
        || entry.tls.as_ref().is_some_and(|tls| !tls.wanted().is_empty())
}
