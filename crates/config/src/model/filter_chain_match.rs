//! Which connections a filter chain is for.

use super::CidrRange;

/// Envoy's `envoy.config.listener.v3.FilterChainMatch`. What is empty matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilterChainMatch {
    /// The port that the client connected to, from 1.
    pub destination_port: Option<u16>,
    /// The address that it connected to.
    pub prefix_ranges: Vec<CidrRange>,
    /// The server name that was seen before the handshake, in lower case; `*.` at the beginning stands for one or more labels.
    pub server_names: Vec<String>,
    /// The transport protocol that was detected: `tls`, `raw_buffer`.
    pub transport_protocol: String,
    /// The application protocols that were asked for or detected: `h2`, `http/1.1`.
    pub application_protocols: Vec<String>,
    /// Where the socket's peer is, which may be another proxy.
    pub direct_source_prefix_ranges: Vec<CidrRange>,
    /// Where the client is, seen from here.
    pub source_type: SourceType,
    /// Where the client is.
    pub source_prefix_ranges: Vec<CidrRange>,
    /// The client's port, from 1.
    pub source_ports: Vec<u16>,
}

/// Envoy's `envoy.config.listener.v3.FilterChainMatch.ConnectionSourceType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum SourceType {
    /// Anywhere.
    #[default]
    Any,
    /// The client has the address that it connected to, or a loopback address.
    SameIpOrLoopback,
    /// It has not.
    External,
}
