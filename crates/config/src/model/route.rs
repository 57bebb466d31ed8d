//! Routes.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use super::{
    ClusterSpecifier, ConnectConfig, CookieMatcher, HashPolicy, HeaderMatcher, HeaderMutations, HedgePolicy,
    HostRewrite, MaxStreamDuration, MetadataCriteria, MetadataMatcher, Origin, PathRewrite, PerFilterConfig,
    QueryParameterMatcher, RedirectAction, Regex, RequestMirrorPolicy, RetryPolicy, RouteUpgrade,
    RuntimeFractionalPercent,
};

/// Envoy's `envoy.config.route.v3.RouteConfiguration`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RouteConfiguration {
    /// May be empty.
    pub name: String,
    /// In order; no domain is in two of them, though two may have one name.
    pub virtual_hosts: Vec<VirtualHost>,
    /// Match domains without the port of `host`.
    pub ignore_port_in_host_matching: bool,
    /// Match domains with this header, in lower case, rather than with `host`; without it there is no virtual host.
    pub vhost_header: Option<String>,
    /// Match paths without what follows the first `;`.
    pub ignore_path_parameters_in_path_matching: bool,
    /// Removed from requests that are not internal, in lower case.
    pub internal_only_headers: Vec<String>,
    /// Of all requests.
    pub request_headers: HeaderMutations,
    /// Of all responses.
    pub response_headers: HeaderMutations,
    /// The headers of routes are changed last, rather than first.
    pub most_specific_header_mutations_wins: bool,
    /// Under those of virtual hosts.
    pub per_filter: Vec<PerFilterConfig>,
}

/// Envoy's `envoy.config.route.v3.VirtualHost`.
#[derive(Clone, Debug, PartialEq)]
pub struct VirtualHost {
    /// Not empty.
    pub name: String,
    /// At least one. Over all virtual hosts the best match wins: exact, then the longest suffix (`*.foo`), then the longest
    /// prefix (`foo.*`), then `*`.
    pub domains: Vec<Domain>,
    /// The first that matches is taken; 404 if none does.
    pub routes: Vec<Route>,
    /// What its requests are counted by, for those that routes forward; the first that matches.
    pub virtual_clusters: Vec<VirtualCluster>,
    /// Who must come by TLS, or is redirected there.
    pub require_tls: TlsRequirement,
    /// Of its requests.
    pub request_headers: HeaderMutations,
    /// Of its responses.
    pub response_headers: HeaderMutations,
    /// Under those of routes.
    pub per_filter: Vec<PerFilterConfig>,
    /// `envoy.config.core.v3.Metadata`, serialized; `None` if not set. The property `virtual_host_metadata`.
    pub metadata: Option<Bytes>,
}

/// Envoy's `envoy.config.route.v3.VirtualCluster`.
#[derive(Clone, Debug, PartialEq)]
pub struct VirtualCluster {
    /// Not empty.
    pub name: String,
    /// Not empty; all have to match.
    pub headers: Vec<HeaderMatcher>,
}

/// Envoy's `TlsRequirementType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsRequirement {
    /// Nobody.
    #[default]
    None,
    /// Requests that are not internal.
    ExternalOnly,
    /// All requests.
    All,
}

/// A domain pattern, in lower case; `host` is compared without regard to case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Domain {
    /// `www.foo.com`.
    Exact(String),
    /// `*.foo.com` or `*-bar.foo.com`; here without the asterisk. It matches at least one character.
    Suffix(String),
    /// `foo.*` or `foo-*`; here without the asterisk. It matches at least one character.
    Prefix(String),
    /// `*`.
    Any,
}

/// Envoy's `envoy.config.route.v3.Route`.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// The property `route_name`; may be empty.
    pub name: String,
    /// Its requests are counted under `vhost.<virtual host>.route.<stat_prefix>.`; empty: they are not.
    pub stat_prefix: String,
    /// Which requests it takes.
    pub matcher: RouteMatch,
    /// What it does with them.
    pub kind: RouteKind,
    /// Of its requests.
    pub request_headers: HeaderMutations,
    /// Of its responses.
    pub response_headers: HeaderMutations,
    /// Under those of weighted clusters.
    pub per_filter: Vec<PerFilterConfig>,
    /// `envoy.config.core.v3.Metadata`, serialized; `None` if not set. The property `route_metadata`.
    pub metadata: Option<Bytes>,
    /// Where it stands.
    pub origin: Origin,
}

