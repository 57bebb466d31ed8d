//! Virtual hosts and routes.

use std::time::Duration;

use sandgate_config::model::{
    ClusterNotFoundResponseCode, ClusterSpecifier, Domain, PathMatcher, RouteConfiguration, RouteKind,
};

use crate::support::{Slot, accepted, changed, config, refused};

const OK: Option<&str> = None;
const MATCH: &str = "match: {prefix: \"/\"}";
const ROUTE: &str = "route: {cluster: c}";
const DOMAINS: &str = "domains: [\"*\"]";

fn routes(text: &str) -> RouteConfiguration {
    accepted(text).listeners[0].filter_chains[0].http_connection_manager().unwrap().route_config.clone()
}

fn check(from: &str, lines: &[(&str, Option<&str>)]) {
    for (to, wanted) in lines {
        let text = changed(from, to);
        match wanted {
            None => drop(accepted(&text)),
            Some(wanted) => drop(refused(&text, wanted)),
        }
    }
}

#[test]
fn matches() {
    check(
        MATCH,
        &[
            ("match: {prefix: \"\"}", OK),
            ("match: {prefix: a}", OK),
            ("match: {path: \"\"}", OK),
            ("match: {path: \"/a?b\"}", OK),
            ("match: {path: \"/a#b\"}", OK),
            ("match: {prefix: \"/\", case_sensitive: false}", OK),
            ("match: {}", Some("one of prefix, path")),
            ("name: x", Some("match: value is required")),
            ("match: {prefix: \"/\", headers: [{name: x}]}", None),
            ("match: {safe_regex: {regex: \"/\"}}", None),
            ("match: {safe_regex: {}}", Some("regex: value length must be at least 1 characters")),
        ],
    );
    let config = routes(&changed(MATCH, "match: {path: /a, case_sensitive: false}"));
    let matcher = &config.virtual_hosts[0].routes[0].matcher;
    assert_eq!((&matcher.path, matcher.case_sensitive), (&PathMatcher::Path("/a".to_owned()), false));
}

#[test]
fn actions() {
    check(
        ROUTE,
        &[
            ("name: x", Some("one of route, redirect, direct_response")),
            ("route: {cluster: c}\n                direct_response: {status: 200}", Some("exclude each other")),
            ("route: {}", Some("one of cluster, cluster_header")),
            ("route: {cluster: \"\"}", Some("cluster: value length must be at least 1 characters")),
            ("route: {cluster: c, timeout: -1s}", Some("negative or too long")),
            ("route: {cluster: cc}", Some("route: unknown cluster 'cc'; did you mean 'c'?")),
            ("route: {cluster: c, prefix_rewrite: /x}", OK),
            ("route: {cluster: c, host_rewrite_literal: x}", OK),
            ("redirect: {host_redirect: x}", OK),
        ],
    );
    let text = "route: {cluster: c, timeout: 0s, idle_timeout: 0s, cluster_not_found_response_code: NOT_FOUND}";
    let config = routes(&changed(ROUTE, text));
    let RouteKind::Route(action) = &config.virtual_hosts[0].routes[0].kind else { panic!("not a route") };
    assert_eq!((action.timeout, action.idle_timeout), (None, Some(Duration::ZERO)));
    assert_eq!(action.cluster_not_found_response_code, ClusterNotFoundResponseCode::NotFound);
}

#[test]
fn clusters_need_not_exist_if_the_routes_say_so() {
    let text = config(Slot::RouteConfig, "validate_clusters: false").replace(ROUTE, "route: {cluster: x}");
    let RouteKind::Route(action) = &routes(&text).virtual_hosts[0].routes[0].kind else { panic!("not a route") };
    assert_eq!(action.cluster, ClusterSpecifier::Cluster("x".to_owned()));
}

#[test]
fn direct_responses() {
    let long =
        |length| format!("direct_response: {{status: 200, body: {{inline_string: \"{}\"}}}}", "x".repeat(length));
    check(
        ROUTE,
        &[
            ("direct_response: {status: 200}", OK),
            ("direct_response: {status: 599}", OK),
            ("direct_response: {status: 199}", Some("inside range [200, 600)")),
            ("direct_response: {status: 600}", Some("inside range [200, 600)")),
            ("direct_response: {}", Some("inside range [200, 600)")),
            ("direct_response: {status: 200, body: {inline_string: \"\"}}", OK),
            ("direct_response: {status: 200, body: {environment_variable: PATH}}", OK),
            (
                "direct_response: {status: 200, body: {environment_variable: NO_SUCH_VARIABLE}}",
                Some("variable doesn't exist"),
            ),
            ("direct_response: {status: 200, body: {environment_variable: \"A=B\"}}", Some("variable doesn't exist")),
            ("direct_response: {status: 200, body: {}}", Some("one of filename, inline_bytes")),
            ("direct_response: {status: 200, body: {filename: /nonexistent}}", Some("Invalid path: /nonexistent")),
            (&long(4096), OK),
            (&long(4097), Some("response body size is 4097 bytes; maximum is 4096")),
        ],
    );
    let config = config(Slot::RouteConfig, "max_direct_response_body_size_bytes: 1");
    refused(&config.replace(ROUTE, "direct_response: {status: 200, body: {inline_string: hi}}"), "maximum is 1");
}

#[test]
fn domains() {
    use Domain::{Any, Exact, Prefix, Suffix};
    for (text, wanted) in [
        ("*", Any),
        ("Foo.com", Exact("foo.com".to_owned())),
        ("*.Foo.com", Suffix(".foo.com".to_owned())),
        ("**", Suffix("*".to_owned())),
        ("*.*", Suffix(".*".to_owned())),
        ("foo.*", Prefix("foo.".to_owned())),
        ("a*b", Exact("a*b".to_owned())),
        ("", Exact(String::new())),
    ] {
        let config = routes(&changed(DOMAINS, &format!("domains: [\"{text}\"]")));
        assert_eq!(config.virtual_hosts[0].domains, [wanted], "{text}");
    }
    check(
        DOMAINS,
        &[
            ("domains: []", Some("value must contain at least 1 item(s)")),
            ("domains: [\"a\\r\"]", Some("domains[0]: value is not a header value")),
            ("domains: [\"*\", \"*\"]", Some("only a single wildcard domain is permitted in route r")),
            ("domains: [a.com, A.com]", Some("Duplicate entry of domain A.com in route r")),
            ("domains: [\"*.a.com\", \"*.A.com\"]", Some("Duplicate entry of domain *.A.com")),
            ("domains: [\"a.*\", \"a.*\"]", Some("Duplicate entry of domain a.*")),
        ],
    );
}

#[test]
fn several_virtual_hosts() {
    let with = |host: &str| {
        config(Slot::RouteConfig, "").replace("virtual_hosts:", &format!("virtual_hosts:\n            - {host}"))
    };
    // Envoy does not mind equal names.
    assert_eq!(routes(&with("{name: v, domains: [a.com]}")).virtual_hosts.len(), 2);
    refused(&with("{name: w, domains: [\"*\"]}"), "only a single wildcard domain");
    refused(&with("{domains: [a.com]}"), "name: value length must be at least 1 characters");
}
