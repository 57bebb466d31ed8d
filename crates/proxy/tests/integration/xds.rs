//! Clusters and endpoints of a control plane.

mod control_plane;

use std::net::SocketAddr;
use std::sync::mpsc::channel;

use serde_json::{Value, json};

use crate::support::{Proxy, Upstream, eventually};
use control_plane::ControlPlane;

const CLUSTER: &str = "envoy.config.cluster.v3.Cluster";
const ENDPOINTS: &str = "envoy.config.endpoint.v3.ClusterLoadAssignment";

/// Everything goes to the cluster `c`, which the control plane is to tell.
fn proxy(control_plane: &ControlPlane) -> Proxy {
    let http = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
    let routes = json!({
        "validate_clusters": false,
        "virtual_hosts": [{
            "name": "v", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "c"}}],
        }],
    });
    let router = json!({"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"});
    let manager = json!({
        "@type": http, "stat_prefix": "p", "route_config": routes,
        "http_filters": [{"name": "router", "typed_config": router}],
    });
    let options = json!({"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }});
    let mut ads = fixed("ads", control_plane.address);
    ads["typed_extension_protocol_options"] = options;
    let config = json!({
        "node": {"id": "n", "cluster": "c"},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "GRPC", "transport_api_version": "V3",
                "grpc_services": [{"envoy_grpc": {"cluster_name": "ads"}}],
            },
            "cds_config": {"ads": {}, "resource_api_version": "V3"},
        },
        "static_resources": {
            "clusters": [ads],
            "listeners": [{
                "name": "l", "address": socket(([127, 0, 0, 1], 0).into()),
                "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
            }],
        },
    });
    let options = sandgate_config::LoadOptions::default();
    let loaded = sandgate_config::load_str("test", &config.to_string(), sandgate_config::Format::Json, &options);
    Proxy::start(loaded.unwrap().bootstrap, |_| ())
}

fn socket(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}})
}

fn endpoint(address: SocketAddr, weight: u32) -> Value {
    json!({"endpoint": {"address": socket(address)}, "load_balancing_weight": weight})
}