/// Envoy's `envoy.config.route.v3.RouteMatch`: all of it has to match.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteMatch {
    /// Of the path before `?`, for a prefix as for an exact path (observed in Envoy 1.40: a prefix with `?` matches nothing).
    pub path: PathMatcher,
    /// True by default. Without effect on a regular expression.
    pub case_sensitive: bool,
    /// Of the request.
    pub headers: Vec<HeaderMatcher>,
    /// Of the path.
    pub query_parameters: Vec<QueryParameterMatcher>,
    /// Of the request.
    pub cookies: Vec<CookieMatcher>,
    /// Only requests of gRPC: `content-type` is `application/grpc` or begins with `application/grpc+`.
    pub grpc: bool,
    /// Of the stream.
    pub dynamic_metadata: Vec<MetadataMatcher>,
    /// Of the client's certificate.
    pub tls_context: Option<TlsContextMatch>,
    /// A part of the requests, by chance.
    pub runtime_fraction: Option<RuntimeFractionalPercent>,
}

/// Envoy's `TlsContextMatchOptions`. What is not said does not matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TlsContextMatch {
    /// Whether the client presented a certificate. Without TLS none did.
    pub presented: Option<bool>,
    /// Whether it was verified.
    pub validated: Option<bool>,
}

/// How a path is matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathMatcher {
    /// `prefix`.
    Prefix(String),
    /// `path`.
    Path(String),
    /// `safe_regex`: of all of the path before `?`.
    Regex(Regex),
    /// `path_separated_prefix`: all of the path, or up to a `/`. Without a slash at its end.
    PathSeparatedPrefix(String),
    /// `connect_matcher`: CONNECT, whatever its path, if it has one.
    Connect,
}

/// What a route does.
#[derive(Clone, Debug, PartialEq)]
pub enum RouteKind {
    /// Forward.
    Route(Box<RouteAction>),
    /// Answer.
    DirectResponse(DirectResponse),
    /// Answer with another address.
    Redirect(RedirectAction),
    /// Leave the request to a filter; if none answers, 404.
    NonForwarding,
}

/// Envoy's `envoy.config.route.v3.RouteAction`.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteAction {
    /// Where to.
    pub cluster: ClusterSpecifier,
    /// `envoy.lb` of `metadata_match`: what is asked of hosts where there are subsets of them; those of weighted clusters have it, too.
    pub metadata_match: Option<Arc<MetadataCriteria>>,
    /// The answer if the cluster does not exist.
    pub cluster_not_found_response_code: ClusterNotFoundResponseCode,
    /// From the end of the request to the end of the response; then 504, or a reset once the response has begun. 15 s by default.
    pub timeout: Option<Duration>,
    /// Replaces the connection manager's `stream_idle_timeout` if set; `Some(Duration::ZERO)` turns it off.
    pub idle_timeout: Option<Duration>,
    /// Its own, or else the virtual host's.
    pub retry_policy: Option<RetryPolicy>,
    /// Its own, or else the virtual host's.
    pub hedge_policy: HedgePolicy,
    /// The virtual host's `include_is_timeout_retry_header`: retries carry `x-envoy-is-timeout-retry`.
    pub include_is_timeout_retry_header: bool,
    /// The virtual host's: requests carry `x-envoy-attempt-count`.
    pub include_request_attempt_count: bool,
    /// The virtual host's: responses carry it.
    pub include_attempt_count_in_response: bool,
    /// Its own, or else the virtual host's, or else the route configuration's.
    pub request_mirror_policies: Vec<RequestMirrorPolicy>,
    /// How long streams may take; with it, `timeout` does not count.
    pub max_stream_duration: Option<MaxStreamDuration>,
    /// With this, a gRPC request's timeout is its `grpc-timeout`, up to this; zero is no limit.
    pub max_grpc_timeout: Option<Duration>,
    /// What is taken from that `grpc-timeout`.
    pub grpc_timeout_offset: Option<Duration>,
    /// Of the request that is forwarded.
    pub path_rewrite: PathRewrite,
    /// Of the request that is forwarded.
    pub host_rewrite: HostRewrite,
    /// A rewritten host is appended to `x-forwarded-host` as it was.
    pub append_x_forwarded_host: bool,
    /// What the hash is made of, for clusters whose load balancing goes by it.
    pub hash_policies: Vec<HashPolicy>,
    /// Which circuit breakers of the cluster count.
    pub priority: RoutingPriority,
    /// What becomes of requests for other protocols, before the connection manager is asked.
    pub upgrades: Vec<RouteUpgrade>,
    /// CONNECT ends here; without, it is forwarded.
    pub connect: Option<ConnectConfig>,
}

