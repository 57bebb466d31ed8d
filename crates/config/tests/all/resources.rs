//! Single resources, as they come from a control plane.

use std::{collections::HashSet, sync::Arc, time::Duration};

use prost_reflect::{DynamicMessage, prost::Message as _};
use sandgate_config::{
    Diagnostics, ResourceLoader, message_types,
    model::{DiscoveredKind, Discovery, EndpointAddress, HttpFilterKind, RuntimeValue, SecretKind, SecretSource},
};
use serde_json::{Value, json};

use crate::support::{Slot, accepted, config};

const HCM: &str =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const ROUTER: &str = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
const NODE: &str = "node: {id: i, cluster: c}\n";

/// The bytes of a message.
fn bytes(message: &str, json: Value) -> Vec<u8> {
    let descriptor = message_types().unwrap().get_message_by_name(message).unwrap();
    DynamicMessage::deserialize(descriptor, json).unwrap().encode_to_vec()
}

fn loader(top: &str) -> ResourceLoader {
    accepted(&config(Slot::Top, &format!("{NODE}{top}"))).resource_loader()
}

fn ads() -> ResourceLoader {
    loader("dynamic_resources: {ads_config: {api_type: GRPC, grpc_services: [{envoy_grpc: {cluster_name: c}}]}}")
}

fn cluster(json: Value) -> Vec<u8> {
    bytes("envoy.config.cluster.v3.Cluster", json)
}

fn listener(http: Value) -> Vec<u8> {
    let mut manager = json!({
        "@type": HCM, "stat_prefix": "p", "http_filters": [{"name": "r", "typed_config": {"@type": ROUTER}}],
    });
    manager.as_object_mut().unwrap().append(&mut http.as_object().unwrap().clone());
    let filter = json!({"name": "h", "typed_config": manager});
    let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": 1}});
    bytes(
        "envoy.config.listener.v3.Listener",
        json!({"name": "l", "address": address, "filter_chains": [{"filters": [filter]}]}),
    )
}

fn routes(cluster: &str) -> Value {
    let route = json!({"match": {"prefix": "/"}, "route": {"cluster": cluster}});
    json!({"name": "r", "virtual_hosts": [{"name": "v", "domains": ["*"], "routes": [route]}]})
}

/// The errors, and that they tell the resource.
fn errors<T: std::fmt::Debug>(result: Result<T, Diagnostics>, resource: &str) -> String {
    let findings = result.unwrap_err();
    assert!(findings.items().iter().all(|item| &*item.origin.file == resource), "{findings}");
    findings.detail()
}

#[test]
fn clusters() {
    let source = json!({"ads": {}, "resource_api_version": "V3"});
    let config =
        json!({"name": "e", "type": "EDS", "eds_cluster_config": {"eds_config": source}, "connect_timeout": "3s"});
    let found = ads().cluster(&cluster(config)).unwrap();
    assert!(matches!(found.resource.discovery, Discovery::Eds(_)) && found.warnings.is_empty());
    assert_eq!((found.resource.name.as_str(), found.resource.connect_timeout), ("e", Duration::from_secs(3)));
    assert_eq!(found.resource.origin.to_string(), "cluster \"e\": ");
    // Two findings of one cluster.
    let config = json!({"name": "q", "lb_policy": "CLUSTER_PROVIDED", "connect_timeout": "-1s"});
    let text = errors(ads().cluster(&cluster(config)), "cluster \"q\"");
    assert!(text.starts_with("connect_timeout: ") && text.contains("; "), "{text}");
    // Control planes are not asked by clusters that they tell.
    let api = json!({"api_type": "GRPC", "grpc_services": [{"envoy_grpc": {"cluster_name": "x"}}]});
    let eds = json!({"eds_config": {"api_config_source": api}});
    let text = errors(
        ads().cluster(&cluster(json!({"name": "e", "type": "EDS", "eds_cluster_config": eds}))),
        "cluster \"e\"",
    );
    assert!(text.contains("must have a statically defined non-EDS cluster: 'x'"), "{text}");
    let text = errors(
        loader("")
            .cluster(&cluster(json!({"name": "e", "type": "EDS", "eds_cluster_config": {"eds_config": {"ads": {}}}}))),
        "cluster \"e\"",
    );
    assert_eq!(text, "eds_cluster_config.eds_config.ads: ADS must be configured to support an ADS config source");
}

