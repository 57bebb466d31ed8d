//! A configuration as the rest of the program sees it: checked, complete, with Envoy's defaults filled in.
//!
//! Each field here is implemented by the data plane. A field of Envoy's schema that has no counterpart here is refused while loading,
//! or is in the table of harmless ones. An `Option` means that absence is a behaviour of its own, said in the field's text;
//! for times, `None` is what Envoy writes as `0s`: no limit.

mod access_log;
mod bootstrap;
mod circuit_breakers;
mod cluster;
mod config_source;
mod dns_resolver;
mod filter_chain_match;
mod filter_chain_tree;
mod grpc_service;
mod hash_policy;
mod header_mutations;
mod health_check;
mod http2_options;
mod http_connection_manager;
mod listener;
mod listener_filter;
mod load_balancing;
mod local_reply;
mod matcher;
mod metadata_criteria;
mod mirror;
mod network_filter;
mod network_filters;
mod origin;
mod outlier_detection;
mod per_filter;
mod rbac;
mod redirect;
mod request_options;
mod resource;
mod retry;
mod rewrite;
mod route;
mod runtime;
mod state_filters;
mod stats;
mod subset;
mod tcp_proxy;
mod tls;
mod upgrade;
mod upstream_socket;
mod wasm;
mod wasm_limits;

pub use self::{
    access_log::{
        AccessLog, AccessLogFilter, AccessLogOptions, AccessLogSink, AccessLogger, Comparison, ComparisonOp,
        SubstitutionFormat,
    },
    bootstrap::{Admin, Bootstrap, Node, NodeLocality},
    circuit_breakers::{CircuitBreakers, RetryBudget, Thresholds},
    cluster::{
        Cluster, Discovery, DnsLookupFamily, DnsOptions, Endpoint, EndpointAddress, HealthStatus, LbMetadata,
        LocalityEndpoints, UpstreamHttpOptions, UpstreamHttpProtocol, UpstreamTlsNames,
    },
    config_source::{
        ApiConfig, ConfigSource, ConfigSourceKind, DiscoveredKind, DynamicResources, EdsConfig, ExtensionDiscovery,
        FilterCategory, RateLimit, Rds,
    },
    dns_resolver::{DnsResolver, NameServers},
    filter_chain_match::{FilterChainMatch, SourceType},
    filter_chain_tree::{ConnectionFacts, FilterChainTree, Overlap},
    grpc_service::{EnvoyGrpc, GrpcService, GrpcTarget},
    hash_policy::{HashCookie, HashPolicy, HashSpecifier},
    header_mutations::{HeaderAppendAction, HeaderMutations, HeaderValueOption},
    health_check::{
        EndpointHealthCheck, GrpcHealthCheck, HealthCheck, HealthCheckFilter, HealthCheckKind, HttpHealthCheck,
        TcpHealthCheck,
    },
    http_connection_manager::{
        CodecType, HeadersWithUnderscoresAction, Http1Options, HttpConnectionManager, HttpFilter, HttpFilterKind,
        Router, ServerHeaderTransformation,
    },
    http2_options::{Http2Options, Keepalive},
    listener::{DrainType, FilterChain, GlobalConnectionLimit, Listener, TrafficDirection},
    listener_filter::{
        ListenerFilter, ListenerFilterKind, ListenerFilterPredicate, ProxyProtocol, ProxyProtocolRule, TlsInspector,
    },
    load_balancing::{
        ConsistentHashing, HashFunction, LbPolicy, LeastRequest, LoadBalancing, Maglev, RingHash, SlowStart, ZoneAware,
    },
    local_reply::{BodyFormat, LocalReplyConfig, ResponseMapper},
    matcher::{
        CookieMatcher, DoubleMatcher, HeaderMatchSpecifier, HeaderMatcher, MetadataMatcher,
        QueryParameterMatchSpecifier, QueryParameterMatcher, StringMatcher, StringPattern, ValueMatcher,
    },
    metadata_criteria::{MetadataCriteria, MetadataCriterion, MetadataValue},
    mirror::{MaxStreamDuration, MirrorCluster, RequestMirrorPolicy},
    network_filter::{NetworkFilter, NetworkFilterKind, TerminalFilter},
    network_filters::{ConnectionLimit, NetworkRbac},
    origin::Origin,
    outlier_detection::OutlierDetection,
    per_filter::{PerFilterConfig, PerFilterKind},
    rbac::{HttpRbac, RbacAction, RbacPolicy, RbacRule, RbacRules},
    redirect::{RedirectAction, RedirectPath},
    request_options::{
        CidrRange, ClientCertDetails, EscapedSlashesAction, ForwardClientCert, HeaderMutation, OriginalIpDetection,
        PathOptions, StripPort,
    },
    resource::{ClusterLoadAssignment, ExtensionConfig, RuntimeResource},
    retry::{
        BackOff, HedgePolicy, RateLimitedBackOff, ResetHeader, ResetHeaderFormat, RetryHostPredicate, RetryOn,
        RetryPolicy, RetryPriority,
    },
    rewrite::{ClusterSpecifier, ClusterWeight, ClusterWeightTarget, HostRewrite, PathRewrite, WeightedClusters},
    route::{
        ClusterNotFoundResponseCode, DirectResponse, Domain, PathMatcher, Route, RouteAction, RouteConfiguration,
        RouteKind, RouteMatch, RoutingPriority, TlsContextMatch, TlsRequirement, VirtualCluster, VirtualHost,
    },
    runtime::{
        FractionalPercent, LayeredRuntime, RuntimeDouble, RuntimeFeatureFlag, RuntimeFractionalPercent, RuntimeLayer,
        RuntimeLayerKind, RuntimeUInt32, RuntimeValue,
    },
    state_filters::{FilterStateValue, MetadataEntry, NetworkSetFilterState, SetFilterState, SetMetadata},
    stats::{HistogramBucketSettings, StatsConfig, StatsMatcher, StatsSink, StatsSinkKind},
    subset::{SelectorFallback, SubsetFallback, SubsetLoadBalancing, SubsetSelector},
    tcp_proxy::{TcpClusterWeight, TcpClusters, TcpHashPolicy, TcpProxy},
    tls::{
        CertificateValidationContext, CommonTlsContext, DataSource, DownstreamTlsContext, SanType, SdsSource, Secret,
        SecretKind, SecretSource, SessionTicketKeys, SubjectAltNameMatcher, TlsCertificate, TlsParameters, TlsVersion,
        UpstreamTlsContext, ValidationSource,
    },
    upgrade::{ConnectConfig, RouteUpgrade, UpgradeConfig},
    upstream_socket::{TcpKeepalive, UpstreamSocket},
    wasm::{CodeSource, FailurePolicy, ReadCodeError, RemoteCode, VmConfig, WasmPlugin, WasmService},
    wasm_limits::{WasmIsolation, WasmLimits, WasmPluginSettings},
};
pub use sandgate_re2::{Regex, RegexError, RegexRewrite, SubstitutionFlaw};
