//! Listeners and their filter chains.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{
    AccessLog, DownstreamTlsContext, FilterChainMatch, FilterChainTree, HttpConnectionManager, ListenerFilter,
    NetworkFilter, Origin, TerminalFilter,
};

/// Envoy's `envoy.config.listener.v3.Listener`, bound to a TCP address.
#[derive(Clone, Debug, PartialEq)]
pub struct Listener {
    /// Unique. Envoy makes up a UUID if the configuration has none; here it is made of the address and the place in the configuration.
    pub name: String,
    /// Where it listens; port 0 lets the system choose (then the same port for all workers).
    pub address: SocketAddr,
    /// `address.socket_address.ipv4_compat`: an IPv6 wildcard takes IPv4 connections too (`IPV6_V6ONLY` off).
    pub ipv4_compat: bool,
    /// Replaces the address in the names of this listener's stats, `listener.<stat_prefix>.`; empty: the address is used,
    /// with `:` as `_`.
    pub stat_prefix: String,
    /// Part of the plugin key, and the property `listener_direction`.
    pub traffic_direction: TrafficDirection,
    /// `envoy.config.core.v3.Metadata`, serialized; `None` if not set. Part of the plugin key, and the property `listener_metadata`.
    pub metadata: Option<Bytes>,
    /// When its connections are asked to end.
    pub drain_type: DrainType,
    /// One socket per worker (`SO_REUSEPORT`), else one that all workers accept from. True by default.
    pub enable_reuse_port: bool,
    /// Above so many unsent bytes, writing stops the other side's reading; also the cap on bodies that filters buffer
    /// (413 or 500 above it). 1 MiB by default; 0 is no limit.
    pub per_connection_buffer_limit_bytes: u32,
    /// The accept queue's length; `None` is the system's maximum (`net.core.somaxconn`).
    pub tcp_backlog_size: Option<u32>,
    /// `ignore_global_conn_limit` and `bypass_overload_manager`.
    pub global_connection_limit: GlobalConnectionLimit,
    /// What looks at connections before they have a chain, in order.
    pub listener_filters: Vec<ListenerFilter>,
    /// How long that may take; 15 s by default, and `None` is for ever.
    pub listener_filters_timeout: Option<Duration>,
    /// A connection that it takes too long for goes on as it is; it is closed by default.
    pub continue_on_listener_filters_timeout: bool,
    /// At least one. The default chain, if there is one, is the last.
    pub filter_chains: Vec<FilterChain>,
    /// How one of them is chosen for a connection; the default chain is not in it.
    pub filter_chain_tree: FilterChainTree,
    /// The place of the default chain, which takes what no other does.
    pub default_filter_chain: Option<usize>,
    /// Where it stands.
    pub origin: Origin,
}

/// Which limit of the connections of all clients holds for a listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GlobalConnectionLimit {
    /// The overload manager's, or if it has none the runtime's (`overload.global_downstream_max_connections`).
    #[default]
    Enforced,
    /// The runtime's.
    RuntimeOnly,
    /// None.
    Ignored,
}

/// Envoy's `envoy.config.listener.v3.FilterChain`.
#[derive(Clone, Debug, PartialEq)]
pub struct FilterChain {
    /// May be empty.
    pub name: String,
    /// Which connections it is for.
    pub filter_chain_match: FilterChainMatch,
    /// How connections are secured; `None`: not at all.
    pub tls: Option<Arc<DownstreamTlsContext>>,
    /// How long a handshake may take; `None` is for ever.
    pub transport_socket_connect_timeout: Option<Duration>,
    /// What connections pass, in the order of their first event.
    pub network_filters: Vec<NetworkFilter>,
    /// What the chain ends in.
    pub terminal: TerminalFilter,
}

// === impl FilterChain ===

impl FilterChain {
    /// The connection manager that the chain ends in, if it does.
    #[must_use]
    pub fn http_connection_manager(&self) -> Option<&HttpConnectionManager> {
        match &self.terminal {
            TerminalFilter::Http { config, .. } => Some(config),
            TerminalFilter::TcpProxy { .. } | TerminalFilter::InChain => None,
        }
    }

    /// The access logs of what the chain ends in.
    #[must_use]
    pub fn access_logs(&self) -> &[AccessLog] {
        match &self.terminal {
            TerminalFilter::Http { config, .. } => &config.access_logs,
            TerminalFilter::TcpProxy { config, .. } => &config.access_logs,
            TerminalFilter::InChain => &[],
        }
    }
}

/// Envoy's `envoy.config.core.v3.TrafficDirection`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TrafficDirection {
    /// 0.
    #[default]
    Unspecified,
    /// 1.
    Inbound,
    /// 2.
    Outbound,
}

/// Envoy's `envoy.config.listener.v3.Listener.DrainType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DrainType {
    /// While the server's health check is failed (`/healthcheck/fail`), and when the listener is drained.
    #[default]
    Default,
    /// Only when the listener is drained.
    ModifyOnly,
}
