//! The network filters that are simple.

use std::time::Duration;

use super::{RbacRules, RuntimeFeatureFlag};

/// Envoy's `envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit`.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectionLimit {
    /// Of the names of its stats, `connection_limit.<stat_prefix>.`.
    pub stat_prefix: String,
    /// Connections that may be open at once, on all workers together. At least 1.
    pub max_connections: u64,
    /// How long one too many is left open; `None`: it is closed at once.
    pub delay: Option<Duration>,
    /// Whether connections are counted.
    pub enabled: RuntimeFeatureFlag,
}

/// Envoy's `envoy.extensions.filters.network.rbac.v3.RBAC`.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkRbac {
    /// What decides; without any, all connections are let in. Rules over headers are refused.
    pub rules: Option<RbacRules>,
    /// What is only counted and told.
    pub shadow_rules: Option<RbacRules>,
    /// Of the names of the stats of shadow rules and of the keys of dynamic metadata; empty if there is none.
    pub shadow_rules_stat_prefix: String,
    /// Of the names of its stats.
    pub stat_prefix: String,
    /// Decide again whenever bytes come, and not only the first time.
    pub continuous: bool,
    /// How long a connection that is turned away is left open; `None`: it is closed at once.
    pub delay_deny: Option<Duration>,
}
