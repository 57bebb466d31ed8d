//! How findings look, and that they come all at once.

use std::path::Path;

use sandgate_config::{LoadOptions, Severity, load_file};

use crate::support::{Slot, changed, config, load, refused};

#[test]
fn all_findings_come_at_once_in_order_with_their_places() {
    let text = config(
        Slot::Manager,
        "codec_typ: AUTO\nserver_name: 5\nmax_request_headers_kb: 9000\nforward_client_cert_matcher: {}",
    )
    .replace("cluster: c}", "cluster: d}")
    .replace("type: STATIC", "type: STATICS");
    let findings = load(&text).unwrap_err();
    let wanted = "\
test.yaml:11:11: error: unknown field \"codec_typ\" in envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager; did you mean \"codec_type\"?
    at static_resources.listeners[0].filter_chains[0].filters[0].typed_config.codec_typ
test.yaml:12:24: error: expected a string, found a number: put it in quotes
    at static_resources.listeners[0].filter_chains[0].filters[0].typed_config.server_name
test.yaml:13:35: error: max_request_headers_kb: value must be inside range (0, 8192]
    at static_resources.listeners[0].filter_chains[0].filters[0].typed_config.max_request_headers_kb
test.yaml:14:11: error: forward_client_cert_matcher is not implemented
    at static_resources.listeners[0].filter_chains[0].filters[0].typed_config.forward_client_cert_matcher
test.yaml:28:11: error: unknown value \"STATICS\" of envoy.config.cluster.v3.Cluster.DiscoveryType; did you mean \"STATIC\"?
    at static_resources.clusters[0].type
5 errors, 0 warnings";
    assert_eq!(findings.to_string(), wanted);
}

#[test]
fn what_could_not_be_read_is_not_called_missing() {
    for (from, to) in [
        ("stat_prefix: p", "stat_prefix: 5"),
        ("domains: [\"*\"]", "domains: [5]"),
        ("match: {prefix: \"/\"}", "match: {prefix: 5}"),
        ("route: {cluster: c}", "route: 5"),
        (
            "address: {socket_address: {address: 127.0.0.1, port_value: 0}}",
            "address: {socket_address: {address: 127.0.0.1, port_value: x}}",
        ),
        ("- name: c\n    type: STATIC", "- name: 5\n    type: STATIC"),
        ("{\"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}", "{\"@type\": a/b}"),
        ("route_config:", "route_config: 5\n          !ignore x:"),
    ] {
        let findings = refused(&changed(from, to), "error");
        assert_eq!(findings.count(Severity::Error), 1, "{findings}");
    }
}

#[test]
fn a_screen_is_enough() {
    let many: String = (0..50).map(|n| format!("wrong_{n}: 1\n")).collect();
    let findings = load(&config(Slot::Manager, &many)).unwrap_err();
    assert_eq!(findings.items().len(), 50);
    let text = findings.to_string();
    assert!(text.ends_with("… and 30 more\n50 errors, 0 warnings"), "{text}");
    assert_eq!(text.lines().count(), 42);
}

#[test]
fn errors_are_shown_before_warnings() {
    let many: String = (0..30).map(|_| "server_name: x\n".to_owned()).collect();
    let text = load(&config(Slot::Manager, &format!("{many}wrong: 1"))).unwrap_err().to_string();
    assert!(text.starts_with("test.yaml:41:11: error: unknown field \"wrong\""), "{text}");
}

#[test]
fn long_and_strange_names_are_shown_as_they_are() {
    refused("\"a\\nb\": 1", "unknown field \"a\\nb\"");
    let text = load(&format!("node: {{{}: 1}}", "x".repeat(3000))).unwrap_err().to_string();
    assert!(text.lines().all(|line| line.len() < 500), "{text}");
}

#[test]
fn files() {
    let options = LoadOptions::default();
    let error = |path: &str| load_file(Path::new(path), &options).unwrap_err().to_string();
    assert!(
        error("/nonexistent/envoy.yaml")
            .starts_with("/nonexistent/envoy.yaml: error: unable to read file: No such file")
    );
    assert!(error("/tmp/envoy.pb").contains("files of type .pb are not implemented"));
    let directory = std::env::temp_dir().join(format!("sandgate-config-files-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let write = |name: &str, content: &[u8]| {
        let path = directory.join(name);
        std::fs::write(&path, content).unwrap();
        load_file(&path, &options).map(|loaded| loaded.bootstrap.node.id).map_err(|findings| findings.to_string())
    };
    assert_eq!(write("a.yaml", b"node: {id: x}").as_deref(), Ok("x"));
    assert_eq!(write("a.YML", b"node: {id: x}").as_deref(), Ok("x"));
    assert_eq!(write("a.json", b"{\"node\": {\"id\": \"x\"}}").as_deref(), Ok("x"));
    // Envoy takes any other name for JSON.
    assert_eq!(write("a", b"{\"node\": {\"id\": \"x\"}}").as_deref(), Ok("x"));
    assert!(write("a.conf", b"node: {id: x}").unwrap_err().contains("not JSON"));
    assert!(write("b.yaml", b"node:\n  id: \xff").unwrap_err().contains("line 2 is not UTF-8"));
    std::fs::remove_dir_all(&directory).unwrap();
}
