//! Where resources come from that are not in the configuration: a control plane or files.

use std::{sync::Arc, time::Duration};

use super::{GrpcService, HttpFilterKind, NetworkFilterKind, Origin, WasmPlugin};

/// Envoy's `envoy.config.bootstrap.v3.Bootstrap.DynamicResources`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DynamicResources {
    /// `ads_config`: the control plane that [`ConfigSourceKind::Ads`] means.
    pub ads: Option<Arc<ApiConfig>>,
    /// Who tells clusters.
    pub cds: Option<ConfigSource>,
    /// Who tells listeners.
    pub lds: Option<ConfigSource>,
}

/// Envoy's `envoy.config.core.v3.ConfigSource`.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigSource {
    /// Who is asked.
    pub kind: ConfigSourceKind,
    /// How long others wait for the first answer; 15 s by default, and `None`, for `0s`, is for ever.
    pub initial_fetch_timeout: Option<Duration>,
    /// Where it stands.
    pub origin: Origin,
}

/// Who is asked for resources.
#[derive(Clone, Debug, PartialEq)]
pub enum ConfigSourceKind {
    /// `ads`: the control plane of the bootstrap, by the stream that all share. The bootstrap has one.
    Ads,
    /// `api_config_source`: a control plane, by a stream of its own.
    Grpc(Arc<ApiConfig>),
    /// `path_config_source`: a file with a `DiscoveryResponse`, which is read again when it was replaced. It is there when the
    /// configuration is loaded.
    Path {
        /// The file.
        path: String,
        /// The directory in which something must be moved for the file to be read again; `None`: the file itself must be.
        watched_directory: Option<String>,
    },
}

/// Envoy's `envoy.config.core.v3.ApiConfigSource` of type `GRPC` or `DELTA_GRPC`.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiConfig {
    /// Only what has changed is told (`DELTA_GRPC`), rather than the state of the world.
    pub delta: bool,
    /// Who is asked: exactly one, of the kind `Envoy`, whose cluster is in `static_resources` and has its endpoints not from a control
    /// plane.
    pub services: Vec<GrpcService>,
    /// Only the first request of a stream says who asks; else all of the state of the world do. A delta stream says it once either
    /// way.
    pub set_node_on_first_message_only: bool,
    /// How fast requests are sent; `None`: at once.
    pub rate_limit: Option<RateLimit>,
    /// The first wait before a new stream where one failed, 500 ms by default (`envoy_grpc.retry_policy.retry_back_off`). Waits
    /// double, and each is taken at random between 0 and that.
    pub back_off_base: Duration,
    /// The greatest of these waits, 30 s by default; ten times the base where only that is configured.
    pub back_off_max: Duration,
    /// Where it stands.
    pub origin: Origin,
}

/// Envoy's `envoy.config.core.v3.RateLimitSettings`: a bucket of tokens, of which each request takes one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateLimit {
    /// How many there are at most, and at first. 100 by default; none: nothing is ever sent (as in Envoy).
    pub max_tokens: u32,
    /// How many come back in a second. 10 by default; positive.
    pub fill_rate: f64,
}

/// Envoy's `envoy.extensions.filters.network.http_connection_manager.v3.Rds`.
#[derive(Clone, Debug, PartialEq)]
pub struct Rds {
    /// The resource's name.
    pub route_config_name: String,
    /// Who tells it.
    pub source: ConfigSource,
}

/// Envoy's `envoy.config.cluster.v3.Cluster.EdsClusterConfig`.
#[derive(Clone, Debug, PartialEq)]
pub struct EdsConfig {
    /// The resource's name; empty: the cluster's.
    pub service_name: String,
    /// Who tells it.
    pub source: ConfigSource,
}

/// Which filters a configuration can be for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FilterCategory {
    /// Of a connection manager.
    Http,
    /// Of a filter chain of a listener.
    Network,
}

/// What a filter is whose configuration stands elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub enum DiscoveredKind {
    /// In a connection manager.
    Http(HttpFilterKind),
    /// In a filter chain of a listener.
    Network(NetworkFilterKind),
}

/// Envoy's `envoy.config.core.v3.ExtensionConfigSource`, of a filter. The resource has the filter's name.
#[derive(Clone, Debug, PartialEq)]
pub struct ExtensionDiscovery {
    /// Who tells it.
    pub source: ConfigSource,
    /// Which filter it is. Its kinds are of this category, but for resources that are wrong.
    pub category: FilterCategory,
    /// `default_config`: what the filter is where nobody has told it in time. Without it requests are answered with 500 then, and
    /// connections closed.
    pub default: Option<Box<DiscoveredKind>>,
    /// `apply_default_config_without_warming`: the default holds at once, rather than after `initial_fetch_timeout`. Then there is one.
    pub apply_default_without_warming: bool,
    /// The types that the filter may have, full names of messages without a host. At least one; this program has all of them.
    pub type_urls: Vec<String>,
    /// Whether the filter ends its chain: then it must be one that does (a router), else it must not be one. Whoever takes a resource
    /// checks it, as Envoy does.
    pub is_last: bool,
}

// === impl DiscoveredKind ===

impl DiscoveredKind {
    /// The plugin, if it is one.
    #[must_use]
    pub fn wasm(&self) -> Option<&WasmPlugin> {
        match self {
            Self::Http(HttpFilterKind::Wasm(plugin)) => Some(plugin),
            Self::Http(_) => None,
            Self::Network(kind) => kind.wasm(),
        }
    }
}
