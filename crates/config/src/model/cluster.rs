//! Clusters and their endpoints.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;

use super::{
    CircuitBreakers, DnsResolver, EdsConfig, EndpointHealthCheck, HealthCheck, Http1Options, Http2Options, HttpFilter,
    LoadBalancing, MetadataCriteria, Origin, OutlierDetection, UpstreamSocket, UpstreamTlsContext,
};

/// Envoy's `envoy.config.cluster.v3.Cluster`.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// Unique, not empty.
    pub name: String,
    /// Replaces the name in stats, `cluster.<alt_stat_name>.`, and in the attribute; empty: the name.
    pub alt_stat_name: String,
    /// Where its endpoints come from.
    pub discovery: Discovery,
    /// 5 s by default.
    pub connect_timeout: Duration,
    /// How an endpoint is chosen.
    pub load_balancing: Arc<LoadBalancing>,
    /// The endpoints by locality, in order.
    pub localities: Vec<LocalityEndpoints>,
    /// How much it may use at once.
    pub circuit_breakers: CircuitBreakers,
    /// How its sockets are set up.
    pub socket: UpstreamSocket,
    /// Above so many unsent bytes to an endpoint, the client is not read. 1 MiB by default; 0 is no limit.
    pub per_connection_buffer_limit_bytes: u32,
    /// Endpoints are asked how they are.
    pub health_check: Option<HealthCheck>,
    /// `common_lb_config.update_merge_window`: changes of health within it are told to the threads as one. 1 s by default; 0 is none.
    pub update_merge_window: Duration,
    /// `common_lb_config.ignore_new_hosts_until_first_hc`: an endpoint that a name begins to resolve to does not count before its
    /// first check, rather than as unhealthy.
    pub ignore_new_hosts_until_first_hc: bool,
    /// An endpoint that a control plane no longer tells goes at once, rather than when its checks fail. One that names no longer resolve to
    /// goes at once either way.
    pub ignore_health_on_host_removal: bool,
    /// Endpoints that answer badly are left out for a while.
    pub outlier_detection: Option<OutlierDetection>,
    /// How HTTP is spoken to the endpoints.
    pub http: UpstreamHttpOptions,
    /// How connections to the endpoints are secured; `None`: not at all.
    pub tls: Option<Arc<UpstreamTlsContext>>,
    /// `envoy.config.core.v3.Metadata`, serialized; `None` if not set. The property `cluster_metadata`.
    pub metadata: Option<Bytes>,
    /// Where it stands.
    pub origin: Origin,
}

impl Cluster {
    /// The name in stats, before Envoy's changes to it.
    #[must_use]
    pub fn stat_name(&self) -> &str {
        if self.alt_stat_name.is_empty() { &self.name } else { &self.alt_stat_name }
    }
}

/// How a cluster finds its endpoints.
#[derive(Clone, Debug, PartialEq)]
pub enum Discovery {
    /// Addresses are IP addresses.
    Static,
    /// Every address that a name resolves to is an endpoint.
    StrictDns(DnsOptions),
    /// One name; each new connection goes to the first address of the latest answer, old ones stay.
    LogicalDns(DnsOptions),
    /// A control plane or a file tells them.
    Eds(EdsConfig),
}

/// How names are resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsOptions {
    /// Between two resolutions. 5 s by default.
    pub refresh_rate: Duration,
    /// After a failed resolution: base and greatest interval of the jittered backoff. By default `refresh_rate` without backoff.
    pub failure_refresh_rate: Option<(Duration, Duration)>,
    /// Up to so much is added to `refresh_rate` at random. None by default.
    pub jitter: Duration,
    /// Which addresses are wanted.
    pub lookup_family: DnsLookupFamily,
    /// Who is asked; the system unless something else is said here or for the whole process.
    pub resolver: DnsResolver,
}

/// Envoy's `DnsLookupFamily`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DnsLookupFamily {
    /// IPv6, and IPv4 if there is none.
    #[default]
    Auto,
    /// IPv4 only.
    V4Only,
    /// IPv6 only.
    V6Only,
    /// IPv4, and IPv6 if there is none.
    V4Preferred,
    /// Both.
    All,
}

/// Envoy's `envoy.config.endpoint.v3.LocalityLbEndpoints`, a group of endpoints in one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalityEndpoints {
    /// `locality.region`.
    pub region: String,
    /// `locality.zone`.
    pub zone: String,
    /// `locality.sub_zone`.
    pub sub_zone: String,
    /// 0 is used first; the next ones as far as endpoints of those before are not available.
    pub priority: u32,
    /// Its share of the requests, with locality weighted load balancing; 0 (the default there): none.
    pub load_balancing_weight: u32,
    /// In order.
    pub endpoints: Vec<Endpoint>,
}

/// Envoy's `envoy.config.endpoint.v3.LbEndpoint`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Where it is.
    pub address: EndpointAddress,
    /// `endpoint.hostname`: for health checks and automatic host rewriting; empty if not set.
    pub hostname: String,
    /// How it is checked.
    pub health_check: EndpointHealthCheck,
    /// At least 1, which is the default.
    pub weight: u32,
    /// Whether it takes requests.
    pub health_status: HealthStatus,
    /// `envoy.config.core.v3.Metadata`, serialized; `None` if not set. The property `upstream_host_metadata`.
    pub metadata: Option<Bytes>,
    /// What load balancing reads of the metadata.
    pub lb_metadata: LbMetadata,
    /// Where it is: `envoy.config.core.v3.Locality`, serialized; empty if not set. The property `upstream.locality`.
    pub locality: Bytes,
    /// The metadata of its locality, serialized; empty if not set. The property `upstream_host_locality_metadata`.
    pub locality_metadata: Bytes,
}

