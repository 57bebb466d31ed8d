//! Routes, compiled for one worker.

mod matcher;

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sandgate_config::model::{
    ClusterNotFoundResponseCode, DirectResponse, Domain, Route, RouteConfiguration, RouteKind, VirtualHost,
};
use sandgate_filter::Stream;
use sandgate_http::HeaderMap;

use self::matcher::{RouteInput, RouteMatcher};
use crate::router::ForwardPolicy;

/// A route configuration ready to be searched.
#[derive(Debug, Default)]
pub(crate) struct RouteTable {
    hosts: Vec<CompiledHost>,
    exact: HashMap<String, usize>,
    /// Longest first.
    suffixes: Vec<(String, usize)>,
    /// Longest first.
    prefixes: Vec<(String, usize)>,
    any: Option<usize>,
    ignore_port: bool,
}

#[derive(Debug)]
struct CompiledHost {
    routes: Vec<(RouteMatcher, Rc<RouteEntry>)>,
}

/// A route and what a stream needs to know of it. Strings are this worker's own, so that counting references to them
/// stays on its core.
#[derive(Debug)]
pub(crate) struct RouteEntry {
    pub(crate) name: Arc<str>,
    pub(crate) virtual_host: Arc<str>,
    /// Serialized metadata; empty if there is none.
    pub(crate) metadata: Bytes,
    pub(crate) target: Target,
}

/// What a route does.
#[derive(Debug)]
pub(crate) enum Target {
    Cluster {
        name: String,
        not_found: ClusterNotFoundResponseCode,
        /// How requests are forwarded.
        policy: ForwardPolicy,
        /// Replaces the stream idle timeout if set; zero turns it off.
        idle_timeout: Option<Duration>,
    },
    DirectResponse(DirectResponse),
}

impl RouteTable {
    pub(crate) fn new(config: &RouteConfiguration) -> Self {
        let mut table = Self { ignore_port: config.ignore_port_in_host_matching, ..Self::default() };
        for host in &config.virtual_hosts {
            let index = table.hosts.len();
            table.hosts.push(CompiledHost::new(host));
            for domain in &host.domains {
                match domain {
                    Domain::Exact(name) => {
                        table.exact.entry(name.clone()).or_insert(index);
                    }
                    Domain::Suffix(suffix) => table.suffixes.push((suffix.clone(), index)),
                    Domain::Prefix(prefix) => table.prefixes.push((prefix.clone(), index)),
                    Domain::Any => {
                        table.any.get_or_insert(index);
                    }
                }
            }
        }
        // Stable: among equally long ones the first of the configuration stays first.
        table.suffixes.sort_by_key(|(suffix, _)| std::cmp::Reverse(suffix.len()));
        table.prefixes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        table
    }

    /// The route of a request.
    pub(crate) fn find(&self, headers: &HeaderMap, stream: &Stream) -> Option<&Rc<RouteEntry>> {
        // Envoy finds no route for a request without `x-forwarded-proto`, which a filter may have removed.
        headers.get(b"x-forwarded-proto")?;
        let host = self.host(headers.get(b":authority").unwrap_or_default())?;
        let input = RouteInput::new(headers, stream)?;
        host.routes.iter().find(|(matcher, _)| matcher.matches(&input)).map(|(_, route)| route)
    }

    fn host(&self, authority: &[u8]) -> Option<&CompiledHost> {
        let index = match self.any {
            Some(any) if self.hosts.len() == 1 && self.exact.is_empty() => Some(any),
            any => self.host_index(authority).or(any),
        };
        self.hosts.get(index?)
    }

    fn host_index(&self, authority: &[u8]) -> Option<usize> {
        let authority = if self.ignore_port { without_port(authority) } else { authority };
        let name = String::from_utf8_lossy(authority).to_ascii_lowercase();
        if let Some(index) = self.exact.get(&name) {
            return Some(*index);
        }
        let longer = |pattern: &str| name.len() > pattern.len();
        let suffix = self.suffixes.iter().find(|(suffix, _)| longer(suffix) && name.ends_with(suffix.as_str()));
        let prefix = || self.prefixes.iter().find(|(prefix, _)| longer(prefix) && name.starts_with(prefix.as_str()));
        suffix.or_else(prefix).map(|(_, index)| *index)
    }
}

impl CompiledHost {
    fn new(host: &VirtualHost) -> Self {
        let name: Arc<str> = host.name.as_str().into();
        let routes = host
            .routes
            .iter()
            .map(|route| (RouteMatcher::new(&route.matcher), Rc::new(RouteEntry::new(route, Arc::clone(&name)))))
            .collect();
        Self { routes }
    }
}

impl RouteEntry {
    fn new(route: &Route, virtual_host: Arc<str>) -> Self {
        Self {
            name: route.name.as_str().into(),
            virtual_host,
            metadata: route.metadata.as_deref().map(Bytes::copy_from_slice).unwrap_or_default(),
            target: match &route.kind {
                RouteKind::Route(action) => Target::Cluster {
                    name: action.cluster.clone(),
                    not_found: action.cluster_not_found_response_code,
                    policy: ForwardPolicy::new(action),
                    idle_timeout: action.idle_timeout,
                },
                RouteKind::DirectResponse(response) => Target::DirectResponse(response.clone()),
            },
        }
    }
}

