//! Resources of control planes and of files. What is refused was asked of Envoy 1.40 both with `--mode validate` and by starting it, since it finds
//! some of these mistakes at start only.

use std::time::Duration;

use sandgate_config::model::{
    ApiConfig, Bootstrap, ConfigSourceKind, DiscoveredKind, Discovery, EnvoyGrpc, GrpcTarget, HttpFilterKind,
    NetworkFilterKind, RateLimit, RuntimeLayerKind, SecretSource,
};

use crate::support::{Slot, accepted, changed, config, refused};

const NODE: &str = "node: {id: i, cluster: c}\n";
const ADS: &str =
    "ads_config: {api_type: GRPC, transport_api_version: V3, grpc_services: [{envoy_grpc: {cluster_name: c}}]}";
/// A file that is there.
const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");

fn top(text: &str) -> String {
    config(Slot::Top, &format!("{NODE}{text}"))
}

/// The template with an `ads_config` and this in one place.
fn with_ads(slot: Slot, text: &str) -> String {
    format!("{}\n{NODE}dynamic_resources: {{{ADS}}}\n", config(slot, text))
}

/// A bootstrap whose clusters come from this.
fn cds(source: &str) -> String {
    top(&format!("dynamic_resources: {{cds_config: {source}}}"))
}

/// … from a control plane with this in the `ApiConfigSource`.
fn api(more: &str) -> String {
    let services =
        if more.contains("grpc_services") { "" } else { "grpc_services: [{envoy_grpc: {cluster_name: c}}]," };
    let kind = if more.contains("api_type") { "" } else { "api_type: GRPC," };
    cds(&format!("{{api_config_source: {{{kind} transport_api_version: V3, {services} {more}}}}}"))
}

fn api_of(bootstrap: &Bootstrap) -> ApiConfig {
    match &bootstrap.dynamic_resources.cds.as_ref().unwrap().kind {
        ConfigSourceKind::Grpc(api) => ApiConfig::clone(api),
        other => panic!("{other:?}"),
    }
}

#[test]
fn defaults_are_envoys() {
    let bootstrap = accepted(&top(&format!("dynamic_resources: {{{ADS}, lds_config: {{ads: {{}}}}}}")));
    let ads = bootstrap.dynamic_resources.ads.unwrap();
    assert!(!ads.delta && !ads.set_node_on_first_message_only && ads.rate_limit.is_none());
    assert_eq!((ads.back_off_base, ads.back_off_max), (Duration::from_millis(500), Duration::from_secs(30)));
    let target = EnvoyGrpc { cluster_name: "c".into(), ..EnvoyGrpc::default() };
    assert_eq!(ads.services[0].target, GrpcTarget::Envoy(target));
    assert_eq!(ads.origin.path, "dynamic_resources.ads_config");
    let lds = bootstrap.dynamic_resources.lds.unwrap();
    assert_eq!((lds.kind, lds.initial_fetch_timeout), (ConfigSourceKind::Ads, Some(Duration::from_secs(15))));
    assert_eq!(bootstrap.dynamic_resources.cds, None);
}

#[test]
fn a_control_plane_in_detail() {
    let api = api_of(&accepted(&api(
        "api_type: DELTA_GRPC, set_node_on_first_message_only: true, rate_limit_settings: {max_tokens: 3}, refresh_delay: 1s, \
         grpc_services: [{initial_metadata: [{key: a, value: b}], envoy_grpc: {cluster_name: c, authority: x, \
         retry_policy: {retry_back_off: {base_interval: 2s}}}}]",
    )));
    assert!(api.delta && api.set_node_on_first_message_only);
    assert_eq!(api.rate_limit, Some(RateLimit { max_tokens: 3, fill_rate: 10.0 }));
    assert_eq!((api.back_off_base, api.back_off_max), (Duration::from_secs(2), Duration::from_secs(20)));
    assert_eq!(api.services[0].initial_metadata, [("a".to_owned(), "b".to_owned())]);
}

