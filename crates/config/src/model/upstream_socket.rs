//! How sockets to endpoints are set up.

use std::net::SocketAddr;
use std::time::Duration;

/// `upstream_connection_options` and `upstream_bind_config` of a cluster. The default leaves everything to the system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpstreamSocket {
    /// Probes of connections that are silent.
    pub keepalive: Option<TcpKeepalive>,
    /// Where connections come from; only for endpoints of the same family.
    pub source_address: Option<SocketAddr>,
}

/// Envoy's `envoy.config.core.v3.TcpKeepalive`; what is not set is the system's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpKeepalive {
    /// Probes without an answer after which a connection is dead.
    pub probes: Option<u32>,
    /// Silence before the first probe.
    pub time: Option<Duration>,
    /// Between two probes.
    pub interval: Option<Duration>,
}

// === impl UpstreamSocket ===

impl UpstreamSocket {
    /// Whether there is nothing to set up.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.keepalive.is_none() && self.source_address.is_none()
    }
}
