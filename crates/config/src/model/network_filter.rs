//! What the connections of a filter chain pass through.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    ConnectionLimit, ExtensionDiscovery, HttpConnectionManager, NetworkRbac, NetworkSetFilterState, Origin, TcpProxy,
    WasmPlugin,
};

/// One of the network filters in front of the end of a chain.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkFilter {
    /// May be empty.
    pub name: String,
    /// What it is.
    pub kind: NetworkFilterKind,
    /// Where it stands.
    pub origin: Origin,
}

/// The network filters that there are, but for those that end a chain with code of their own.
#[derive(Clone, Debug, PartialEq)]
pub enum NetworkFilterKind {
    /// `envoy.filters.network.wasm`.
    Wasm(Box<WasmPlugin>),
    /// `envoy.filters.network.connection_limit`.
    ConnectionLimit(ConnectionLimit),
    /// `envoy.filters.network.rbac`.
    Rbac(Box<NetworkRbac>),
    /// `envoy.filters.network.set_filter_state`.
    SetFilterState(Box<NetworkSetFilterState>),
    /// `envoy.filters.network.sni_cluster`.
    SniCluster,
    /// `envoy.filters.network.direct_response`: what it sends.
    DirectResponse(Bytes),
    /// `envoy.filters.network.echo`.
    Echo,
    /// `config_discovery`: what it is, a control plane or a file tells.
    Discovered(Arc<ExtensionDiscovery>),
}

/// What a filter chain ends in.
#[derive(Clone, Debug, PartialEq)]
pub enum TerminalFilter {
    /// `envoy.filters.network.http_connection_manager`.
    Http {
        /// The filter's name; may be empty.
        name: String,
        /// Its configuration.
        config: Box<HttpConnectionManager>,
    },
    /// `envoy.filters.network.tcp_proxy`.
    TcpProxy {
        /// The filter's name; may be empty.
        name: String,
        /// Its configuration.
        config: Box<TcpProxy>,
    },
    /// The last of the chain's network filters answers itself.
    InChain,
}

// === impl NetworkFilterKind ===

impl NetworkFilterKind {
    /// Whether a chain has to end in it. One that is discovered is what its place wants.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        match self {
            Self::DirectResponse(_) | Self::Echo => true,
            Self::Discovered(discovery) => discovery.is_last,
            Self::Wasm(_) | Self::ConnectionLimit(_) | Self::Rbac(_) | Self::SetFilterState(_) | Self::SniCluster => {
                false
            }
        }
    }

    /// The plugin, if it is one.
    #[must_use]
    pub fn wasm(&self) -> Option<&WasmPlugin> {
        match self {
            Self::Wasm(plugin) => Some(plugin),
            _ => None,
        }
    }
}
