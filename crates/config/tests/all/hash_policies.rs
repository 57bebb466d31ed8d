//! Hash policies of routes.

use std::time::Duration;

use sandgate_config::model::{HashCookie, HashSpecifier, RouteKind, RoutingPriority};

use crate::support::{accepted, changed, refused};

/// The route with more in its action.
fn route(fields: &str) -> String {
    changed("route: {cluster: c}", &format!("route: {{cluster: c, {fields}}}"))
}

#[test]
fn rules() {
    for (policy, wanted) in [
        ("{header: {header_name: X-A}}", None),
        ("{header: {}}", Some("header_name: value length must be at least 1 characters")),
        ("{header: {header_name: x, regex_rewrite: {pattern: {regex: '(a'}, substitution: x}}}", Some("regex")),
        ("{header: {header_name: x, regex_rewrite: {pattern: {regex: a}, substitution: '\\1'}}}", None),
        ("{cookie: {name: c}}", None),
        ("{cookie: {name: ''}}", Some("name: value length must be at least 1 characters")),
        ("{cookie: {name: c, ttl: -1s}}", Some("ttl")),
        ("{connection_properties: {source_ip: true}}", None),
        ("{query_parameter: {name: q}}", None),
        ("{query_parameter: {}}", Some("name: value length must be at least 1 characters")),
        ("{filter_state: {key: k}}", None),
        ("{terminal: true}", Some("is required")),
    ] {
        let text = route(&format!("hash_policy: [{policy}]"));
        match wanted {
            None => drop(accepted(&text)),
            Some(wanted) => drop(refused(&text, wanted)),
        }
    }
}

#[test]
fn values() {
    let policies = "{header: {header_name: X-A}, terminal: true}, {connection_properties: {}}, {cookie: {name: c, ttl: 7.9s, path: /p, attributes: [{name: Secure}]}}";
    let text = route(&format!("priority: HIGH, hash_policy: [{policies}]"));
    let bootstrap = accepted(&text);
    let routes = &bootstrap.listeners[0].filter_chains[0].http_connection_manager().unwrap().route_config;
    let route = &routes.virtual_hosts[0].routes[0];
    let RouteKind::Route(action) = &route.kind else { panic!("no forwarding") };
    assert_eq!(action.priority, RoutingPriority::High);
    let [header, cookie] = action.hash_policies.as_slice() else { panic!("{:?}", action.hash_policies) };
    assert_eq!(header.specifier, HashSpecifier::Header { name: "x-a".to_owned(), rewrite: None });
    assert!(header.terminal && !cookie.terminal);
    let wanted = HashCookie {
        name: "c".to_owned(),
        ttl: Some(Duration::from_secs(7)),
        path: "/p".to_owned(),
        attributes: vec![("Secure".to_owned(), String::new())],
    };
    assert_eq!(cookie.specifier, HashSpecifier::Cookie(wanted));
}
