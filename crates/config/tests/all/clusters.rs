//! Clusters.

use std::time::Duration;

use sandgate_config::model::{
    Discovery, DnsLookupFamily, EndpointAddress, HealthStatus, RetryBudget, RoutingPriority, TcpKeepalive, Thresholds,
    UpstreamSocket,
};

use crate::support::{Slot, accepted, changed, config, load, refused, table};

const OK: Option<&str> = None;
const ASSIGNMENT: &str = "load_assignment: {cluster_name: c, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 1}}}}]}]}";

/// The cluster with another type and another assignment.
fn endpoints(discovery: &str, assignment: &str) -> String {
    changed("type: STATIC", &format!("type: {discovery}")).replace(ASSIGNMENT, assignment)
}

#[test]
fn types_and_addresses() {
    let host = ASSIGNMENT.replace("127.0.0.1", "example.test");
    let two = ASSIGNMENT.replace(
        "lb_endpoints: [",
        "lb_endpoints: [{endpoint: {address: {socket_address: {address: a, port_value: 2}}}}, ",
    );
    let none = "load_assignment: {cluster_name: c}";
    let one_host = "must have a single locality_lb_endpoint and a single lb_endpoint";
    for (discovery, assignment, wanted) in [
        ("STATIC", ASSIGNMENT, OK),
        ("STATIC", none, OK),
        ("STATIC", "alt_stat_name: x", OK),
        ("STATIC", &host, Some("malformed IP address: example.test")),
        ("STRICT_DNS", ASSIGNMENT, OK),
        ("strict_dns", &host, OK),
        ("STRICT_DNS", &two, OK),
        ("STRICT_DNS", none, OK),
        ("LOGICAL_DNS", ASSIGNMENT, OK),
        ("LOGICAL_DNS", &host, OK),
        ("LOGICAL_DNS", &two, Some(one_host)),
        ("LOGICAL_DNS", none, Some(one_host)),
        ("LOGICAL_DNS", "alt_stat_name: x", Some(one_host)),
        ("EDS", ASSIGNMENT, Some("cannot create an EDS cluster without an EDS config")),
        ("ORIGINAL_DST", ASSIGNMENT, Some("clusters of type ORIGINAL_DST are not implemented")),
        ("5", ASSIGNMENT, Some("one of the defined enum values")),
    ] {
        let text = endpoints(discovery, assignment);
        match wanted {
            None => drop(accepted(&text)),
            Some(wanted) => drop(refused(&text, wanted)),
        }
    }
    let bootstrap = accepted(&endpoints("strict_dns", &host));
    let cluster = &bootstrap.clusters[0];
    assert!(matches!(cluster.discovery, Discovery::StrictDns(_)));
    let endpoint = &cluster.localities[0].endpoints[0];
    assert_eq!(endpoint.address, EndpointAddress::Name { host: "example.test".to_owned(), port: 1 });
    assert_eq!(
        (endpoint.hostname.as_str(), endpoint.weight, endpoint.health_status),
        ("example.test", 1, HealthStatus::Unknown)
    );
    accepted(&changed("    type: STATIC\n", ""));
}

#[test]
fn endpoint_fields() {
    let with = |from: &str, to: &str| endpoints("STATIC", &ASSIGNMENT.replacen(from, to, 1));
    for (from, to, wanted) in [
        ("cluster_name: c, ", "", Some("cluster_name: value length must be at least 1 characters")),
        ("cluster_name: c", "cluster_name: d", OK),
        ("address: {socket_address: {address: 127.0.0.1, port_value: 1}}", "hostname: x", Some("address must be set")),
        (
            "endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 1}}}",
            "health_status: HEALTHY",
            Some("endpoint must be set"),
        ),
        ("127.0.0.1", "\"\"", Some("at least 1 characters")),
        (", port_value: 1", "", Some("one of port_value")),
        ("port_value: 1", "port_value: 0", OK),
        ("endpoint:", "load_balancing_weight: 0, endpoint:", Some("greater than or equal to 1")),
        ("endpoint:", "load_balancing_weight: 2, health_status: DRAINING, endpoint:", OK),
        ("{lb_endpoints", "{priority: 1, lb_endpoints", OK),
        ("{lb_endpoints", "{priority: 129, lb_endpoints", Some("less than or equal to 128")),
        ("{lb_endpoints", "{load_balancing_weight: 0, lb_endpoints", Some("greater than or equal to 1")),
        ("{lb_endpoints", "{priority: 0, locality: {region: r}, lb_endpoints", OK),
    ] {
        let text = with(from, to);
        match wanted {
            None => drop(accepted(&text)),
            Some(wanted) => drop(refused(&text, wanted)),
        }
    }
    let cluster =
        accepted(&with("endpoint:", "load_balancing_weight: 2, health_status: DRAINING, endpoint:")).clusters.remove(0);
    let endpoint = &cluster.localities[0].endpoints[0];
    assert_eq!((endpoint.weight, endpoint.health_status), (2, HealthStatus::Draining));
}