#[test]
fn listeners_and_their_routes() {
    let mut loader = loader("");
    loader.listener(&listener(json!({"route_config": routes("c")}))).unwrap();
    let unknown = listener(json!({"route_config": routes("d")}));
    let text = errors(loader.listener(&unknown), "listener \"l\"");
    assert!(text.starts_with("filter_chains[0].filters[0].typed_config.route_config.virtual_hosts[0]"), "{text}");
    assert!(text.contains("unknown cluster 'd'"), "{text}");
    loader.set_clusters(Arc::new(HashSet::from(["d".to_owned()])));
    loader.listener(&unknown).unwrap();
    let missing = bytes("envoy.config.listener.v3.Listener", json!({"name": "m"}));
    assert!(errors(loader.listener(&missing), "listener \"m\"").contains("address is required"));
    // Routes that come by themselves lead anywhere, unless they say otherwise.
    let mut table = routes("nowhere");
    let bytes_of = |table: &Value| bytes("envoy.config.route.v3.RouteConfiguration", table.clone());
    assert_eq!(loader.route_configuration(&bytes_of(&table)).unwrap().resource.virtual_hosts.len(), 1);
    table["validate_clusters"] = true.into();
    let text = errors(loader.route_configuration(&bytes_of(&table)), "route configuration \"r\"");
    assert!(text.contains("unknown cluster 'nowhere'"), "{text}");
}

#[test]
fn endpoints() {
    let endpoint = json!({"endpoint": {"address": {"socket_address": {"address": "1.2.3.4", "port_value": 5}}}});
    let message = "envoy.config.endpoint.v3.ClusterLoadAssignment";
    let policy = json!({"endpoint_stale_after": "7s", "weighted_priority_health": true});
    let all =
        json!({"cluster_name": "s", "policy": policy, "endpoints": [{"priority": 1, "lb_endpoints": [endpoint]}]});
    let found = loader("").endpoints(&bytes(message, all)).unwrap().resource;
    assert_eq!((found.cluster_name.as_str(), found.overprovisioning_factor), ("s", 140));
    assert_eq!((found.endpoint_stale_after, found.weighted_priority_health), (Some(Duration::from_secs(7)), true));
    let address = &found.localities[0].endpoints[0].address;
    assert_eq!((found.localities[0].priority, address), (1, &EndpointAddress::Ip("1.2.3.4:5".parse().unwrap())));
    let drop = json!({"cluster_name": "s", "policy": {"drop_overloads": [{"category": "a"}]}});
    let text = errors(loader("").endpoints(&bytes(message, drop)), "endpoints of \"s\"");
    assert!(text.starts_with("policy.drop_overloads: drop_overloads is not implemented"), "{text}");
    let named = json!({"endpoint": {"address": {"socket_address": {"address": "a.example", "port_value": 5}}}});
    let named = json!({"cluster_name": "s", "endpoints": [{"lb_endpoints": [named]}]});
    assert!(loader("").endpoints(&bytes(message, named)).is_err());
    let text = errors(loader("").endpoints(&bytes(message, json!({}))), "endpoints of \"\"");
    assert_eq!(text, "cluster_name: cluster_name: value length must be at least 1 characters");
}

#[test]
fn secrets_runtime_and_extensions() {
    let certificate = json!({"certificate_chain": {"inline_string": "a"}, "private_key": {"inline_string": "b"}});
    let secret = json!({"name": "s", "tls_certificate": certificate});
    let found = ads().secret(&bytes("envoy.extensions.transport_sockets.tls.v3.Secret", secret)).unwrap().resource;
    assert!(found.name == "s" && matches!(found.kind, SecretKind::Certificate(_)));
    let runtime = json!({"name": "r", "layer": {"a": {"b": 1}, "c": true}});
    let found = ads().runtime(&bytes("envoy.service.runtime.v3.Runtime", runtime)).unwrap().resource;
    let values = [("a.b".to_owned(), RuntimeValue::Number(1.0)), ("c".to_owned(), RuntimeValue::Bool(true))];
    assert_eq!(found.values, values);
    let message = "envoy.config.core.v3.TypedExtensionConfig";
    let router = json!({"name": "f", "typed_config": {"@type": ROUTER, "suppress_envoy_headers": true}});
    let found = ads().extension(&bytes(message, router)).unwrap().resource;
    assert!(
        matches!(&found.kind, DiscoveredKind::Http(HttpFilterKind::Router(router)) if router.suppress_envoy_headers)
    );
    assert_eq!(found.type_url, "envoy.extensions.filters.http.router.v3.Router");
    let other = json!({"name": "f", "typed_config": {"@type": HCM, "stat_prefix": "p", "route_config": {}}});
    let text = errors(ads().extension(&bytes(message, other)), "extension \"f\"");
    assert!(text.contains("network filter \"f\"") && text.contains("is not implemented"), "{text}");
}

/// Secrets of the bootstrap are known by their names.
#[test]
fn static_secrets() {
    let text = config(Slot::Top, NODE).replacen(
        "static_resources:\n",
        "static_resources:\n  secrets: [{name: s, tls_certificate: {certificate_chain: {inline_string: a}, private_key: {inline_string: b}}}]\n",
        1,
    );
    let common = json!({"tls_certificate_sds_secret_configs": [{"name": "s"}]});
    let tls = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";
    let socket = json!({"name": "t", "typed_config": {"@type": tls, "common_tls_context": common}});
    let found = accepted(&text).resource_loader().cluster(&cluster(json!({"name": "a", "transport_socket": socket})));
    let found = found.unwrap().resource.tls.unwrap();
    assert!(matches!(&found.common.certificates[..], [SecretSource::Inline { name, .. }] if name == "s"));
}

