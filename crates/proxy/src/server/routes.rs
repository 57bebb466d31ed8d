//! Routes from control planes: who wants which, and what has come.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use sandgate_config::model::{ApiConfig, ConfigSource, ConfigSourceKind, Origin, Rds, RouteConfiguration};
use sandgate_config::{LoadedResource, ResourceLoader};

use super::answered::Answered;
use super::main_loop::WorkerSenders;
use super::thread::WorkerCommand;
use super::unit::RouteProvider;
use crate::admin::{ResourceView, ResourceViews};
use crate::cluster::ClusterTable;
use crate::stats::{RdsStats, StatsStore};
use crate::xds::{Names, ResourceType, Subscription, SubscriptionCallbacks, Update, XdsClient};

/// All routes that come from control planes, on the main thread.
pub(super) struct RouteManager {
    client: Rc<XdsClient>,
    loader: ResourceLoader,
    workers: WorkerSenders,
    stats: Arc<StatsStore>,
    next_id: Cell<u64>,
    views: Arc<ResourceViews>,
    clusters: Arc<ClusterTable>,
    /// By name; each as long as somebody has it.
    providers: RefCell<HashMap<String, Vec<Weak<ProvidedRoute>>>>,
}

/// One route configuration of a control plane. It is asked for as long as this is there.
pub(super) struct ProvidedRoute {
    pub(super) provider: Arc<RouteProvider>,
    source: ConfigSource,
    taker: Rc<Taker>,
    _subscription: Subscription,
}

/// Who takes it.
struct Taker {
    name: String,
    provider: Arc<RouteProvider>,
    loader: ResourceLoader,
    workers: WorkerSenders,
    stats: RdsStats,
    views: Arc<ResourceViews>,
    clusters: Arc<ClusterTable>,
    /// What was taken last.
    serialized: RefCell<Bytes>,
    /// Something has come, or will not come in time.
    answered: Answered,
}

// === impl RouteManager ===

impl RouteManager {
    pub(super) fn new(
        client: &Rc<XdsClient>,
        loader: ResourceLoader,
        workers: WorkerSenders,
        stats: &Arc<StatsStore>,
        (views, clusters): (&Arc<ResourceViews>, &Arc<ClusterTable>),
    ) -> Rc<Self> {
        Rc::new(Self {
            client: Rc::clone(client),
            loader,
            workers,
            stats: Arc::clone(stats),
            next_id: Cell::new(0),
            views: Arc::clone(views),
            clusters: Arc::clone(clusters),
            providers: RefCell::default(),
        })
    }

    /// The routes that a connection manager with that prefix of its stats wants. All that want the same share them.
    pub(super) fn get(&self, rds: &Rds, stat_prefix: &str) -> Rc<ProvidedRoute> {
        let Rds { route_config_name: name, source, .. } = rds;
        let mut providers = self.providers.borrow_mut();
        providers.retain(|_, known| {
            known.retain(|route| route.strong_count() > 0);
            !known.is_empty()
        });
        let known = providers.entry(name.clone()).or_default();
        if let Some(route) = known.iter().filter_map(Weak::upgrade).find(|route| same_source(&route.source, source)) {
            return route;
        }
        let provider = RouteProvider::new(self.next_id.replace(self.next_id.get() + 1));
        let prefix = format!("http.{stat_prefix}.rds.{name}.");
        let taker = Rc::new(Taker {
            name: name.clone(),
            provider: Arc::clone(&provider),
            loader: self.loader.clone(),
            workers: self.workers.clone(),
            stats: RdsStats::new(&self.stats, &prefix),
            views: Arc::clone(&self.views),
            clusters: Arc::clone(&self.clusters),
            serialized: RefCell::default(),
            answered: Answered::default(),
        });
        let callbacks = Rc::<Taker>::clone(&taker) as Rc<dyn SubscriptionCallbacks>;
        let names = Names::Set(BTreeSet::from([name.clone()]));
        let subscription = self.client.subscribe(source, ResourceType::Route, names, &prefix, callbacks);
        let route = Rc::new(ProvidedRoute { provider, source: source.clone(), taker, _subscription: subscription });
        known.push(Rc::downgrade(&route));
        route
    }
}

/// Whether two ask the same one, wherever they say so.
pub(super) fn same_source(one: &ConfigSource, other: &ConfigSource) -> bool {
    let same_kind = match (&one.kind, &other.kind) {
        (ConfigSourceKind::Grpc(one), ConfigSourceKind::Grpc(other)) => {
            let without_place = |config: &ApiConfig| ApiConfig { origin: Origin::default(), ..config.clone() };
            without_place(one) == without_place(other)
        }
        (one, other) => one == other,
    };
    same_kind && one.initial_fetch_timeout == other.initial_fetch_timeout
}

// === impl ProvidedRoute ===

impl ProvidedRoute {
    /// Waits until something has come, or it has taken too long.
    pub(super) async fn answered(&self) {
        self.taker.answered.wait().await;
    }
}

// === impl Taker ===

impl Taker {
    fn load(&self, body: &Bytes) -> Result<LoadedResource<RouteConfiguration>, String> {
        let name = &self.name;
        let mut loader = self.loader.clone();
        // Where `validate_clusters` wants routes to lead to one of them.
        loader.set_clusters(self.clusters.names());
        let loaded = loader.route_configuration(body).map_err(|refused| refused.detail())?;
        if loaded.resource.name != *name {
            return Err(format!("Unexpected RDS configuration (expecting {name}): {}", loaded.resource.name));
        }
        for warning in loaded.warnings.items() {
            log::warn!(target: "config", "{warning}");
        }
        Ok(loaded)
    }
}

impl Drop for Taker {
    fn drop(&mut self) {
        self.views.remove(&self.name, self.provider.id);
    }
}

impl SubscriptionCallbacks for Taker {
    fn on_update(&self, update: &Update) -> Result<(), String> {
        let name = &self.name;
        let [resource] = update.resources.as_slice() else {
            if update.resources.is_empty() {
                log::debug!(target: "router", "Missing RouteConfiguration for {name} in onConfigUpdate()");
                self.stats.update_empty().inc();
                self.answered.set();
                return Ok(());
            }
            self.answered.set();
            return Err(format!("Unexpected RDS resource length: {}", update.resources.len()));
        };
        let Some(body) = &resource.body else {
            self.answered.set();
            return Err(format!("Unexpected RDS configuration (expecting {name}): "));
        };
        let loaded = self.load(body).inspect_err(|_| self.answered.set())?;
        if *self.serialized.borrow() != loaded.serialized {
            let routes = Arc::new(loaded.resource);
            self.provider.set(Arc::clone(&routes));
            let id = self.provider.id;
            self.workers.each(|| WorkerCommand::Routes(id, Arc::clone(&routes)));
            self.stats.config_reload().inc();
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            self.stats.config_reload_time_ms().set(u64::try_from(now.as_millis()).unwrap_or(u64::MAX));
            let version = resource.version.clone();
            self.serialized.replace(loaded.serialized.clone());
            let view = ResourceView { version, updated: Some(SystemTime::now()), serialized: loaded.serialized };
            self.views.set(name, id, view);
            log::debug!(target: "router", "rds: loading new configuration: config_name={name}");
        }
        self.answered.set();
        Ok(())
    }

    fn on_fetch_timeout(&self) {
        self.answered.set();
    }
}