#[test]
fn what_envoy_refuses_of_control_planes() {
    let services = |service: &str| api(&format!("grpc_services: [{service}]"));
    for (text, wanted) in [
        (api("api_type: AGGREGATED_GRPC"), "Unsupported config source AGGREGATED_GRPC"),
        (api("grpc_services: []"), "API configs must have either a gRPC service or a cluster name defined"),
        (api("cluster_names: [c]"), "must not have a cluster name specified"),
        (services("{envoy_grpc: {cluster_name: c}}, {envoy_grpc: {cluster_name: c}}"), "no more than 1 gRPC services"),
        (services("{envoy_grpc: {cluster_name: d}}"), "must have a statically defined non-EDS cluster: 'd'"),
        (services("{}"), "one of envoy_grpc, google_grpc is required"),
        (
            services("{envoy_grpc: {cluster_name: c}, initial_metadata: [{key: \":path\", value: b}]}"),
            ":-prefixed or host headers may not be modified",
        ),
        (
            services(
                "{envoy_grpc: {cluster_name: c, retry_policy: {retry_back_off: {base_interval: 3s, max_interval: 2s}}}}",
            ),
            "max_interval must be greater than or equal to the base_interval",
        ),
        (api("rate_limit_settings: {fill_rate: 0}"), "fill_rate: value must be greater than 0"),
        (api("transport_api_version: V2").replacen("transport_api_version: V3, ", "", 1), "it must be V3"),
        (cds("{ads: {}}"), "ADS must be configured to support an ADS config source"),
        (cds("{}"), "is required"),
        (cds("{path: /nowhere}"), "'/nowhere' does not exist"),
        (
            cds(&format!("{{path_config_source: {{path: {HERE}, watched_directory: {{path: /nowhere}}}}}}")),
            "unable to add filesystem watch for file /nowhere",
        ),
        (api("").replace(NODE, ""), "envoy.config.cluster.v3.Cluster: node 'id' and 'cluster' are required"),
        (
            top(&format!("dynamic_resources: {{{}}}", ADS.replace("GRPC", "AGGREGATED_GRPC"))),
            "type must be of non-aggregated gRPC",
        ),
        (
            top(&format!("dynamic_resources: {{{}}}", ADS.replace("cluster_name: c", "cluster_name: d"))),
            "Unknown gRPC client cluster 'd'",
        ),
    ] {
        refused(&text, wanted);
    }
}

/// Envoy has these.
#[test]
fn what_is_not_implemented_says_why() {
    for (text, wanted) in [
        (api("api_type: REST"), "REST is not implemented: resources come by gRPC or from files"),
        (
            api("grpc_services: [{google_grpc: {target_uri: a, stat_prefix: b}}]"),
            "google_grpc is not implemented: there is no other gRPC client",
        ),
        (api("config_validators: [{name: a}]"), "config_validators is not implemented: "),
        (cds("{self: {}}"), "self is not implemented: "),
        (
            top("dynamic_resources: {cds_resources_locator: \"xdstp://a/b\"}"),
            "cds_resources_locator is not implemented: names of the form xdstp: are not known",
        ),
        (with_ads(Slot::RouteConfig, "vhds: {config_source: {ads: {}}}"), "vhds is not implemented: "),
        (
            rds(
                "scoped_routes: {name: a, scope_key_builder: {fragments: [{header_value_extractor: {name: a, index: 0}}]}, scoped_rds: {scoped_rds_config_source: {ads: {}}}}",
            ),
            "scoped_routes is not implemented: ",
        ),
        (
            rds("rds: {route_config_name: \"xdstp://a/b\", config_source: {ads: {}}}"),
            "xdstp://a/b is not implemented: ",
        ),
        (
            with_ads(
                Slot::Listener,
                "listener_filters: [{name: a, config_discovery: {config_source: {ads: {}}, type_urls: [a]}}]",
            ),
            "config_discovery is not implemented: it is for HTTP filters",
        ),
    ] {
        let findings = refused(&text, wanted);
        assert!(findings.items().iter().all(|finding| !finding.origin.path.is_empty()), "{findings}");
    }
}

/// The template with this for its routes, and an `ads_config`.
fn rds(routes: &str) -> String {
    let text = with_ads(Slot::Top, "");
    let start = text.find("          route_config:").unwrap();
    let end = text.find("          http_filters:").unwrap();
    format!("{}          {routes}\n{}", &text[..start], &text[end..])
}

#[test]
fn routes_and_runtime_and_secrets() {
    let bootstrap = accepted(&rds("rds: {route_config_name: r, config_source: {ads: {}, initial_fetch_timeout: 0s}}"));
    let manager = bootstrap.listeners[0].filter_chains[0].http_connection_manager().unwrap();
    let rds = manager.rds.as_ref().unwrap();
    assert_eq!((rds.route_config_name.as_str(), rds.source.initial_fetch_timeout), ("r", None));
    assert!(manager.route_config.virtual_hosts.is_empty());
    let layers = "layered_runtime: {layers: [{name: a, rtds_layer: {name: x, rtds_config: {ads: {}}}}]}";
    let bootstrap = accepted(&with_ads(Slot::Top, layers));
    assert!(matches!(&bootstrap.layered_runtime.layers[0].kind, RuntimeLayerKind::Rtds { name, .. } if name == "x"));
    let tls = "transport_socket: {name: t, typed_config: {\"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext, common_tls_context: {tls_certificate_sds_secret_configs: [{name: s, sds_config: {ads: {}}}]}}}";
    let bootstrap = accepted(&with_ads(Slot::Cluster, tls));
    let common = &bootstrap.clusters[0].tls.as_ref().unwrap().common;
    assert!(matches!(&common.certificates[..], [SecretSource::Dynamic { name, .. }] if name == "s"));
}

