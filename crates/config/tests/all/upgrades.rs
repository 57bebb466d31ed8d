//! Upgrades and CONNECT.

use sandgate_config::model::{ConnectConfig, HttpConnectionManager, PathMatcher, RouteAction, RouteKind};

use crate::support::{accepted, changed, refused};

const MATCH: &str = "match: {prefix: \"/\"}";
const ROUTE: &str = "route: {cluster: c}";
const PREFIX: &str = "stat_prefix: p";

fn hcm(text: &str) -> HttpConnectionManager {
    accepted(text).listeners[0].filter_chains[0].http_connection_manager().unwrap().clone()
}

fn action(text: &str) -> RouteAction {
    match &hcm(text).route_config.virtual_hosts[0].routes[0].kind {
        RouteKind::Route(action) => (**action).clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn of_the_connection_manager() {
    let with = |text: &str| changed(PREFIX, &format!("{PREFIX}\n          upgrade_configs: [{text}]"));
    let upgrades = hcm(&with("{upgrade_type: websocket}, {upgrade_type: Foo, enabled: false}")).upgrades;
    let found: Vec<_> = upgrades.iter().map(|u| (u.upgrade_type.as_str(), u.enabled, u.filters.is_some())).collect();
    assert_eq!(found, [("websocket", true, false), ("Foo", false, false)]);
    let router = "{name: r, typed_config: {\"@type\": \
                  type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}";
    let own = hcm(&with(&format!("{{upgrade_type: websocket, filters: [{router}]}}")));
    assert_eq!(own.upgrades[0].filters.as_ref().map(Vec::len), Some(1));
    assert_eq!(own.all_filters().count(), own.http_filters.len() + 1);
    refused(&with("{upgrade_type: foo}, {upgrade_type: FOO}"), "multiple upgrade configs with the same name: 'FOO'");
    refused(&with("{upgrade_type: foo, filters: [{name: r}]}"), "filters[0]");
}

#[test]
fn of_routes() {
    let with = |text: &str| changed(ROUTE, &format!("route: {{cluster: c, upgrade_configs: [{text}]}}"));
    let websocket = action(&with("{upgrade_type: WebSocket}, {upgrade_type: foo, enabled: false}"));
    let found: Vec<_> = websocket.upgrades.iter().map(|u| (u.upgrade_type.as_str(), u.enabled)).collect();
    assert_eq!((found, websocket.connect), (vec![("websocket", true), ("foo", false)], None));
    let connect = |text: &str| action(&with(&format!("{{upgrade_type: connect, connect_config: {{{text}}}}}"))).connect;
    assert_eq!(connect(""), Some(ConnectConfig { allow_post: false }));
    assert_eq!(connect("allow_post: true"), Some(ConnectConfig { allow_post: true }));
    refused(&with("{upgrade_type: foo}, {upgrade_type: Foo}"), "Duplicate upgrade Foo");
    refused(&with("{upgrade_type: foo, connect_config: {}}"), "Non-CONNECT upgrade type foo has ConnectConfig");
    refused(&with("{upgrade_type: CONNECT-UDP, connect_config: {}}"), "CONNECT-UDP is not implemented");
    refused(
        &with("{upgrade_type: CONNECT, connect_config: {proxy_protocol_config: {version: V1}}}"),
        "proxy_protocol_config",
    );
}

#[test]
fn the_matcher_of_connect() {
    let route = hcm(&changed(MATCH, "match: {connect_matcher: {}}")).route_config.virtual_hosts[0].routes[0].clone();
    assert_eq!(route.matcher.path, PathMatcher::Connect);
}