fn assignment(name: &str, endpoints: &[Value]) -> Value {
    json!({"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]})
}

fn fixed(name: &str, address: SocketAddr) -> Value {
    json!({"name": name, "type": "STATIC", "load_assignment": assignment(name, &[endpoint(address, 1)])})
}

fn told(name: &str, connect_timeout: &str) -> Value {
    let source = json!({"ads": {}, "resource_api_version": "V3"});
    json!({"name": name, "type": "EDS", "connect_timeout": connect_timeout, "eds_cluster_config": {"eds_config": source}})
}

#[test]
fn clusters_come_change_and_go() {
    let (first, second) = (Upstream::ok(), Upstream::ok());
    let control_plane = ControlPlane::start();
    control_plane.push(CLUSTER, &[fixed("c", first.address)]);
    let proxy = proxy(&control_plane);
    let mut client = proxy.client();
    assert_eq!(client.get("/").text(), "ok");
    control_plane.give(CLUSTER, &[fixed("c", second.address)]);
    eventually("the new one is used", || client.get("/").text() == "ok" && second.requests().len() == 1);
    eventually("its idle connection is closed", || first.closed() == 1);
    let total = (first.requests().len() + second.requests().len()) as u64;
    assert_eq!(proxy.stat("cluster.c.upstream_rq_total"), total, "the same name counts on");
    assert_eq!(proxy.stat("cluster.c.membership_total"), 1);
    assert_eq!(proxy.stat("cluster_manager.cluster_modified"), 1);
    control_plane.give(CLUSTER, &[]);
    eventually("it is gone", || client.get("/").status() == 503);
    eventually("its idle connection is closed", || second.closed() == 1);
    let left = proxy.stats.snapshot().into_keys().filter(|name| name.starts_with("cluster.c."));
    assert_eq!(left.collect::<Vec<_>>(), Vec::<String>::new());
    let counted = ["cluster_added", "cluster_removed", "active_clusters", "warming_clusters"];
    assert_eq!(counted.map(|name| proxy.stat(&format!("cluster_manager.{name}"))), [2, 1, 1, 0]);
    control_plane.give(CLUSTER, &[fixed("c", first.address)]);
    eventually("it is back", || client.get("/").text() == "ok");
    assert_eq!(proxy.stat("cluster.c.upstream_rq_total"), 1);
}

#[test]
fn a_request_outlives_its_cluster() {
    let (begun, begins) = channel();
    let (go, goes) = channel::<()>();
    let (begun, goes) = (std::sync::Mutex::new(begun), std::sync::Mutex::new(goes));
    let upstream = Upstream::new(move |exchange| {
        if exchange.request_head().is_none() {
            return false;
        }
        begun.lock().unwrap().send(()).unwrap();
        goes.lock().unwrap().recv().unwrap();
        exchange.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlate")
    });
    let control_plane = ControlPlane::start();
    control_plane.push(CLUSTER, &[fixed("c", upstream.address)]);
    let proxy = proxy(&control_plane);
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    begins.recv().unwrap();
    control_plane.give(CLUSTER, &[]);
    // Who comes before the worker has heard waits for another answer.
    proxy.expect_stat("cluster_manager.active_clusters", 1);
    go.send(()).unwrap();
    assert_eq!(client.response().text(), "late");
    eventually("its connection is not kept", || upstream.closed() == 1);
}

#[test]
fn a_bad_cluster_leaves_the_good_ones() {
    let upstream = Upstream::ok();
    let control_plane = ControlPlane::start();
    control_plane.push(CLUSTER, &[]);
    let proxy = proxy(&control_plane);
    let bad = json!({"name": "bad", "type": "STATIC", "load_assignment": assignment("bad", &[json!({
        "endpoint": {"address": {"socket_address": {"address": "nobody", "port_value": 1}}},
    })])});
    let good = fixed("c", upstream.address);
    let why = control_plane.refused(CLUSTER, &[bad, good.clone(), good, fixed("ads", upstream.address)]);
    assert!(why.starts_with("Error adding/updating cluster(s) bad: "), "{why}");
    assert!(why.ends_with(", c: duplicate cluster c found"), "{why}");
    eventually("the good one is used", || proxy.client().get("/").text() == "ok");
    assert_eq!(proxy.stat("cluster_manager.active_clusters"), 2);
}

#[test]
fn endpoints_change_in_use() {
    let (first, second) = (Upstream::ok(), Upstream::ok());
    let control_plane = ControlPlane::start();
    control_plane.push(CLUSTER, &[told("c", "5s")]);
    control_plane.push(ENDPOINTS, &[assignment("c", &[endpoint(first.address, 1)])]);
    let proxy = proxy(&control_plane);
    let mut client = proxy.client();
    assert_eq!(client.get("/").text(), "ok");
    control_plane.give(ENDPOINTS, &[assignment("c", &[endpoint(first.address, 3), endpoint(second.address, 3)])]);
    eventually("both are used", || client.get("/").text() == "ok" && second.requests().len() >= 2);
    assert!(first.requests().len() >= 2);
    assert_eq!((first.connections(), proxy.stat("cluster.c.membership_change")), (1, 2));
    control_plane.give(ENDPOINTS, &[assignment("c", &[endpoint(second.address, 3)])]);
    eventually("its idle connection is closed", || first.closed() == 1);
    assert_eq!(client.get("/").text(), "ok");
    assert_eq!((proxy.stat("cluster.c.membership_total"), second.connections()), (1, 1));
    let other = control_plane.refused(ENDPOINTS, &[json!({"cluster_name": "c", "endpoints": [{"priority": 129}]})]);
    assert!(!other.is_empty());
    assert_eq!(client.get("/").text(), "ok");
}

#[test]
fn a_changed_cluster_waits_for_its_endpoints() {
    let upstream = Upstream::ok();
    let control_plane = ControlPlane::start();
    control_plane.push(CLUSTER, &[fixed("c", upstream.address)]);
    let proxy = proxy(&control_plane);
    let mut client = proxy.client();
    assert_eq!(client.get("/").text(), "ok");
    control_plane.push(CLUSTER, &[told("c", "5s")]);
    proxy.expect_stat("cluster_manager.warming_clusters", 1);
    assert_eq!(client.get("/").text(), "ok", "the one that is there serves");
    assert_eq!(proxy.stat("cluster.c.warming_state"), 1);
    control_plane.give(ENDPOINTS, &[assignment("c", &[])]);
    proxy.expect_stat("cluster_manager.warming_clusters", 0);
    eventually("it has no hosts", || client.get("/").status() == 503);
    assert_eq!(proxy.stat("cluster.c.membership_total"), 0);
}