/// Others may be asked by clusters whose endpoints come from files, and by no others that come from somewhere.
#[test]
fn endpoints() {
    let eds = |source: &str| {
        let text = with_ads(Slot::Cluster, &format!("eds_cluster_config: {{service_name: s, eds_config: {source}}}"));
        let text = text.replacen("type: STATIC", "type: EDS", 1);
        text.lines().filter(|line| !line.contains("load_assignment")).collect::<Vec<_>>().join("\n")
    };
    let bootstrap = accepted(&eds(&format!("{{path_config_source: {{path: {HERE}}}}}")));
    let Discovery::Eds(config) = &bootstrap.clusters[0].discovery else { panic!() };
    assert_eq!(config.service_name, "s");
    let path = ConfigSourceKind::Path { path: HERE.into(), watched_directory: None };
    assert_eq!(config.source.kind, path);
    refused(&eds("{ads: {}}"), "Unknown gRPC client cluster 'c'");
    refused(&changed("type: STATIC", "type: EDS"), "cannot create an EDS cluster without an EDS config");
    let both = with_ads(Slot::Cluster, "eds_cluster_config: {eds_config: {ads: {}}}");
    refused(&both, "eds_cluster_config set in a non-EDS cluster");
}

/// That a cluster may come later is no reason for a static route to name it (as in Envoy).
#[test]
fn static_routes_lead_to_static_clusters() {
    let more = format!("{NODE}dynamic_resources: {{{ADS}, cds_config: {{ads: {{}}}}}}");
    let text = config(Slot::Top, &more).replace("route: {cluster: c}", "route: {cluster: d}");
    refused(&text, "unknown cluster 'd'");
    accepted(&text.replace("            name: r\n", "            name: r\n            validate_clusters: false\n"));
}

#[test]
fn filters_that_are_told_later() {
    const TYPE: &str = "envoy.extensions.filters.http.set_metadata.v3.Config";
    let filter = |more: &str| with_ads(Slot::Filters, &format!("- name: f\n  config_discovery: {{{more}}}"));
    let bootstrap = accepted(&filter(&format!(
        "config_source: {{ads: {{}}}}, type_urls: [type.googleapis.com/{TYPE}], apply_default_config_without_warming: true, \
         default_config: {{\"@type\": type.googleapis.com/{TYPE}}}"
    )));
    let manager = bootstrap.listeners[0].filter_chains[0].http_connection_manager().unwrap();
    let HttpFilterKind::Discovered(discovery) = &manager.http_filters[0].kind else { panic!() };
    assert!(!discovery.is_last && discovery.apply_default_without_warming);
    assert!(matches!(discovery.default.as_deref(), Some(DiscoveredKind::Http(HttpFilterKind::SetMetadata(_)))));
    assert_eq!(discovery.type_urls, [TYPE]);
    for (text, wanted) in [
        ("config_source: {ads: {}}".to_owned(), "type_urls: value must contain at least 1 item(s)"),
        (format!("type_urls: [{TYPE}]"), "config_source: value is required"),
        ("config_source: {ads: {}}, type_urls: [a.b.C]".to_owned(), "no factory found for a required type URL a.b.C"),
        (
            format!("config_source: {{ads: {{}}}}, type_urls: [{TYPE}], apply_default_config_without_warming: true"),
            "filter config f applied without warming but has no default config.",
        ),
        (
            format!(
                "config_source: {{ads: {{}}}}, type_urls: [{TYPE}], default_config: {{\"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}"
            ),
            "filter config has type URL envoy.extensions.filters.http.router.v3.Router but expect",
        ),
    ] {
        refused(&filter(&text), wanted);
    }
}

#[test]
fn network_filters_that_are_told_later() {
    const ECHO: &str = "envoy.extensions.filters.network.echo.v3.Echo";
    const SNI_CLUSTER: &str = "envoy.extensions.filters.network.sni_cluster.v3.SniCluster";
    let filter = |more: &str| {
        let filter =
            format!("- name: f\n        config_discovery: {{config_source: {{ads: {{}}}}, {more}}}\n      - name: hcm");
        with_ads(Slot::Top, "").replace("- name: hcm", &filter)
    };
    let bootstrap = accepted(&filter(&format!(
        "type_urls: [type.googleapis.com/{SNI_CLUSTER}], default_config: {{\"@type\": type.googleapis.com/{SNI_CLUSTER}}}"
    )));
    let NetworkFilterKind::Discovered(discovery) = &bootstrap.listeners[0].filter_chains[0].network_filters[0].kind
    else {
        panic!()
    };
    assert!(!discovery.is_last);
    let default = discovery.default.as_deref();
    assert!(matches!(default, Some(DiscoveredKind::Network(NetworkFilterKind::SniCluster))));
    let of_http = "envoy.extensions.filters.http.set_metadata.v3.Config";
    let manager = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
    for (text, wanted) in [
        (format!("type_urls: [{of_http}]"), "there is no such network filter here"),
        (format!("type_urls: [{manager}]"), "config_discovery is not implemented for filters that end a chain with a"),
        (
            format!("type_urls: [{SNI_CLUSTER}], default_config: {{\"@type\": type.googleapis.com/{ECHO}}}"),
            "filter config has type URL envoy.extensions.filters.network.echo.v3.Echo but expect",
        ),
    ] {
        refused(&filter(&text), wanted);
    }
}
