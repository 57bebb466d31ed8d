//! The HTTP connection manager and its filters.

use std::sync::Arc;
use std::time::Duration;

use super::{
    AccessLog, AccessLogOptions, CidrRange, ClientCertDetails, ExtensionDiscovery, ForwardClientCert, HeaderMutation,
    HealthCheckFilter, Http2Options, HttpRbac, LocalReplyConfig, Origin, OriginalIpDetection, PathOptions, Rds,
    RouteConfiguration, SetFilterState, SetMetadata, StripPort, UpgradeConfig, WasmPlugin,
};

/// Envoy's `envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`.
///
/// What cannot be configured is as Envoy has it by default: a connection is closed after an invalid request.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpConnectionManager {
    /// Names the stats: `http.<stat_prefix>.…`. Not empty.
    pub stat_prefix: String,
    /// What is spoken to clients.
    pub codec_type: CodecType,
    /// The routes; if `rds` is set, the default, which has none.
    pub route_config: RouteConfiguration,
    /// Where the routes come from, if they are not in the configuration.
    pub rds: Option<Rds>,
    /// In order of the request; the last is the router, and only the last.
    pub http_filters: Vec<HttpFilter>,
    /// Requests that ask for another protocol and find nothing here nor at their route get 403.
    pub upgrades: Vec<UpgradeConfig>,
    /// For `server`, by default `envoy`.
    pub server_name: String,
    /// What happens to the upstream's `server`.
    pub server_header_transformation: ServerHeaderTransformation,
    /// Appended to `via` of requests and responses; empty: `via` is left as it is.
    pub via: String,
    /// `stream_idle_timeout`: a stream on which nothing moves for so long ends (408 before the request is complete, 504 if the
    /// response has not begun, a reset after). 5 min by default. A route's `idle_timeout` replaces it.
    pub stream_idle_timeout: Option<Duration>,
    /// `request_timeout`: from the first byte of the head to the last of the request; then 408. None by default.
    pub request_timeout: Option<Duration>,
    /// `request_headers_timeout`: from the first byte of the head to its end; then 408. None by default.
    pub request_headers_timeout: Option<Duration>,
    /// `delayed_close_timeout`: how long a connection that we close after a response waits for the client's FIN, after the last write.
    /// 1 s by default; `None` closes at once.
    pub delayed_close_timeout: Option<Duration>,
    /// `drain_timeout`: between the notice that a connection drains and its close; matters for HTTP/2 and for connections that reach
    /// `max_connection_duration`. 5 s by default; zero is no wait.
    pub drain_timeout: Duration,
    /// `common_http_protocol_options.idle_timeout`: a connection without a stream is closed after it. 1 h by default.
    pub idle_timeout: Option<Duration>,
    /// `common_http_protocol_options.max_connection_duration`: then the connection drains (`connection: close` on the next response).
    /// None by default.
    pub max_connection_duration: Option<Duration>,
    /// `common_http_protocol_options.max_stream_duration`: then 408 if the response has not begun, else a reset. None by default.
    pub max_stream_duration: Option<Duration>,
    /// `common_http_protocol_options.max_requests_per_connection`: the response to that request carries `connection: close`.
    pub max_requests_per_connection: Option<u32>,
    /// `common_http_protocol_options.headers_with_underscores_action`, of requests.
    pub headers_with_underscores_action: HeadersWithUnderscoresAction,
    /// KiB that a request's head may have, 60 by default; 431 above.
    pub max_request_headers_kb: u32,
    /// Header fields a request may have, 100 by default; 431 above. Also trailers.
    pub max_headers_count: u32,
    /// Make an `x-request-id` where there is none. True by default.
    pub generate_request_id: bool,
    /// Keep the `x-request-id` of external requests.
    pub preserve_external_request_id: bool,
    /// Put `x-request-id` into every response.
    pub always_set_request_id_in_response: bool,
    /// Trust the socket's address rather than `x-forwarded-for`, and append it. False by default.
    pub use_remote_address: bool,
    /// Proxies in front of this one whose `x-forwarded-for` entries are trusted.
    pub xff_num_trusted_hops: u32,
    /// Do not append to `x-forwarded-for` though `use_remote_address`.
    pub skip_xff_append: bool,
    /// Forward `Expect: 100-continue` and let the upstream answer it.
    pub proxy_100_continue: bool,
    /// What happens to paths.
    pub path: PathOptions,
    /// Which ports are taken away from `host`.
    pub strip_port: StripPort,
    /// Take away a dot at the end of `host`.
    pub strip_trailing_host_dot: bool,
    /// `internal_address_config`: requests that come straight from these are internal. Nobody is by default.
    pub internal_addresses: Vec<CidrRange>,
    /// Tell the listener's port in `x-forwarded-port`.
    pub append_x_forwarded_port: bool,
    /// Tell this node's cluster and id in `x-envoy-downstream-service-…`, and in `user-agent` if there is none.
    pub add_user_agent: bool,
    /// `scheme_header_transformation.scheme_to_overwrite`: `http` or `https` instead of what is said of the request.
    pub scheme_to_overwrite: Option<String>,
    /// What happens to `x-forwarded-client-cert`.
    pub forward_client_cert: ForwardClientCert,
    /// What that header tells.
    pub client_cert_details: ClientCertDetails,
    /// Where the client's address comes from: the first that finds one. Empty: from `x-forwarded-for` and the socket, as
    /// `use_remote_address` and `xff_num_trusted_hops` say.
    pub original_ip_detection: Vec<OriginalIpDetection>,
    /// Made before all else that changes headers.
    pub early_header_mutations: Vec<HeaderMutation>,
    /// HTTP/1 to clients.
    pub http1: Http1Options,
    /// HTTP/2 to clients.
    pub http2: Http2Options,
    /// What is written of requests.
    pub access_logs: Vec<AccessLog>,
    /// When, besides at their end.
    pub access_log_options: AccessLogOptions,
    /// `local_reply_config`: what answers look like that do not come from an upstream.
    pub local_reply: Option<Box<LocalReplyConfig>>,
    /// Where it stands.
    pub origin: Origin,
}