#[test]
fn a_typed_struct_is_what_it_stands_for() {
    for name in ["xds.type.v3.TypedStruct", "udpa.type.v1.TypedStruct"] {
        let of = |value: Value| {
            let config = json!({"@type": format!("type.googleapis.com/{name}"), "type_url": ROUTER, "value": value});
            bytes("envoy.config.core.v3.TypedExtensionConfig", json!({"name": "f", "typed_config": config}))
        };
        let found = ads().extension(&of(json!({"suppress_envoy_headers": true}))).unwrap();
        assert!(
            matches!(&found.resource.kind, DiscoveredKind::Http(HttpFilterKind::Router(router)) if router.suppress_envoy_headers)
        );
        let plain = json!({"name": "f", "typed_config": {"@type": ROUTER, "suppress_envoy_headers": true}});
        assert_eq!(found.serialized, bytes("envoy.config.core.v3.TypedExtensionConfig", plain));
        let text = errors(ads().extension(&of(json!({"suppress_envoy_header": 1}))), "extension \"f\"");
        assert!(text.contains("unknown field \"suppress_envoy_header\""), "{text}");
    }
}

/// What the schema does not have is let pass, as in Envoy, and said; what cannot be read is refused.
#[test]
fn odd_bytes() {
    let mut odd = cluster(json!({"name": "a"}));
    // Field 9999, a varint.
    odd.extend([0xf8, 0xf0, 0x04, 0x01]);
    let found = loader("").cluster(&odd).unwrap();
    assert!(found.warnings.to_string().contains("envoy.config.cluster.v3.Cluster has no field of the number 9999"));
    assert_eq!(found.serialized, cluster(json!({"name": "a"})));
    let text = errors(loader("").cluster(b"\x0a\xff"), "cluster");
    assert!(text.starts_with("Unable to unpack as envoy.config.cluster.v3.Cluster: "), "{text}");
    // A message in an Any.
    let broken = [&b"\x0a\x01f\x12\x4a\x0a\x42"[..], ROUTER.as_bytes(), b"\x12\x02\x0a\xff"].concat();
    let mut broken = broken;
    broken[4] = u8::try_from(ROUTER.len() + 6).unwrap();
    broken[6] = u8::try_from(ROUTER.len()).unwrap();
    let text = errors(loader("").extension(&broken), "extension \"f\"");
    assert!(
        text.starts_with("typed_config: Unable to unpack as envoy.extensions.filters.http.router.v3.Router"),
        "{text}"
    );
    for length in 0..broken.len() {
        let _ = loader("").extension(&broken[..length]);
    }
}

/// A control plane may send very many.
#[test]
fn many_clusters() {
    let loader = loader("");
    let endpoint = json!({"endpoint": {"address": {"socket_address": {"address": "1.2.3.4", "port_value": 5}}}});
    let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let http2 = json!({"@type": format!("type.googleapis.com/{options}"), "explicit_http_config": {"http2_protocol_options": {}}});
    let all = json!({
        "name": "c", "type": "STATIC", "typed_extension_protocol_options": {options: http2},
        "load_assignment": {"cluster_name": "c", "endpoints": [{"lb_endpoints": [endpoint]}]},
    });
    let bytes = cluster(all);
    let begin = std::time::Instant::now();
    for _ in 0..1000 {
        loader.cluster(&bytes).unwrap();
    }
    // Far more than it takes, and far less than it would with work that grows with the schema.
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}

mod files {
    //! Files with a `DiscoveryResponse`.

    use std::path::PathBuf;

    use sandgate_config::{Diagnostics, DiscoveryFile, read_discovery_file};

    fn read(name: &str, text: &str) -> Result<DiscoveryFile, Diagnostics> {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&path, text).unwrap();
        read_discovery_file(&path)
    }

    #[test]
    fn responses() {
        let text = "version_info: '7'\nresources:\n- {\"@type\": type.googleapis.com/envoy.config.cluster.v3.Cluster, name: a}\n";
        let found = read("a.yaml", text).unwrap();
        assert_eq!(found.version_info, "7");
        let cluster = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
        assert_eq!(found.resources, [(cluster.to_owned(), b"\x0a\x01a".as_slice().into())]);
        assert_eq!(read("b.json", "{}").unwrap(), DiscoveryFile::default());
        for (name, text, wanted) in [
            ("c.yaml", "resources: [{\"@type\": a.b/c.D}]", "unknown type \"c.D\""),
            ("d.json", "{\"resources\": [", "not JSON"),
            ("e.pb", "", "files of type .pb are not implemented"),
            ("f.yaml", "", "there is no configuration here"),
        ] {
            let findings = read(name, text).unwrap_err().to_string();
            assert!(findings.contains(wanted), "{findings}");
        }
        assert!(read_discovery_file("/nowhere".as_ref()).unwrap_err().to_string().contains("unable to read file"));
    }
}
