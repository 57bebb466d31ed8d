#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::sync::Arc;

use super::super::{AdminRequest, respond};
use super::*;
use crate::stats::StatsStore;

const CONFIG: &str = r#"
node: {cluster: cl}
static_resources:
  listeners:
  - name: l
    address: {socket_address: {address: 127.0.0.1, port_value: 0}}
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: p
          route_config: {name: r, virtual_hosts: [{name: v, domains: ["*"], routes: [{match: {prefix: "/"}, route: {cluster: c}}]}]}
          http_filters:
          - name: router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
  clusters:
  - {name: c, type: STATIC, connect_timeout: 0.25s}
  - {name: d, type: STATIC}
"#;

fn context() -> AdminContext {
    let options = sandgate_config::LoadOptions::default();
    let loaded = sandgate_config::load_str("test", CONFIG, sandgate_config::Format::Yaml, &options).unwrap();
    let mut context = AdminContext::new(StatsStore::new(), Arc::default());
    context.bootstrap = loaded.bootstrap.serialized.clone();
    context.node_id = "n".to_owned();
    context.clusters =
        Some(crate::cluster::ClusterTable::new(loaded.bootstrap.clusters, &std::sync::Arc::default()).unwrap());
    context
}

fn get(query: &str) -> (u32, Value) {
    let path = format!("/config_dump{query}");
    let answer = respond(&context(), AdminRequest { method: b"GET", path: path.as_bytes(), ..AdminRequest::default() });
    let body = serde_json::from_str(&answer.body).unwrap_or(Value::String(answer.body));
    (answer.status, body)
}

#[test]
fn everything_is_dumped_in_order() {
    let (_, dump) = get("");
    let types: Vec<_> =
        dump["configs"].as_array().unwrap().iter().map(|config| config["@type"].as_str().unwrap()).collect();
    let names = ["Bootstrap", "Clusters", "Listeners", "ScopedRoutes", "Routes", "Secrets"];
    assert_eq!(types, names.map(|name| format!("type.googleapis.com/envoy.admin.v3.{name}ConfigDump")));
    let bootstrap = &dump["configs"][0]["bootstrap"];
    assert_eq!(bootstrap["node"], json!({ "id": "n", "cluster": "cl", "user_agent_name": "sandgate" }));
    assert_eq!(bootstrap["static_resources"]["clusters"][0]["connect_timeout"], "0.250s");
    assert_eq!(dump["configs"][1]["static_clusters"][1]["cluster"]["name"], "d");
    let updated = dump["configs"][0]["last_updated"].as_str().unwrap();
    assert!(updated.len() == 24 && updated.ends_with('Z') && updated.contains('T'), "{updated}");
    let routes = &dump["configs"][4]["static_route_configs"][0]["route_config"];
    assert_eq!(routes["@type"], "type.googleapis.com/envoy.config.route.v3.RouteConfiguration");
    assert_eq!(routes["virtual_hosts"][0]["routes"][0]["route"]["cluster"], "c");
    assert_eq!(dump["configs"][5], json!({ "@type": "type.googleapis.com/envoy.admin.v3.SecretsConfigDump" }));
}

#[test]
fn one_list_can_be_asked_for() {
    let (_, dump) = get("?resource=static_clusters&mask=cluster.name");
    let item = |name: &str| {
        json!({
            "@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump.StaticCluster",
            "cluster": { "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster", "name": name },
        })
    };
    assert_eq!(dump, json!({ "configs": [item("c"), item("d")] }));
    assert_eq!(get("?resource=static_clusters&name_regex=x").1, json!({}));
    assert_eq!(get("?resource=static_clusters&name_regex=d").1["configs"].as_array().unwrap().len(), 1);
    assert_eq!(get("?resource=dynamic_active_clusters"), (200, json!({})));
    assert_eq!(get("?resource=nope"), (404, json!("nope not found in config dump")));
    let wanted = "bootstrap is not a repeated field. Use ?mask=bootstrap to get only this field";
    assert_eq!(get("?resource=bootstrap"), (400, json!(wanted)));
    let wanted = "FieldMask goo.gle/debugonly  \npaths: \"zz\"\n could not be successfully used.";
    assert_eq!(get("?resource=static_clusters&mask=zz"), (400, json!(wanted)));
    assert_eq!(get("?resource=static_clusters&mask=cluster").0, 400);
    assert_eq!(get("?name_regex=%5B").0, 400);
}

#[test]
fn a_mask_keeps_what_it_names() {
    let (_, dump) = get("?mask=bootstrap.node.id,bootstrap.node.cluster");
    let bootstrap = json!({ "node": { "id": "n", "cluster": "cl" } });
    let config = json!({ "@type": "type.googleapis.com/envoy.admin.v3.BootstrapConfigDump", "bootstrap": bootstrap });
    assert_eq!(dump, json!({ "configs": [config] }));
    let wanted = "FieldMask zz could not be successfully applied to any configs.";
    assert_eq!(get("?mask=zz"), (400, json!(wanted)));
    assert_eq!(get("?mask=static_clusters").1["configs"].as_array().unwrap().len(), 1);
}

#[test]
fn endpoints_are_dumped_if_wanted() {
    let (_, dump) = get("?include_eds&resource=static_endpoint_configs");
    assert_eq!(dump["configs"][1]["endpoint_config"]["cluster_name"], "d");
    assert_eq!(get("?resource=static_endpoint_configs").0, 404);
}
