//! A server made from a configuration in the model's types.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use sandgate_abi::LogLevel;
use sandgate_config::model::{
    Admin, Bootstrap, Cluster, DirectResponse, Discovery, Domain, DrainType, Endpoint, EndpointAddress, FilterChain,
    FilterChainMatch, FilterChainTree, GlobalConnectionLimit, HttpConnectionManager, HttpFilter, HttpFilterKind,
    Listener, LocalityEndpoints, Origin, PathMatcher, Route, RouteAction, RouteConfiguration, RouteKind, RouteMatch,
    Router, TerminalFilter, TrafficDirection, VirtualHost,
};
use sandgate_host::{GuestLog, Host};
use sandgate_proxy::stats::{Sample, StatsStore};
use sandgate_proxy::{Server, ServerOptions};

use super::{Client, eventually};

/// A running server and what it was made with.
pub(crate) struct Proxy {
    pub(crate) server: Server,
    pub(crate) stats: Arc<StatsStore>,
    pub(crate) log: Arc<Lines>,
}

/// What guests logged.
#[derive(Default)]
pub(crate) struct Lines(std::sync::Mutex<Vec<String>>);

impl Lines {
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl GuestLog for Lines {
    fn level(&self) -> u32 {
        0
    }

    fn write(&self, _: LogLevel, line: &[u8]) {
        self.0.lock().unwrap().push(String::from_utf8_lossy(line).into_owned());
    }
}

impl Proxy {
    /// A server with one listener, `l`, which has this connection manager.
    pub(crate) fn new(hcm: HttpConnectionManager, clusters: Vec<Cluster>) -> Self {
        Self::start(bootstrap(hcm, clusters), |_| ())
    }

    /// One listener that sends everything to `upstream`.
    pub(crate) fn to(upstream: SocketAddr) -> Self {
        Self::new(hcm(vec![forward("/", "up")]), vec![cluster("up", upstream)])
    }

    pub(crate) fn start(bootstrap: Bootstrap, change: impl FnOnce(&mut ServerOptions)) -> Self {
        let log = Arc::<Lines>::default();
        let guest_log: Arc<dyn GuestLog> = Arc::<Lines>::clone(&log);
        let host = Host::builder(guest_log).default_engines().unwrap().build();
        let mut options = ServerOptions::new(host);
        options.concurrency = 1;
        change(&mut options);
        let stats = Arc::clone(&options.stats);
        Self { server: Server::start(bootstrap, options).unwrap(), stats, log }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address("l").unwrap()
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address())
    }

    pub(crate) fn stat(&self, name: &str) -> u64 {
        self.stats.snapshot().get(name).copied().map_or(0, |sample: Sample| sample.value)
    }

    /// Waits until a stat has this value.
    pub(crate) fn expect_stat(&self, name: &str, value: u64) {
        eventually(&format!("{name} is {value}, but {}", self.stat(name)), || self.stat(name) == value);
    }
}

pub(crate) fn bootstrap(hcm: HttpConnectionManager, clusters: Vec<Cluster>) -> Bootstrap {
    let chain = FilterChain {
        filter_chain_match: FilterChainMatch::default(),
        name: String::new(),
        tls: None,
        transport_socket_connect_timeout: None,
        network_filters: Vec::new(),
        terminal: TerminalFilter::Http { name: "hcm".into(), config: Box::new(hcm) },
    };
    Bootstrap {
        admin: Some(Admin {
            address: ([127, 0, 0, 1], 0).into(),
            allow_paths: Vec::new(),
            access_logs: Vec::new(),
            ignore_global_conn_limit: false,
            origin: Origin::default(),
        }),
        listeners: vec![listener(chain)],
        clusters,
        ..Bootstrap::default()
    }
}

fn listener(chain: FilterChain) -> Listener {
    Listener {
        listener_filters: Vec::new(),
        listener_filters_timeout: None,
        continue_on_listener_filters_timeout: false,
        filter_chain_tree: FilterChainTree::default(),
        default_filter_chain: None,
        name: "l".into(),
        address: ([127, 0, 0, 1], 0).into(),
        ipv4_compat: false,
        stat_prefix: "l".into(),
        traffic_direction: TrafficDirection::Unspecified,
        drain_type: DrainType::Default,
        metadata: None,
        enable_reuse_port: true,
        per_connection_buffer_limit_bytes: 1024 * 1024,
        tcp_backlog_size: None,
        global_connection_limit: GlobalConnectionLimit::Enforced,
        filter_chains: vec![chain],
        origin: Origin::default(),
    }
}

/// A connection manager with these routes for every host, and a router.
pub(crate) fn hcm(routes: Vec<Route>) -> HttpConnectionManager {
    let host = VirtualHost { routes, ..VirtualHost::new("v", vec![Domain::Any]) };
    let routes = RouteConfiguration { virtual_hosts: vec![host], ..RouteConfiguration::default() };
    HttpConnectionManager::new("in", routes, vec![router()])
}

pub(crate) fn router() -> HttpFilter {
    HttpFilter {
        name: "router".into(),
        disabled: false,
        kind: HttpFilterKind::Router(Router::default()),
        origin: Origin::default(),
    }
}

fn route(prefix: &str, kind: RouteKind) -> Route {
    Route::new(RouteMatch::new(PathMatcher::Prefix(prefix.into())), kind)
}

/// A route to a cluster.
pub(crate) fn forward(prefix: &str, cluster: &str) -> Route {
    route(prefix, RouteKind::Route(Box::new(RouteAction::new(cluster))))
}

/// A route to a cluster with another action.
pub(crate) fn prefix(prefix: &str, cluster: &str, change: impl FnOnce(&mut RouteAction)) -> Route {
    let mut action = RouteAction::new(cluster);
    change(&mut action);
    route(prefix, RouteKind::Route(Box::new(action)))
}

/// A route that answers.
pub(crate) fn direct(prefix: &str, status: u16, body: &'static str) -> Route {
    route(prefix, RouteKind::DirectResponse(DirectResponse { status, body: Bytes::from_static(body.as_bytes()) }))
}

/// A static cluster of one host.
pub(crate) fn cluster(name: &str, address: SocketAddr) -> Cluster {
    cluster_of(name, Discovery::Static, vec![EndpointAddress::Ip(address)])
}

pub(crate) fn cluster_of(name: &str, discovery: Discovery, addresses: Vec<EndpointAddress>) -> Cluster {
    let endpoints = addresses.into_iter().map(Endpoint::new).collect();
    Cluster {
        discovery,
        localities: vec![LocalityEndpoints { endpoints, ..LocalityEndpoints::default() }],
        ..Cluster::new(name)
    }
}
