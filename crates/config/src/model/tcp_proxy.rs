//! Connections that are passed on as they are.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{AccessLog, AccessLogOptions, BackOff, MetadataCriteria};

/// Envoy's `envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy`.
#[derive(Clone, Debug, PartialEq)]
pub struct TcpProxy {
    /// In the names of its stats, `tcp.<stat_prefix>.`.
    pub stat_prefix: String,
    /// Where connections go.
    pub clusters: TcpClusters,
    /// `envoy.lb` of `metadata_match`: what is asked of hosts where there are subsets of them.
    pub metadata_match: Option<Arc<MetadataCriteria>>,
    /// A connection on which nothing moves for so long is closed; an hour by default.
    pub idle_timeout: Option<Duration>,
    /// How old a connection may become.
    pub max_connection_duration: Option<Duration>,
    /// How often a connection to a host is tried, with the first one.
    pub max_connect_attempts: u32,
    /// The waits between two attempts; `None`: there are none.
    pub back_off: Option<BackOff>,
    /// What connections are logged to.
    pub access_logs: Vec<AccessLog>,
    /// When they are, but for their end.
    pub access_log_options: AccessLogOptions,
    /// What load balancers that hash look at.
    pub hash_policies: Vec<TcpHashPolicy>,
}

/// Where connections go.
#[derive(Clone, Debug, PartialEq)]
pub enum TcpClusters {
    /// All to this cluster.
    One(Arc<str>),
    /// Shared out; never empty.
    Weighted(Vec<TcpClusterWeight>),
}

/// One of several clusters.
#[derive(Clone, Debug, PartialEq)]
pub struct TcpClusterWeight {
    /// Its name.
    pub name: Arc<str>,
    /// Its share of the sum of all; at least 1.
    pub weight: u32,
    /// What is asked of hosts, with what the proxy asks for.
    pub metadata_match: Option<Arc<MetadataCriteria>>,
}

/// One of Envoy's `HashPolicy` for connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TcpHashPolicy {
    /// The client's IP address.
    SourceIp,
    /// The filter state object with this key.
    FilterState(Bytes),
}

// === impl TcpClusters ===

impl TcpClusters {
    /// The names of all.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        let (one, many) = match self {
            Self::One(name) => (Some(name), None),
            Self::Weighted(clusters) => (None, Some(clusters.iter().map(|cluster| &cluster.name))),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }
}
