//! The main thread as far as an XdsClient needs it, and somebody who subscribes.

use std::cell::{Cell, RefCell};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sandgate_config::model::{
    ApiConfig, Cluster, ConfigSource, ConfigSourceKind, Endpoint, EndpointAddress, GrpcService, LayeredRuntime,
    LocalityEndpoints, NameServers, Origin, UpstreamHttpProtocol,
};

use super::within;
use crate::access_log::{LogBuffers, LogFiles, LogOptions};
use crate::cluster::{ClusterManager, ClusterTable, PrioritySet, host_sets};
use crate::dns::Dns;
use crate::drain::{DrainManager, DrainOptions};
use crate::pool::Sweeper;
use crate::router::RouterConfig;
use crate::runtime::Runtime;
use crate::stats::StatsStore;
use crate::worker::Worker;
use crate::xds::{Names, ResourceType, Subscription, SubscriptionCallbacks, Update, XdsClient};

pub(super) struct Fixture {
    pub(super) client: Rc<XdsClient>,
    pub(super) stats: Arc<StatsStore>,
    pub(super) config: Arc<ApiConfig>,
}

/// What a subscriber was told, and what it answers.
#[derive(Default)]
pub(super) struct Recorder {
    pub(super) updates: RefCell<Vec<Update>>,
    pub(super) refuses: RefCell<Option<String>>,
    pub(super) timeouts: Cell<u32>,
    /// Done with the next update.
    pub(super) then: RefCell<Option<Box<dyn FnOnce()>>>,
}

pub(super) fn api(delta: bool) -> ApiConfig {
    ApiConfig {
        delta,
        services: vec![GrpcService::of_cluster("xds")],
        set_node_on_first_message_only: true,
        rate_limit: None,
        back_off_base: Duration::from_millis(2),
        back_off_max: Duration::from_millis(10),
        origin: Origin::default(),
    }
}

impl Fixture {
    /// The cluster `xds` is at that address.
    pub(super) fn new(address: SocketAddr, config: ApiConfig) -> Self {
        let stats = StatsStore::new();
        let worker = worker(address, &stats);
        let config = Arc::new(config);
        let client = XdsClient::new(&worker, &stats, Bytes::from_static(b"\x0a\x02me"), Some(&config));
        Self { client, stats, config }
    }

    /// By the stream that all share.
    pub(super) fn ads(&self, kind: ResourceType, names: Names, prefix: &str) -> (Rc<Recorder>, Subscription) {
        self.subscribe(ConfigSourceKind::Ads, None, kind, names, prefix)
    }

    /// By a stream of its own.
    pub(super) fn own(&self, kind: ResourceType, names: Names, prefix: &str) -> (Rc<Recorder>, Subscription) {
        self.subscribe(ConfigSourceKind::Grpc(Arc::clone(&self.config)), None, kind, names, prefix)
    }

    pub(super) fn subscribe(
        &self,
        source: ConfigSourceKind,
        initial_fetch_timeout: Option<Duration>,
        kind: ResourceType,
        names: Names,
        prefix: &str,
    ) -> (Rc<Recorder>, Subscription) {
        let recorder = Rc::<Recorder>::default();
        let source = ConfigSource { kind: source, initial_fetch_timeout, origin: Origin::default() };
        let callbacks = Rc::clone(&recorder) as Rc<dyn SubscriptionCallbacks>;
        let subscription = self.client.subscribe(&source, kind, names, prefix, callbacks);
        (recorder, subscription)
    }

    pub(super) fn stat(&self, name: &str) -> u64 {
        self.stats.snapshot().get(name).unwrap_or_else(|| panic!("no {name}")).value
    }

    /// Waits until a stat is at least that.
    pub(super) async fn reaches(&self, name: &str, value: u64) {
        eventually(name, || self.stat(name) >= value).await;
    }
}

impl Recorder {
    pub(super) async fn told(&self, count: usize) {
        eventually("an update", || self.updates.borrow().len() >= count).await;
        assert_eq!(self.updates.borrow().len(), count);
    }

    /// The names in the last update.
    pub(super) fn last(&self) -> Vec<String> {
        let updates = self.updates.borrow();
        updates.last().unwrap().resources.iter().map(|resource| resource.name.clone()).collect()
    }
}

impl SubscriptionCallbacks for Recorder {
    fn on_update(&self, update: &Update) -> Result<(), String> {
        self.updates.borrow_mut().push(update.clone());
        if let Some(then) = self.then.take() {
            then();
        }
        self.refuses.borrow().clone().map_or(Ok(()), Err)
    }

    fn on_fetch_timeout(&self) {
        self.timeouts.set(self.timeouts.get() + 1);
    }
}

pub(super) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    within(what, wait).await;
}

fn worker(address: SocketAddr, stats: &Arc<StatsStore>) -> Rc<Worker> {
    let endpoints = vec![Endpoint::new(EndpointAddress::Ip(address))];
    let mut cluster = Cluster::new("xds");
    cluster.localities = vec![LocalityEndpoints { endpoints, ..LocalityEndpoints::default() }];
    cluster.http.protocol = UpstreamHttpProtocol::Http2;
    let hosts = Arc::new(host_sets(&cluster, &PrioritySet::default(), |_| Vec::new()));
    let runtime = Arc::new(Runtime::new(&LayeredRuntime::default()));
    let table = ClusterTable::new(vec![cluster], &runtime).unwrap();
    let sweeper = Rc::new(Sweeper::default());
    let clusters = ClusterManager::new(&table, &sweeper, stats, &runtime);
    clusters.at(0).unwrap().update(&hosts);
    let drain = Arc::new(DrainManager::new(DrainOptions::default(), Arc::default()));
    let files = LogFiles::open(std::iter::empty(), LogOptions::default(), stats).unwrap();
    let logs = LogBuffers::new(&files, stats);
    let router = Rc::new(RouterConfig::of_async_client(stats));
    let dns = Arc::new(Dns::new(&NameServers::default()));
    Worker::new(clusters, Ipv4Addr::LOCALHOST.into(), runtime, drain, logs, router, dns)
}