/// `envoy.lb` of an endpoint's metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LbMetadata {
    /// All of it; `None` if there is none.
    pub fields: Option<Arc<MetadataCriteria>>,
    /// The endpoint is a canary, for stats and retries.
    pub canary: bool,
    /// Stands for the endpoint in hash tables; empty if not set.
    pub hash_key: String,
}

/// An endpoint's address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum EndpointAddress {
    /// An IP address.
    Ip(SocketAddr),
    /// A name to resolve, only in DNS clusters.
    Name {
        /// The host's name.
        host: String,
        /// The port.
        port: u16,
    },
}

/// Envoy's `envoy.config.core.v3.HealthStatus`: what the configuration says of an endpoint's health.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HealthStatus {
    /// `UNKNOWN`: takes requests.
    #[default]
    Unknown,
    /// `HEALTHY`: takes requests.
    Healthy,
    /// `UNHEALTHY`: takes requests only in a panic (see the panic threshold).
    Unhealthy,
    /// `DRAINING`: takes none, and does not count where shares of healthy endpoints are taken.
    Draining,
    /// `TIMEOUT`: as `UNHEALTHY`.
    Timeout,
    /// `DEGRADED`: takes requests if there are not enough healthy ones.
    Degraded,
}

/// Which version of HTTP is spoken to the endpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UpstreamHttpProtocol {
    /// `explicit_http_config` of HTTP/1, or nothing at all.
    #[default]
    Http1,
    /// `explicit_http_config` of HTTP/2: without TLS, with prior knowledge.
    Http2,
    /// `use_downstream_protocol_config`: what the client speaks.
    Downstream,
    /// `auto_config`: what the endpoint chooses by ALPN, HTTP/1 if it does not choose.
    Auto,
}

/// Envoy's `envoy.extensions.upstreams.http.v3.HttpProtocolOptions`.
#[derive(Clone, Debug, PartialEq)]
pub struct UpstreamHttpOptions {
    /// A connection without a stream is closed after it. 1 h by default.
    pub idle_timeout: Option<Duration>,
    /// Then a connection takes no more requests and is closed when idle. None by default.
    pub max_connection_duration: Option<Duration>,
    /// For a whole stream, with 504 `max_duration` semantics of Envoy's router. None by default.
    pub max_stream_duration: Option<Duration>,
    /// Requests a connection may serve.
    pub max_requests_per_connection: Option<u32>,
    /// Header fields a response may have, 100 by default; above, the response is a protocol error (502).
    pub max_headers_count: u32,
    /// KiB that a response's head may have, 80 by default (observed in Envoy 1.40); above, the response is a protocol error (502).
    pub max_response_headers_kb: u32,
    /// Which version is spoken.
    pub protocol: UpstreamHttpProtocol,
    /// HTTP/1.
    pub http1: Http1Options,
    /// HTTP/2.
    pub http2: Http2Options,
    /// What requests say of TLS.
    pub tls_names: UpstreamTlsNames,
    /// What every attempt at a request passes on its way to an endpoint, without the codec at the end; empty: what the
    /// router says.
    pub http_filters: Vec<HttpFilter>,
}

/// Envoy's `UpstreamHttpProtocolOptions`: names for TLS that come from requests. Requests with different names do not share connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpstreamTlsNames {
    /// The request's host is asked for, unless it is an address.
    pub auto_sni: bool,
    /// The certificate must be for the request's host.
    pub auto_san_validation: bool,
    /// The header that stands for the host, if the request has it; empty for none.
    pub override_auto_sni_header: String,
}

// === impl Cluster ===

impl Cluster {
    /// A static cluster without endpoints, with Envoy's defaults for all that can be left out.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            alt_stat_name: String::new(),
            discovery: Discovery::Static,
            connect_timeout: Duration::from_secs(5),
            load_balancing: Arc::default(),
            circuit_breakers: CircuitBreakers::default(),
            socket: UpstreamSocket::default(),
            localities: Vec::new(),
            per_connection_buffer_limit_bytes: 1 << 20,
            health_check: None,
            update_merge_window: Duration::from_secs(1),
            ignore_new_hosts_until_first_hc: false,
            ignore_health_on_host_removal: false,
            outlier_detection: None,
            http: UpstreamHttpOptions::default(),
            tls: None,
            metadata: None,
            origin: Origin::default(),
        }
    }
}

// === impl Endpoint ===

impl Endpoint {
    /// An endpoint at `address`, with Envoy's defaults for all that can be left out.
    #[must_use]
    pub fn new(address: EndpointAddress) -> Self {
        Self {
            address,
            hostname: String::new(),
            health_check: EndpointHealthCheck::default(),
            weight: 1,
            health_status: HealthStatus::Unknown,
            metadata: None,
            lb_metadata: LbMetadata::default(),
            locality: Bytes::new(),
            locality_metadata: Bytes::new(),
        }
    }
}

// === impl DnsOptions ===

impl Default for DnsOptions {
    fn default() -> Self {
        Self {
            refresh_rate: Duration::from_secs(5),
            failure_refresh_rate: None,
            jitter: Duration::ZERO,
            lookup_family: DnsLookupFamily::default(),
            resolver: DnsResolver::System,
        }
    }
}

// === impl UpstreamHttpOptions ===

impl Default for UpstreamHttpOptions {
    fn default() -> Self {
        Self {
            idle_timeout: Some(Duration::from_secs(3600)),
            max_connection_duration: None,
            max_stream_duration: None,
            max_requests_per_connection: None,
            max_headers_count: 100,
            max_response_headers_kb: 80,
            protocol: UpstreamHttpProtocol::default(),
            http1: Http1Options::default(),
            http2: Http2Options::default(),
            tls_names: UpstreamTlsNames::default(),
            http_filters: Vec::new(),
        }
    }
}