#[test]
fn rules() {
    table(
        Slot::Cluster,
        &[
            ("connect_timeout: 0s", Some("greater than 0s")),
            ("connect_timeout: 0.0001s", OK),
            ("lb_policy: 4", Some("one of the defined enum values")),
            ("lb_policy: CLUSTER_PROVIDED", Some("provides no load balancing policy")),
            ("lb_policy: LOAD_BALANCING_POLICY_CONFIG", Some("field load_balancing_policy need to be set")),
            ("dns_refresh_rate: 0s", Some("greater than 0.001s")),
            ("dns_refresh_rate: 0.001s", Some("greater than 0.001s")),
            ("dns_refresh_rate: 0.002s", OK),
            ("dns_failure_refresh_rate: {base_interval: 5s, max_interval: 3s}", OK),
            ("dns_failure_refresh_rate: {max_interval: 3s}", Some("base_interval: value is required")),
            ("alt_stat_name: 'x:y'", OK),
            ("max_requests_per_connection: 0", OK),
        ],
    );
    refused(&changed("- name: c\n", "- name: \"\"\n"), "name: value length must be at least 1 characters");
    refused(&changed("  clusters:", "  clusters:\n  - {name: c, type: STATIC}"), "duplicate cluster 'c'");
}

#[test]
fn dns_options() {
    let text = "dns_refresh_rate: 7s\ndns_lookup_family: V4_PREFERRED\ndns_failure_refresh_rate: {base_interval: 1s, max_interval: 3s}";
    let text = config(Slot::Cluster, text).replace("type: STATIC", "type: STRICT_DNS");
    let loaded = load(&text).unwrap();
    let Discovery::StrictDns(dns) = &loaded.bootstrap.clusters[0].discovery else { panic!("not DNS") };
    assert_eq!((dns.refresh_rate, dns.lookup_family), (Duration::from_secs(7), DnsLookupFamily::V4Preferred));
    assert_eq!(dns.failure_refresh_rate, Some((Duration::from_secs(1), Duration::from_secs(3))));
    let warnings = loaded.warnings.to_string();
    assert!(
        warnings.contains("using deprecated option 'envoy.config.cluster.v3.Cluster.dns_refresh_rate'"),
        "{warnings}"
    );
}

#[test]
fn protocol_options() {
    let options = |content: &str| {
        let name = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
        format!("typed_extension_protocol_options: {{{name}: {{\"@type\": type.googleapis.com/{name}{content}}}}}")
    };
    let codec = "{name: c, typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec}}";
    let mutation = "{name: c, typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation}}";
    let http1 = ", explicit_http_config: {http_protocol_options: {enable_trailers: true}}, common_http_protocol_options: {idle_timeout: 7s}";
    for (content, wanted) in [
        ("", Some("one of explicit_http_config, use_downstream_protocol_config, auto_config is required")),
        (", explicit_http_config: {}", Some("one of http_protocol_options")),
        (", explicit_http_config: {http2_protocol_options: {max_concurrent_streams: 7}}", OK),
        (
            ", explicit_http_config: {http2_protocol_options: {max_concurrent_streams: 0}}",
            Some("max_concurrent_streams"),
        ),
        (", auto_config: {}", Some("ALPN")),
        (", use_downstream_protocol_config: {}", OK),
        (http1, OK),
        (&format!("{http1}, http_filters: [{codec}]"), OK),
        (&format!("{http1}, http_filters: [{mutation}, {codec}]"), Some("upstream HTTP filter \"c\"")),
        (
            &format!("{http1}, http_filters: [{codec}, {codec}]"),
            Some("must be the last filter in an upstream filter chain"),
        ),
        (&format!("{http1}, http_filters: [{mutation}]"), Some("the only valid terminal upstream HTTP filter")),
    ] {
        let text = config(Slot::Cluster, &options(content));
        match wanted {
            None => drop(accepted(&text)),
            Some(wanted) => drop(refused(&text, wanted)),
        }
    }
    let http = accepted(&config(Slot::Cluster, &format!("{}\nmax_requests_per_connection: 5", options(http1))))
        .clusters
        .remove(0)
        .http;
    assert!(http.http1.enable_trailers);
    assert_eq!((http.idle_timeout, http.max_requests_per_connection), (Some(Duration::from_secs(7)), Some(5)));
    let legacy = "http_protocol_options: {enable_trailers: true}\ncommon_http_protocol_options: {idle_timeout: 0s, max_requests_per_connection: 3}\nmax_requests_per_connection: 5";
    let http = accepted(&config(Slot::Cluster, legacy)).clusters.remove(0).http;
    assert!(http.http1.enable_trailers);
    assert_eq!((http.idle_timeout, http.max_requests_per_connection), (None, Some(3)));
    refused(
        &config(Slot::Cluster, &options(http1).replace("{envoy.ext", "{foo.ext")),
        "protocol options \"foo.extensions",
    );
}