/// Envoy's `envoy.config.core.v3.RoutingPriority`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RoutingPriority {
    /// `DEFAULT`.
    #[default]
    Default,
    /// `HIGH`.
    High,
}

/// Envoy's `ClusterNotFoundResponseCode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClusterNotFoundResponseCode {
    /// 503.
    #[default]
    ServiceUnavailable,
    /// 404.
    NotFound,
    /// 500.
    InternalServerError,
}

/// Envoy's `envoy.config.route.v3.DirectResponseAction`. It passes through the filters: the router answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectResponse {
    /// 200 to 599.
    pub status: u16,
    /// May be empty; at most `max_direct_response_body_size_bytes` (4096 by default).
    pub body: Bytes,
}

// === impl Domain ===

impl Domain {
    /// Takes a pattern as Envoy does: an asterisk counts at one end only, and elsewhere stands for itself.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let text = text.to_ascii_lowercase();
        if text == "*" {
            return Self::Any;
        }
        if let Some(suffix) = text.strip_prefix('*') {
            return Self::Suffix(suffix.to_owned());
        }
        match text.strip_suffix('*') {
            Some(prefix) => Self::Prefix(prefix.to_owned()),
            None => Self::Exact(text),
        }
    }
}

// === impl VirtualHost ===

impl VirtualHost {
    /// One without routes.
    #[must_use]
    pub fn new(name: impl Into<String>, domains: Vec<Domain>) -> Self {
        Self {
            name: name.into(),
            domains,
            routes: Vec::new(),
            virtual_clusters: Vec::new(),
            require_tls: TlsRequirement::None,
            request_headers: HeaderMutations::default(),
            response_headers: HeaderMutations::default(),
            per_filter: Vec::new(),
            metadata: None,
        }
    }
}

// === impl Route ===

impl Route {
    /// One without a name that changes nothing.
    #[must_use]
    pub fn new(matcher: RouteMatch, kind: RouteKind) -> Self {
        Self {
            name: String::new(),
            stat_prefix: String::new(),
            matcher,
            kind,
            request_headers: HeaderMutations::default(),
            response_headers: HeaderMutations::default(),
            per_filter: Vec::new(),
            metadata: None,
            origin: Origin::default(),
        }
    }
}

// === impl RouteMatch ===

impl RouteMatch {
    /// Of a path alone.
    #[must_use]
    pub fn new(path: PathMatcher) -> Self {
        Self {
            path,
            case_sensitive: true,
            headers: Vec::new(),
            query_parameters: Vec::new(),
            cookies: Vec::new(),
            grpc: false,
            dynamic_metadata: Vec::new(),
            tls_context: None,
            runtime_fraction: None,
        }
    }
}

// === impl RouteAction ===

impl RouteAction {
    /// To `cluster`, with Envoy's defaults.
    #[must_use]
    pub fn new(cluster: impl Into<String>) -> Self {
        Self {
            cluster: ClusterSpecifier::Cluster(cluster.into()),
            metadata_match: None,
            cluster_not_found_response_code: ClusterNotFoundResponseCode::default(),
            timeout: Some(Duration::from_secs(15)),
            idle_timeout: None,
            retry_policy: None,
            hedge_policy: HedgePolicy::default(),
            include_is_timeout_retry_header: false,
            include_request_attempt_count: false,
            include_attempt_count_in_response: false,
            request_mirror_policies: Vec::new(),
            max_stream_duration: None,
            max_grpc_timeout: None,
            grpc_timeout_offset: None,
            path_rewrite: PathRewrite::Keep,
            host_rewrite: HostRewrite::Keep,
            append_x_forwarded_host: false,
            hash_policies: Vec::new(),
            priority: RoutingPriority::Default,
            upgrades: Vec::new(),
            connect: None,
        }
    }
}

// === impl ClusterNotFoundResponseCode ===

impl ClusterNotFoundResponseCode {
    /// The HTTP status.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::ServiceUnavailable => 503,
            Self::NotFound => 404,
            Self::InternalServerError => 500,
        }
    }
}
