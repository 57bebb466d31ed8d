//! Upgrades and CONNECT.

use super::HttpFilter;

/// Envoy's `HttpConnectionManager.UpgradeConfig`: what the connection manager says of requests for one protocol.
#[derive(Clone, Debug, PartialEq)]
pub struct UpgradeConfig {
    /// Of `upgrade`, compared without regard to case, or `CONNECT`. No two entries have the same.
    pub upgrade_type: String,
    /// Such requests are upgraded where the route says nothing; others get 403.
    pub enabled: bool,
    /// The filters of such requests; none: those of all requests.
    pub filters: Option<Vec<HttpFilter>>,
}

/// Envoy's `RouteAction.UpgradeConfig`: what a route says of requests for one protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteUpgrade {
    /// Of `upgrade`, in lower case, or `connect`. No two entries have the same.
    pub upgrade_type: String,
    /// Whether such requests are upgraded, whatever the connection manager says.
    pub enabled: bool,
}

/// Envoy's `RouteAction.UpgradeConfig.ConnectConfig`: CONNECT ends here, and what it carries goes to the host as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectConfig {
    /// POST, too.
    pub allow_post: bool,
}