#[test]
fn circuit_breakers() {
    let breakers = |text: &str| format!("circuit_breakers: {{{text}}}");
    let per_host = "per_host_thresholds: [{max_connections: 3}]";
    table(
        Slot::Cluster,
        &[
            (&breakers("thresholds: [{max_connections: 1, max_requests: 0, track_remaining: true}]"), OK),
            (&breakers("thresholds: [{priority: 2}]"), Some("one of the defined enum values")),
            (&breakers(per_host), OK),
            (&breakers("per_host_thresholds: [{max_requests: 3}]"), Some("Unsupported field in per_host_thresholds")),
            (&breakers("thresholds: [{retry_budget: {budget_percent: {value: 101}}}]"), Some("inside range [0, 100]")),
            (
                &breakers("thresholds: [{retry_budget: {budget_interval: 1s}}]"),
                Some("budget_interval is not implemented"),
            ),
        ],
    );
    let text = "thresholds: [{max_connections: 1}, {max_connections: 2, max_retries: 9}, {priority: HIGH, retry_budget: {}}], per_host_thresholds: [{max_connections: 3}]";
    let found = accepted(&config(Slot::Cluster, &breakers(text))).clusters.remove(0).circuit_breakers;
    let defaults = Thresholds::default();
    assert_eq!(found.default, Thresholds { max_connections: 1, ..defaults.clone() });
    let budget = RetryBudget { percent: 20.0, min_retry_concurrency: 3 };
    assert_eq!(found.high, Thresholds { retry_budget: Some(budget), ..defaults });
    assert_eq!((found.per_host(RoutingPriority::Default), found.per_host(RoutingPriority::High)), (Some(3), None));
}

#[test]
fn sockets() {
    table(
        Slot::Cluster,
        &[
            ("upstream_connection_options: {tcp_keepalive: {keepalive_time: 7}}", OK),
            (
                "upstream_connection_options: {set_local_interface_name_on_upstream_connections: true}",
                Some("set_local_interface_name_on_upstream_connections is not implemented"),
            ),
            ("upstream_bind_config: {source_address: {address: 127.0.0.2, port_value: 0}}", OK),
            ("upstream_bind_config: {source_address: {address: x.test, port_value: 0}}", Some("malformed IP address")),
            (
                "upstream_bind_config: {source_address: {address: 127.0.0.2, port_value: 0}, freebind: true}",
                Some("freebind is not implemented"),
            ),
        ],
    );
    let socket = |text: &str| accepted(&config(Slot::Cluster, text)).clusters.remove(0).socket;
    assert!(socket("").is_default());
    assert!(socket("upstream_connection_options: {tcp_keepalive: {keepalive_probes: 0}}").is_default());
    let text = "upstream_connection_options: {tcp_keepalive: {keepalive_time: 7}}\nupstream_bind_config: {source_address: {address: \"::1\", port_value: 9}}";
    let keepalive = TcpKeepalive { time: Some(Duration::from_secs(7)), ..TcpKeepalive::default() };
    let wanted = UpstreamSocket { keepalive: Some(keepalive), source_address: "[::1]:9".parse().ok() };
    assert_eq!(socket(text), wanted);
}

#[test]
fn names_for_tls_come_from_requests() {
    let tls = "transport_socket: {name: tls, typed_config: {\"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext, sni: a.example, common_tls_context: {}}}";
    let options = |own: &str| {
        let name = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
        format!("typed_extension_protocol_options: {{{name}: {{\"@type\": type.googleapis.com/{name}, {own}}}}}")
    };
    let names = options(
        "explicit_http_config: {http_protocol_options: {}}, upstream_http_protocol_options: {auto_sni: true, auto_san_validation: true, override_auto_sni_header: X-Host}",
    );
    let cluster = accepted(&config(Slot::Cluster, &format!("{tls}\n{names}"))).clusters.remove(0);
    assert_eq!(cluster.tls.as_ref().map(|tls| &*tls.sni), Some("a.example"));
    let names = &cluster.http.tls_names;
    assert!(names.auto_sni && names.auto_san_validation);
    assert_eq!(names.override_auto_sni_header, "x-host");
    let auto = options("auto_config: {}");
    accepted(&config(Slot::Cluster, &format!("{tls}\n{auto}")));
    refused(&config(Slot::Cluster, &auto), "non-ALPN transport socket");
}

/// The second listener of Envoy's Wasm sandbox leads to such a cluster.
#[test]
fn upstream_filters() {
    let options = r#"typed_extension_protocol_options:
  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
    "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
    explicit_http_config: {http_protocol_options: {}}
    http_filters:
    - name: envoy.filters.http.wasm
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
        config:
          name: my_plugin
          root_id: my_root_id
          vm_config: {vm_id: my_vm_id, code: {local: {inline_string: x}}}
    - name: envoy.filters.http.upstream_codec
      typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec}"#;
    let filters = accepted(&config(Slot::Cluster, options)).clusters.remove(0).http.http_filters;
    // The codec is what every chain ends with.
    let [filter] = filters.as_slice() else { panic!("{filters:?}") };
    assert_eq!(filter.wasm().unwrap().name, "my_plugin");
    assert!(!filter.disabled);
}