/// What the listener speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CodecType {
    /// Told by the first bytes.
    #[default]
    Auto,
    /// HTTP/1 only.
    Http1,
    /// HTTP/2 by prior knowledge only.
    Http2,
}

/// Envoy's `ServerHeaderTransformation`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServerHeaderTransformation {
    /// `server` is `server_name`, whatever the upstream sent.
    #[default]
    Overwrite,
    /// `server` is `server_name` if the upstream sent none.
    AppendIfAbsent,
    /// `server` is left as it is; none is made.
    PassThrough,
}

/// Envoy's `HeadersWithUnderscoresAction`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeadersWithUnderscoresAction {
    /// They pass.
    #[default]
    Allow,
    /// 400; counted in `http.<stat_prefix>.downstream_rq_…` and `http1.requests_rejected_with_underscores_in_headers`.
    RejectRequest,
    /// The header is dropped; counted in `http1.dropped_headers_with_underscores`.
    DropHeader,
}

/// Envoy's `envoy.config.core.v3.Http1ProtocolOptions`, of both sides; a client-side field means nothing for an upstream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Http1Options {
    /// Serve HTTP/1.0, else 426.
    pub accept_http_10: bool,
    /// The `host` of HTTP/1.0 requests without one; empty: such a request gets 400.
    pub default_host_for_http_10: String,
    /// Read, keep and write trailers; by default they are read and dropped.
    pub enable_trailers: bool,
    /// `transfer-encoding: chunked` beside `content-length`: drop the latter, rather than 400.
    pub allow_chunked_length: bool,
}

/// One entry of `http_filters`.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpFilter {
    /// The entry's name: whatever the author wrote.
    pub name: String,
    /// Not run unless a route enables it; and no route can yet. Its configuration is loaded all the same.
    pub disabled: bool,
    /// What it does.
    pub kind: HttpFilterKind,
    /// Where it stands.
    pub origin: Origin,
}

/// The filters that exist.
#[derive(Clone, Debug, PartialEq)]
pub enum HttpFilterKind {
    /// `envoy.filters.http.wasm`.
    Wasm(Box<WasmPlugin>),
    /// `envoy.filters.http.health_check`.
    HealthCheck(HealthCheckFilter),
    /// `envoy.filters.http.set_metadata`.
    SetMetadata(SetMetadata),
    /// `envoy.filters.http.set_filter_state`.
    SetFilterState(SetFilterState),
    /// `envoy.filters.http.rbac`.
    Rbac(Arc<HttpRbac>),
    /// `envoy.filters.http.router`.
    Router(Router),
    /// `config_discovery`: what it is, a control plane or a file tells.
    Discovered(Arc<ExtensionDiscovery>),
}

