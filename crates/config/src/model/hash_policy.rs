//! What a request's hash is made of.

use std::time::Duration;

use super::RegexRewrite;

/// Envoy's `envoy.config.route.v3.RouteAction.HashPolicy`.
#[derive(Clone, Debug, PartialEq)]
pub struct HashPolicy {
    /// What is hashed.
    pub specifier: HashSpecifier,
    /// If there is a hash now, policies after this one do not count.
    pub terminal: bool,
}

/// What is hashed. A request that does not have it gets no hash of this policy.
#[derive(Clone, Debug, PartialEq)]
pub enum HashSpecifier {
    /// The values of a header.
    Header {
        /// In lower case.
        name: String,
        /// What becomes of each value before.
        rewrite: Option<RegexRewrite>,
    },
    /// The value of a cookie.
    Cookie(HashCookie),
    /// The IP address of the client.
    SourceIp,
    /// The first value of a query parameter.
    QueryParameter(String),
    /// An object that filters leave for others. None that this program has can be hashed, so there is never a hash.
    FilterState,
}

/// Envoy's `HashPolicy.Cookie`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HashCookie {
    /// Not empty.
    pub name: String,
    /// If set, the response sets the cookie where a request has none: for so long, or for a session if it is zero.
    pub ttl: Option<Duration>,
    /// Of the cookie that is set; empty if not set.
    pub path: String,
    /// More attributes of the cookie that is set; a value may be empty.
    pub attributes: Vec<(String, String)>,
}
