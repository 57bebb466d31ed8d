//! Role based access control: who may do what.

use std::sync::Arc;

use sandgate_expression::Expression;

use super::{CidrRange, HeaderMatcher, MetadataMatcher, StringMatcher};

/// Envoy's `envoy.extensions.filters.http.rbac.v3.RBAC`, as a filter or as what a route says instead.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HttpRbac {
    /// What decides; without any, all requests are allowed.
    pub rules: Option<RbacRules>,
    /// What is only counted and told.
    pub shadow_rules: Option<RbacRules>,
    /// Part of the names of stats and of the keys of dynamic metadata; empty if there is none.
    pub rules_stat_prefix: String,
    /// The same for the shadow rules.
    pub shadow_rules_stat_prefix: String,
    /// Each policy has counters of its own.
    pub track_per_rule_stats: bool,
}

/// Envoy's `envoy.config.rbac.v3.RBAC`.
#[derive(Clone, Debug, PartialEq)]
pub struct RbacRules {
    /// What it means if a policy matches.
    pub action: RbacAction,
    /// In the order of their names, which is that in which they are tried.
    pub policies: Vec<RbacPolicy>,
}

/// What it means if a policy matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RbacAction {
    /// Allowed; all else is denied.
    Allow,
    /// Denied; all else is allowed.
    Deny,
    /// Allowed, as all else; whether one matched is told to the access log.
    Log,
}

/// Envoy's `envoy.config.rbac.v3.Policy`: one of the permissions and one of the principals have to match.
#[derive(Clone, Debug, PartialEq)]
pub struct RbacPolicy {
    /// Unique among the rules' policies.
    pub name: String,
    /// What is done.
    pub permissions: Vec<RbacRule>,
    /// Who does it.
    pub principals: Vec<RbacRule>,
    /// True then, too.
    pub condition: Option<Arc<Expression>>,
}

/// A permission or a principal: Envoy's `envoy.config.rbac.v3.Permission` and `Principal`, which have most of it in common.
#[derive(Clone, Debug, PartialEq)]
pub enum RbacRule {
    /// Always.
    Any,
    /// All of these; at least one.
    And(Vec<RbacRule>),
    /// One of these; at least one.
    Or(Vec<RbacRule>),
    /// This does not.
    Not(Box<RbacRule>),
    /// A header. Without a request, none is there.
    Header(HeaderMatcher),
    /// The path without query and fragment. Does not match without one.
    UrlPath(StringMatcher),
    /// Dynamic metadata of the stream or the connection.
    DynamicMetadata(MetadataMatcher),
    /// Metadata of the route; does not match without a route.
    RouteMetadata(MetadataMatcher),
    /// A filter state object as text; does not match without one.
    FilterState {
        /// The object's name.
        key: String,
        /// What it has to be like.
        value: StringMatcher,
    },
    /// The server name that the client asked for; empty if none is known.
    RequestedServerName(StringMatcher),
    /// Our address.
    DestinationIp(CidrRange),
    /// Our port.
    DestinationPort(u16),
    /// Our port: `start` or more and less than `end`.
    DestinationPortRange {
        /// The least one.
        start: u32,
        /// One above the greatest.
        end: u32,
    },
    /// The client of the connection, which a proxy protocol may have told.
    SourceIp(CidrRange),
    /// The peer of the socket.
    DirectRemoteIp(CidrRange),
    /// The client as far as it is believed, for example from `x-forwarded-for`.
    RemoteIp(CidrRange),
    /// TLS, and if there is a matcher: one of the URI names of the client's certificate, or of the DNS names, or its subject.
    Authenticated(Option<StringMatcher>),
}
