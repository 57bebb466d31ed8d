#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test may panic")]

use std::time::{Instant, SystemTime};

use sandgate_config::model::{LayeredRuntime, PathMatcher, Route, RouteKind, RouteMatch, VirtualHost};
use sandgate_filter::{ConnectionInfo, StreamOptions};

use super::*;
use crate::runtime::Runtime;
use crate::stats::StatsStore;

fn direct(status: u16, path: PathMatcher, case_sensitive: bool) -> Route {
    let matcher = RouteMatch { case_sensitive, ..RouteMatch::new(path) };
    Route::new(matcher, RouteKind::DirectResponse(DirectResponse { status, body: Bytes::new() }))
}

fn prefix(status: u16, prefix: &str) -> Route {
    direct(status, PathMatcher::Prefix(prefix.into()), true)
}

fn find(table: &RouteTable, host: &str, path: &str) -> u16 {
    let mut headers = HeaderMap::new();
    headers.append(b":authority", host.as_bytes());
    headers.append(b":path", path.as_bytes());
    headers.append(b"x-forwarded-proto", b"http");
    let options =
        StreamOptions { buffer_limit: 0, protocol: None, start_time: SystemTime::UNIX_EPOCH, start: Instant::now() };
    let stream = Stream::new(Rc::new(ConnectionInfo::default()), &options);
    let runtime = Runtime::new(&LayeredRuntime::default());
    match table.find(&headers, &stream, Chance { random: 0, runtime: &runtime }).map(|route| route.target.clone()) {
        Some(Target::DirectResponse(response)) => response.status,
        Some(_) => panic!("no direct response"),
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
        routes,
        ..VirtualHost::new(name, domains.iter().map(|d| domain(d)).collect())
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
    let table = RouteTable::new(&config, &StatsStore::new());
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
    let domains = vec![Domain::Exact("a.com".into()), Domain::Exact("[::1]".into())];
    let host = VirtualHost { routes: vec![prefix(201, "/")], ..VirtualHost::new("a", domains) };
    let config = RouteConfiguration {
        virtual_hosts: vec![host],
        ignore_port_in_host_matching: true,
        ..RouteConfiguration::default()
    };
    let table = RouteTable::new(&config, &StatsStore::new());
    for (host, status) in [("a.com:80", 201), ("a.com", 201), ("[::1]:80", 201), ("[::1]", 201), ("a.com:x", 404)] {
        assert_eq!(find(&table, host, "/"), status, "{host}");
    }
}