/// `host` of `host:port`; brackets of an IPv6 address stay.
fn without_port(authority: &[u8]) -> &[u8] {
    let bracket = authority.iter().rposition(|byte| *byte == b']');
    match authority.iter().rposition(|byte| *byte == b':') {
        Some(colon) if bracket.is_none_or(|bracket| bracket < colon) => {
            let digits = authority.get(colon + 1..).unwrap_or_default();
            let port = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
            if port { authority.get(..colon).unwrap_or(authority) } else { authority }
        }
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test may panic")]

    use std::time::{Instant, SystemTime};

    use sandgate_config::model::{Origin, PathMatcher, RouteMatch};
    use sandgate_filter::{ConnectionInfo, StreamOptions};

    use super::*;

    fn direct(status: u16, path: PathMatcher, case_sensitive: bool) -> Route {
        Route {
            name: String::new(),
            matcher: RouteMatch { case_sensitive, ..RouteMatch::new(path) },
            kind: RouteKind::DirectResponse(DirectResponse { status, body: Bytes::new() }),
            metadata: None,
            origin: Origin::default(),
        }
    }

    fn prefix(status: u16, prefix: &str) -> Route {
        direct(status, PathMatcher::Prefix(prefix.into()), true)
    }

    fn find(table: &RouteTable, host: &str, path: &str) -> u16 {
        let mut headers = HeaderMap::new();
        headers.append(b":authority", host.as_bytes());
        headers.append(b":path", path.as_bytes());
        headers.append(b"x-forwarded-proto", b"http");
        let options = StreamOptions {
            buffer_limit: 0,
            protocol: None,
            start_time: SystemTime::UNIX_EPOCH,
            start: Instant::now(),
        };
        let stream = Stream::new(Rc::new(ConnectionInfo::default()), &options);
        match table.find(&headers, &stream).map(|route| &route.target) {
            Some(Target::DirectResponse(response)) => response.status,
            Some(Target::Cluster { .. }) => panic!("no cluster here"),
            None => 404,
        }
    }

    /// What Envoy 1.40 answered for each of these.
    #[test]
    fn domains_and_paths_match_as_in_envoy() {
        let domain = |text: &str| match text {
            "*" => Domain::Any,
            text if text.starts_with('*') => Domain::Suffix(text[1..].to_lowercase()),
            text if text.ends_with('*') => Domain::Prefix(text[..text.len() - 1].to_lowercase()),
            text => Domain::Exact(text.to_lowercase()),
        };
        let host = |name: &str, domains: &[&str], routes| VirtualHost {
            name: name.into(),
            domains: domains.iter().map(|d| domain(d)).collect(),
            routes,
        };
        let config = RouteConfiguration {
            virtual_hosts: vec![
                host("a", &["a.com", "A.org:8080", "*.w.com", "*-x.w.com", "p.*"], vec![prefix(201, "/")]),
                host(
                    "b",
                    &["b.w.com", "p.q.*", "*"],
                    vec![
                        direct(202, PathMatcher::Path("/p".into()), true),
                        prefix(203, "/q?a"),
                        direct(205, PathMatcher::Prefix("/I".into()), false),
                    ],
                ),
            ],
            ..RouteConfiguration::default()
        };
        let table = RouteTable::new(&config);
        for (host, status) in [
            ("a.com", 201),
            ("A.COM", 201),
            ("a.com:80", 202),
            ("a.org", 202),
            ("a.org:8080", 201),
            ("A.ORG:8080", 201),
            ("x.w.com", 201),
            (".w.com", 202),
            ("w.com", 202),
            ("b.w.com", 202),
            ("q-x.w.com", 201),
            ("-x.w.com", 201),
            ("p.com", 201),
            ("p.", 202),
            ("p.q.com", 202),
            ("p.q.", 201),
            ("zzz", 202),
            ("a.com.", 202),
            ("a.com:", 202),
        ] {
            assert_eq!(find(&table, host, "/p"), status, "{host}");
        }
        for (path, status) in [
            ("/p", 202),
            ("/p?x", 202),
            ("/p/", 404),
            ("/q?a", 404),
            ("/q?ab", 404),
            ("/q", 404),
            ("/I", 205),
            ("/i", 205),
            ("/P", 404),
        ] {
            assert_eq!(find(&table, "zz", path), status, "{path}");
        }
    }

    #[test]
    fn ports_are_ignored_if_asked_for() {
        let host = VirtualHost {
            name: "a".into(),
            domains: vec![Domain::Exact("a.com".into()), Domain::Exact("[::1]".into())],
            routes: vec![prefix(201, "/")],
        };
        let config = RouteConfiguration {
            virtual_hosts: vec![host],
            ignore_port_in_host_matching: true,
            ..RouteConfiguration::default()
        };
        let table = RouteTable::new(&config);
        for (host, status) in [("a.com:80", 201), ("a.com", 201), ("[::1]:80", 201), ("[::1]", 201), ("a.com:x", 404)] {
            assert_eq!(find(&table, host, "/"), status, "{host}");
        }
    }
}