/// Envoy's `envoy.extensions.filters.http.router.v3.Router`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Router {
    /// Add no `x-envoy-*` headers to requests and responses (among them `x-envoy-upstream-service-time`).
    pub suppress_envoy_headers: bool,
    /// Requests in which one of these headers has a value that makes no sense are answered with 400.
    pub strict_check_headers: Vec<String>,
    /// `x-envoy-expected-rq-timeout-ms` of a request is its timeout.
    pub respect_expected_rq_timeout: bool,
    /// Responses to gRPC requests (all of them, not only failures: observed in Envoy 1.40) are not counted by their code in
    /// the cluster's own stats.
    pub suppress_grpc_request_failure_code_stats: bool,
    /// What requests to clusters without filters of their own pass, without the codec at the end.
    pub upstream_http_filters: Vec<HttpFilter>,
}

// === impl HttpFilter ===

impl HttpFilter {
    /// The plugin, if it is one.
    #[must_use]
    pub fn wasm(&self) -> Option<&WasmPlugin> {
        match &self.kind {
            HttpFilterKind::Wasm(plugin) => Some(plugin),
            _ => None,
        }
    }
}

// === impl HttpConnectionManager ===

impl HttpConnectionManager {
    /// All filters there are: those of all requests, then those that the router has for upstreams, and then those of
    /// upgrades that have their own. A filter's place among these names it.
    pub fn all_filters(&self) -> impl Iterator<Item = &HttpFilter> {
        let of_upgrades = self.upgrades.iter().filter_map(|upgrade| upgrade.filters.as_ref()).flatten();
        self.http_filters.iter().chain(self.upstream_filters()).chain(of_upgrades)
    }

    /// What the router has for upstreams.
    fn upstream_filters(&self) -> &[HttpFilter] {
        match self.http_filters.last().map(|filter| &filter.kind) {
            Some(HttpFilterKind::Router(router)) => &router.upstream_http_filters,
            _ => &[],
        }
    }

    /// A connection manager with Envoy's defaults for all that can be left out.
    #[must_use]
    pub fn new(
        stat_prefix: impl Into<String>,
        route_config: RouteConfiguration,
        http_filters: Vec<HttpFilter>,
    ) -> Self {
        Self {
            stat_prefix: stat_prefix.into(),
            codec_type: CodecType::Auto,
            route_config,
            rds: None,
            http_filters,
            upgrades: Vec::new(),
            server_name: "envoy".to_owned(),
            server_header_transformation: ServerHeaderTransformation::Overwrite,
            via: String::new(),
            stream_idle_timeout: Some(Duration::from_secs(300)),
            request_timeout: None,
            request_headers_timeout: None,
            delayed_close_timeout: Some(Duration::from_secs(1)),
            drain_timeout: Duration::from_secs(5),
            idle_timeout: Some(Duration::from_secs(3600)),
            max_connection_duration: None,
            max_stream_duration: None,
            max_requests_per_connection: None,
            headers_with_underscores_action: HeadersWithUnderscoresAction::Allow,
            max_request_headers_kb: 60,
            max_headers_count: 100,
            generate_request_id: true,
            preserve_external_request_id: false,
            always_set_request_id_in_response: false,
            use_remote_address: false,
            xff_num_trusted_hops: 0,
            skip_xff_append: false,
            proxy_100_continue: false,
            path: PathOptions::default(),
            strip_port: StripPort::None,
            strip_trailing_host_dot: false,
            internal_addresses: Vec::new(),
            append_x_forwarded_port: false,
            add_user_agent: false,
            scheme_to_overwrite: None,
            forward_client_cert: ForwardClientCert::Sanitize,
            client_cert_details: ClientCertDetails::default(),
            original_ip_detection: Vec::new(),
            early_header_mutations: Vec::new(),
            http1: Http1Options::default(),
            http2: Http2Options::default(),
            access_logs: Vec::new(),
            access_log_options: AccessLogOptions::default(),
            local_reply: None,
            origin: Origin::default(),
        }
    }
}
