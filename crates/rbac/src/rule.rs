//! Permissions and principals.

use sandgate_config::model::{CidrRange, RbacRule};
use sandgate_filter::ConnectionInfo;
use sandgate_http::HeaderMap;
use sandgate_matcher::{HeaderMatcher, MetadataMatcher, StringMatcher};

use crate::Subject;

/// A compiled [`RbacRule`].
#[derive(Clone, Debug)]
pub(crate) enum Rule {
    Any,
    And(Vec<Rule>),
    Or(Vec<Rule>),
    Not(Box<Rule>),
    Header(HeaderMatcher),
    UrlPath(StringMatcher),
    DynamicMetadata(MetadataMatcher),
    RouteMetadata(MetadataMatcher),
    FilterState { key: Box<[u8]>, value: StringMatcher },
    RequestedServerName(StringMatcher),
    DestinationIp(CidrRange),
    DestinationPort { start: u32, end: u32 },
    SourceIp(CidrRange),
    DirectRemoteIp(CidrRange),
    RemoteIp(CidrRange),
    Authenticated(Option<StringMatcher>),
}

// === impl Rule ===

impl Rule {
    pub(crate) fn new(config: &RbacRule) -> Self {
        let list = |rules: &[RbacRule]| rules.iter().map(Self::new).collect();
        match config {
            RbacRule::Any => Self::Any,
            RbacRule::And(rules) => Self::And(list(rules)),
            RbacRule::Or(rules) => Self::Or(list(rules)),
            RbacRule::Not(rule) => Self::Not(Box::new(Self::new(rule))),
            RbacRule::Header(matcher) => Self::Header(HeaderMatcher::new(matcher)),
            RbacRule::UrlPath(matcher) => Self::UrlPath(StringMatcher::new(matcher)),
            RbacRule::DynamicMetadata(matcher) => Self::DynamicMetadata(MetadataMatcher::new(matcher)),
            RbacRule::RouteMetadata(matcher) => Self::RouteMetadata(MetadataMatcher::new(matcher)),
            RbacRule::FilterState { key, value } => {
                Self::FilterState { key: key.as_bytes().into(), value: StringMatcher::new(value) }
            }
            RbacRule::RequestedServerName(matcher) => Self::RequestedServerName(StringMatcher::new(matcher)),
            RbacRule::DestinationIp(range) => Self::DestinationIp(*range),
            RbacRule::DestinationPort(port) => {
                Self::DestinationPort { start: u32::from(*port), end: u32::from(*port) + 1 }
            }
            RbacRule::DestinationPortRange { start, end } => Self::DestinationPort { start: *start, end: *end },
            RbacRule::SourceIp(range) => Self::SourceIp(*range),
            RbacRule::DirectRemoteIp(range) => Self::DirectRemoteIp(*range),
            RbacRule::RemoteIp(range) => Self::RemoteIp(*range),
            RbacRule::Authenticated(matcher) => Self::Authenticated(matcher.as_ref().map(StringMatcher::new)),
        }
    }

    pub(crate) fn matches(&self, subject: &Subject<'_>) -> bool {
        let destination = || subject.connection.local_address;
        match self {
            Self::Any => true,
            Self::And(rules) => rules.iter().all(|rule| rule.matches(subject)),
            Self::Or(rules) => rules.iter().any(|rule| rule.matches(subject)),
            Self::Not(rule) => !rule.matches(subject),
            Self::Header(matcher) => match subject.headers {
                Some(headers) => matcher.matches(headers),
                None => matcher.matches(&HeaderMap::new()),
            },
            Self::UrlPath(matcher) => subject.url_path().is_some_and(|path| matcher.matches(path)),
            Self::DynamicMetadata(matcher) => matcher.matches(&subject.info.dynamic_metadata),
            Self::RouteMetadata(matcher) => {
                subject.info.route_name.is_some() && matcher.matches(&subject.info.route_metadata)
            }
            Self::FilterState { key, value } => {
                let object = subject.info.filter_state.get(key);
                object.as_ref().and_then(|object| object.text()).is_some_and(|text| value.matches(&text))
            }
            Self::RequestedServerName(matcher) => matcher.matches(subject.connection.requested_server_name.as_bytes()),
            Self::DestinationIp(range) => destination().is_some_and(|address| range.contains(address.ip())),
            Self::DestinationPort { start, end } => {
                destination().is_some_and(|address| (*start..*end).contains(&u32::from(address.port())))
            }
            Self::SourceIp(range) => subject.source_ip().is_some_and(|ip| range.contains(ip)),
            Self::DirectRemoteIp(range) => subject.direct_remote_ip().is_some_and(|ip| range.contains(ip)),
            Self::RemoteIp(range) => subject.remote_ip().is_some_and(|ip| range.contains(ip)),
            Self::Authenticated(matcher) => authenticated(matcher.as_ref(), subject.connection),
        }
    }
}

