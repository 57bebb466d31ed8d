//! Active health checks of a cluster.

use std::time::Duration;

use bytes::Bytes;

use super::{HeaderMatcher, Origin, StringMatcher};

/// Envoy's `envoy.config.core.v3.HealthCheck`.
#[derive(Clone, Debug, PartialEq)]
pub struct HealthCheck {
    /// From the begin of a check to its answer; then it has failed.
    pub timeout: Duration,
    /// Between checks of a host that is healthy.
    pub interval: Duration,
    /// The first check of a host is up to so much later.
    pub initial_jitter: Duration,
    /// Added to every interval, at random below it.
    pub interval_jitter: Duration,
    /// Added to every interval, at random below so many percent of it.
    pub interval_jitter_percent: u32,
    /// So many network failures or retriable answers in a row make a healthy host unhealthy; any other failure does at once. With 0,
    /// no number of them does.
    pub unhealthy_threshold: u32,
    /// So many successes in a row make an unhealthy host healthy. The very first check of a host is enough by itself.
    pub healthy_threshold: u32,
    /// Keep the connection for the next check. True by default.
    pub reuse_connection: bool,
    /// Instead of all other intervals, while the cluster never had a connection. 1 min by default.
    pub no_traffic_interval: Duration,
    /// The same, for a healthy host. `no_traffic_interval` by default.
    pub no_traffic_healthy_interval: Duration,
    /// Between checks of a host that is unhealthy. `interval` by default.
    pub unhealthy_interval: Duration,
    /// After a failure of a host that is still healthy. `unhealthy_interval` by default.
    pub unhealthy_edge_interval: Duration,
    /// After a success of a host that is still unhealthy. `interval` by default.
    pub healthy_edge_interval: Duration,
    /// Files that get a line of JSON for each event.
    pub event_log_paths: Vec<String>,
    /// Every failure is an event, not just the first check's and changes.
    pub always_log_failures: bool,
    /// Every success is an event, not just changes.
    pub always_log_success: bool,
    /// Offered to hosts over TLS in place of the cluster's protocols; empty for those.
    pub alpn_protocols: Vec<String>,
    /// What is sent and what must come back.
    pub kind: HealthCheckKind,
    /// Where it stands.
    pub origin: Origin,
}

/// What a check sends, and what must come back.
#[derive(Clone, Debug, PartialEq)]
pub enum HealthCheckKind {
    /// A request.
    Http(Box<HttpHealthCheck>),
    /// A connection, and bytes over it.
    Tcp(TcpHealthCheck),
    /// `grpc.health.v1.Health/Check`.
    Grpc(GrpcHealthCheck),
}

/// Envoy's `envoy.config.core.v3.HealthCheck.HttpHealthCheck`.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpHealthCheck {
    /// The `host` header, where the endpoint's `health_check_config.hostname` is not set. Empty: the cluster's name.
    pub host: String,
    /// Over HTTP/2 rather than HTTP/1.
    pub http2: bool,
    /// The path.
    pub path: String,
    /// The method, `GET` by default.
    pub method: &'static str,
    /// The request's body, if it has one.
    pub send: Option<Bytes>,
    /// What the response's body must contain, one after the other.
    pub receive: Vec<Bytes>,
    /// How many bytes of the response's body are looked at. 1024 by default; 0 is no limit.
    pub response_buffer_size: u64,
    /// Response codes that mean success: from the first up to, not including, the second. 200 by default.
    pub expected_statuses: Vec<(u16, u16)>,
    /// Codes of failures that count against `unhealthy_threshold` rather than at once.
    pub retriable_statuses: Vec<(u16, u16)>,
    /// What `x-envoy-upstream-healthchecked-cluster` of the response must be like.
    pub service_name_matcher: Option<StringMatcher>,
}

/// Envoy's `envoy.config.core.v3.HealthCheck.TcpHealthCheck`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TcpHealthCheck {
    /// Sent once connected.
    pub send: Option<Bytes>,
    /// What must come back, one after the other, with anything in between. If empty, a connection is enough, and nothing is sent.
    pub receive: Vec<Bytes>,
}

/// Envoy's `envoy.config.core.v3.HealthCheck.GrpcHealthCheck`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrpcHealthCheck {
    /// The service that is asked for; empty: the whole server.
    pub service_name: String,
    /// `:authority`, where the endpoint's `health_check_config.hostname` is not set. Empty: the cluster's name.
    pub authority: String,
}

/// Envoy's `envoy.config.endpoint.v3.Endpoint.HealthCheckConfig`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointHealthCheck {
    /// Where to check, if not where requests go.
    pub port: Option<u16>,
    /// Where to check, if not where requests go.
    pub address: Option<std::net::SocketAddr>,
    /// The `host` header of checks; empty if not set.
    pub hostname: String,
    /// Do not check this endpoint: it counts as healthy.
    pub disabled: bool,
}

/// Envoy's `envoy.extensions.filters.http.health_check.v3.HealthCheck`: an HTTP filter that answers health checks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HealthCheckFilter {
    /// Checks go to the service behind, unless this process fails its health checks or a cached answer serves.
    pub pass_through_mode: bool,
    /// For how long an answer of the service behind serves.
    pub cache_time: Option<Duration>,
    /// By cluster: percent of its hosts that must be healthy or degraded, for an answer of 200. Empty with `pass_through_mode`.
    pub cluster_min_healthy_percentages: Vec<(String, u64)>,
    /// What a request must be like to be a check.
    pub headers: Vec<HeaderMatcher>,
}

// === impl HttpHealthCheck ===

impl HttpHealthCheck {
    /// Whether `status` means success.
    #[must_use]
    pub fn is_expected(&self, status: u16) -> bool {
        contains(&self.expected_statuses, status)
    }

    /// Whether `status` is a failure that may pass.
    #[must_use]
    pub fn is_retriable(&self, status: u16) -> bool {
        contains(&self.retriable_statuses, status)
    }
}

fn contains(ranges: &[(u16, u16)], status: u16) -> bool {
    ranges.iter().any(|(start, end)| (*start..*end).contains(&status))
}
