//! What looks at a connection before it has a filter chain.

use super::Origin;

/// One of `listener_filters`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerFilter {
    /// For messages alone.
    pub name: String,
    /// What it is.
    pub kind: ListenerFilterKind,
    /// Connections that it does not look at.
    pub filter_disabled: Option<ListenerFilterPredicate>,
    /// Where it stands.
    pub origin: Origin,
}

/// What a listener filter is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenerFilterKind {
    /// `envoy.filters.listener.tls_inspector`.
    TlsInspector(TlsInspector),
    /// `envoy.filters.listener.http_inspector`.
    HttpInspector,
    /// `envoy.filters.listener.proxy_protocol`.
    ProxyProtocol(Box<ProxyProtocol>),
    /// `envoy.filters.listener.original_dst`.
    OriginalDst,
}

/// Envoy's `TlsInspector`: what a ClientHello says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsInspector {
    /// What a client may send before its ClientHello is complete, in bytes; at most 16 KiB and a little.
    pub max_client_hello_size: usize,
    /// Close connections that do not begin with a ClientHello; false by default.
    pub close_on_errors: bool,
}

/// Envoy's `ProxyProtocol`: a header of the PROXY protocol, versions 1 and 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyProtocol {
    /// Connections without a header are taken as they are; false by default.
    pub allow_requests_without_proxy_protocol: bool,
    /// Version 1 is taken.
    pub allow_v1: bool,
    /// Version 2 is taken.
    pub allow_v2: bool,
    /// Between `proxy_proto.` and the name of a stat, with a point behind it; may be empty.
    pub stat_prefix: String,
    /// What of a header's fields becomes metadata, by their type.
    pub rules: Vec<ProxyProtocolRule>,
}

/// What becomes of a field of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyProtocolRule {
    /// Of the field.
    pub tlv_type: u8,
    /// Of the metadata; not empty.
    pub namespace: String,
    /// In that namespace; not empty.
    pub key: String,
    /// The value is Base64, not text in which what is no UTF-8 is replaced.
    pub base64: bool,
}

/// Envoy's `envoy.config.listener.v3.ListenerFilterChainMatchPredicate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenerFilterPredicate {
    /// One of them.
    Or(Vec<ListenerFilterPredicate>),
    /// All of them.
    And(Vec<ListenerFilterPredicate>),
    /// Not this.
    Not(Box<ListenerFilterPredicate>),
    /// Every connection.
    Any,
    /// Connections to a port from the first number to below the second.
    DestinationPort(i32, i32),
}

// === impl ListenerFilterPredicate ===

impl ListenerFilterPredicate {
    /// Whether it holds of a connection to that port.
    #[must_use]
    pub fn matches(&self, destination_port: u16) -> bool {
        match self {
            Self::Or(rules) => rules.iter().any(|rule| rule.matches(destination_port)),
            Self::And(rules) => rules.iter().all(|rule| rule.matches(destination_port)),
            Self::Not(rule) => !rule.matches(destination_port),
            Self::Any => true,
            Self::DestinationPort(start, end) => (*start..*end).contains(&i32::from(destination_port)),
        }
    }
}
