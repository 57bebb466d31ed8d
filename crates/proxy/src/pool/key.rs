//! What connections of one host have in common, so that requests may share them.

use sandgate_config::model::{RoutingPriority, UpstreamHttpProtocol};

/// Names one of a host's pools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PoolKey {
    pub(crate) priority: RoutingPriority,
    pub(crate) protocol: PoolProtocol,
}

/// What the connections of a pool speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum PoolProtocol {
    #[default]
    Http1,
    Http2,
    /// Nothing that is known here: each serves one tunnel.
    Tcp,
    /// What each host chooses by ALPN.
    Auto,
}

// === impl PoolProtocol ===

impl PoolProtocol {
    /// What a cluster speaks for a client that speaks `downstream`.
    pub(crate) fn of(configured: UpstreamHttpProtocol, downstream: Option<&str>) -> Self {
        match configured {
            UpstreamHttpProtocol::Http1 => Self::Http1,
            UpstreamHttpProtocol::Http2 => Self::Http2,
            UpstreamHttpProtocol::Downstream if downstream == Some("HTTP/2") => Self::Http2,
            UpstreamHttpProtocol::Downstream => Self::Http1,
            UpstreamHttpProtocol::Auto => Self::Auto,
        }
    }
}
