//! Requests for another protocol: who gets it, and through which filters.

use sandgate_config::model::UpgradeConfig;
use sandgate_http::HeaderMap;
use sandgate_http::h1::is_upgrade;

use crate::hcm::FilterEntry;
use crate::route_table::RouteEntry;

/// What the connection manager says of upgrades to one protocol.
pub(crate) struct UpgradeChain {
    /// In the case of the configuration.
    name: Box<[u8]>,
    enabled: bool,
    /// Instead of the filters of all requests.
    pub(crate) filters: Option<Vec<FilterEntry>>,
}

/// What becomes of a request as far as other protocols go.
#[derive(Clone, Copy)]
pub(crate) enum Upgrade<'a> {
    /// It asks for none.
    NotAsked,
    /// What follows are bytes of the other protocol. With the filters that such requests have of their own.
    Accepted(Option<&'a [FilterEntry]>),
    Rejected,
}

// === impl UpgradeChain ===

impl UpgradeChain {
    pub(crate) fn new(config: &UpgradeConfig, filters: Option<Vec<FilterEntry>>) -> Self {
        Self { name: config.upgrade_type.as_bytes().into(), enabled: config.enabled, filters }
    }
}

// === impl Upgrade ===

impl<'a> Upgrade<'a> {
    /// Decides on a request: the route comes before the connection manager.
    pub(crate) fn decide(chains: &'a [UpgradeChain], headers: &HeaderMap, route: Option<&RouteEntry>) -> Self {
        let name = match headers.get(b"upgrade") {
            Some(name) => name,
            None if is_connect(headers) => b"CONNECT",
            None => return Self::NotAsked,
        };
        let chain = chains.iter().find(|chain| chain.name.eq_ignore_ascii_case(name));
        let accepted = match route.and_then(|route| route.upgrade(name)) {
            Some(enabled) => enabled,
            None => chain.is_some_and(|chain| chain.enabled),
        };
        if accepted { Self::Accepted(chain.and_then(|chain| chain.filters.as_deref())) } else { Self::Rejected }
    }

    /// Whether the wish is granted; `None` if there is none.
    pub(crate) fn is_accepted(self) -> Option<bool> {
        match self {
            Self::NotAsked => None,
            Self::Accepted(_) => Some(true),
            Self::Rejected => Some(false),
        }
    }
}

pub(crate) fn is_connect(headers: &HeaderMap) -> bool {
    headers.get(b":method") == Some(b"CONNECT")
}

/// Whether a request asks for a WebSocket, whose handshake Envoy knows.
pub(crate) fn is_websocket(headers: &HeaderMap) -> bool {
    headers.get(b"upgrade").is_some_and(|name| name.eq_ignore_ascii_case(b"websocket")) && is_upgrade(headers)
}
