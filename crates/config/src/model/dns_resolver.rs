//! Whom to ask for names.

use std::{net::SocketAddr, time::Duration};

/// Envoy's `typed_dns_resolver_config`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DnsResolver {
    /// The system's functions (`GetAddrInfoDnsResolverConfig`).
    System,
    /// Name servers are asked directly.
    Servers(NameServers),
}

/// Envoy's `CaresDnsResolverConfig`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameServers {
    /// Whom to ask; whom the system asks if there are none.
    pub servers: Vec<SocketAddr>,
    /// They are asked only if the system names none.
    pub as_fallback: bool,
    /// Always over TCP.
    pub use_tcp: bool,
    /// The system's search domains do not count.
    pub no_search: bool,
    /// How long a server may take to answer; 2 s by default, or what the system says.
    pub query_timeout: Option<Duration>,
    /// How often each server is asked; three times by default, or as the system says.
    pub query_tries: Option<u32>,
}