/// Without a matcher TLS is enough, even if the client has shown no certificate: then its subject is an empty one (observed in Envoy 1.40).
fn authenticated(matcher: Option<&StringMatcher>, connection: &ConnectionInfo) -> bool {
    let Some(tls) = &connection.tls else { return false };
    let Some(matcher) = matcher else { return true };
    let Some(peer) = tls.peer() else { return matcher.matches(b"") };
    let names = peer.uri_sans.iter().chain(&peer.dns_sans).chain([&peer.subject]);
    names.into_iter().any(|name| matcher.matches(name.as_bytes()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test may panic")]

    use std::sync::Arc;

    use sandgate_config::model::{self, StringPattern};
    use sandgate_filter::{CertificateInfo, TlsInfo};

    use super::*;
    use crate::testing::{Someone, exact};

    fn range(text: &str, prefix_len: u8) -> CidrRange {
        CidrRange { address: text.parse().unwrap(), prefix_len }
    }

    #[test]
    fn addresses_are_told_apart() {
        let someone = Someone::new();
        for (rule, wanted) in [
            (RbacRule::DestinationIp(range("10.0.0.1", 32)), true),
            (RbacRule::DestinationIp(range("10.0.0.2", 32)), false),
            (RbacRule::DestinationPort(80), true),
            (RbacRule::DestinationPort(81), false),
            (RbacRule::DestinationPortRange { start: 80, end: 81 }, true),
            (RbacRule::DestinationPortRange { start: 79, end: 80 }, false),
            (RbacRule::RemoteIp(range("1.1.1.1", 32)), true),
            (RbacRule::DirectRemoteIp(range("2.2.2.2", 32)), true),
            (RbacRule::SourceIp(range("3.3.3.3", 32)), true),
            (RbacRule::SourceIp(range("1.1.1.1", 32)), false),
        ] {
            assert_eq!(someone.matches(&rule), wanted, "{rule:?}");
        }
    }

    #[test]
    fn rules_are_put_together() {
        let someone = Someone::new();
        let (yes, no) = (|| RbacRule::Any, || RbacRule::Not(Box::new(RbacRule::Any)));
        for (rule, wanted) in [
            (RbacRule::And(vec![yes(), yes()]), true),
            (RbacRule::And(vec![yes(), no()]), false),
            (RbacRule::Or(vec![no(), yes()]), true),
            (RbacRule::Or(vec![no(), no()]), false),
            (RbacRule::Not(Box::new(no())), true),
        ] {
            assert_eq!(someone.matches(&rule), wanted, "{rule:?}");
        }
    }

    #[test]
    fn a_connection_without_request_has_no_path_and_no_headers() {
        let header = |invert| model::HeaderMatcher {
            name: "x".into(),
            specifier: model::HeaderMatchSpecifier::Present(true),
            invert,
            treat_missing_as_empty: false,
        };
        let any = model::StringMatcher::new(StringPattern::Prefix(String::new()));
        let mut someone = Someone::new();
        assert!(!someone.matches(&RbacRule::UrlPath(any.clone())));
        assert!(!someone.matches(&RbacRule::Header(header(false))));
        assert!(someone.matches(&RbacRule::Header(header(true))));
        someone.request(&[(":path", "/a?b#c"), ("x", "1")]);
        assert!(someone.matches(&RbacRule::UrlPath(exact("/a"))));
        assert!(someone.matches(&RbacRule::Header(header(false))));
    }

    #[test]
    fn names_of_the_certificate_are_tried_before_its_subject() {
        let mut someone = Someone::new();
        assert!(!someone.matches(&RbacRule::Authenticated(None)));
        someone.connection.tls = Some(Arc::new(TlsInfo::default()));
        assert!(someone.matches(&RbacRule::Authenticated(None)));
        assert!(someone.matches(&RbacRule::Authenticated(Some(exact("")))));
        let certificate = CertificateInfo {
            subject: "CN=s".into(),
            uri_sans: vec!["u".into()],
            dns_sans: vec!["d".into()],
            ..CertificateInfo::default()
        };
        let tls = TlsInfo { peer_chain: vec![Arc::new(certificate)], ..TlsInfo::default() };
        someone.connection.tls = Some(Arc::new(tls));
        for (name, wanted) in [("u", true), ("d", true), ("CN=s", true), ("", false), ("x", false)] {
            assert_eq!(someone.matches(&RbacRule::Authenticated(Some(exact(name)))), wanted, "{name}");
        }
    }

    #[test]
    fn metadata_of_a_route_needs_a_route() {
        let nothing = model::MetadataMatcher {
            filter: "f".into(),
            path: vec!["k".into()],
            value: model::ValueMatcher::Present(true),
            invert: true,
        };
        let mut someone = Someone::new();
        assert!(someone.matches(&RbacRule::DynamicMetadata(nothing.clone())));
        assert!(!someone.matches(&RbacRule::RouteMetadata(nothing.clone())));
        someone.info.route_name = Some("r".into());
        assert!(someone.matches(&RbacRule::RouteMetadata(nothing)));
    }
}
