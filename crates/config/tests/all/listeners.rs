//! Listeners, filter chains and HTTP filters.

use sandgate_config::{
    Severity,
    model::{HttpFilterKind, TerminalFilter, TrafficDirection},
};

use crate::support::{Slot, accepted, changed, config, load, refused, table};

const ADDRESS: &str = "{socket_address: {address: 127.0.0.1, port_value: 0}}";
const OK: Option<&str> = None;

/// The template with more listeners before the first one, in the place of `<…>`.
fn listener_again(name: &str, port: u16) -> String {
    let text = config(Slot::Top, "");
    let start = text.find("  - name: l1").unwrap();
    let end = text.find("  clusters:").unwrap();
    let first = &text[start..end];
    let second =
        first.replace("name: l1", &format!("name: {name}")).replace("port_value: 0", &format!("port_value: {port}"));
    format!("{}{}{}{}", &text[..start], first.replace("port_value: 0", "port_value: 45671"), second, &text[end..])
}

#[test]
fn addresses() {
    for (address, wanted) in [
        ("{socket_address: {address: \"::1\", port_value: 0}}", OK),
        ("{socket_address: {address: \"::\", port_value: 0, ipv4_compat: true}}", OK),
        ("{socket_address: {address: 0.0.0.0, port_value: 65535, protocol: tcp}}", OK),
        ("{socket_address: {address: localhost, port_value: 0}}", Some("malformed IP address: localhost")),
        ("{socket_address: {address: 300.1.1.1, port_value: 0}}", Some("malformed IP address")),
        ("{socket_address: {address: 127.0.0.010, port_value: 0}}", Some("malformed IP address")),
        ("{socket_address: {address: \"127.1\", port_value: 0}}", Some("malformed IP address")),
        ("{socket_address: {address: \"[::1]\", port_value: 0}}", Some("malformed IP address")),
        ("{socket_address: {address: \"\", port_value: 0}}", Some("at least 1 characters")),
        ("{socket_address: {address: 127.0.0.1}}", Some("one of port_value, named_port is required")),
        ("{socket_address: {address: 127.0.0.1, port_value: 65536}}", Some("less than or equal to 65535")),
        ("{socket_address: {address: 127.0.0.1, named_port: http}}", Some("named_port is not implemented")),
        (
            "{socket_address: {address: 127.0.0.1, port_value: 0, resolver_name: x}}",
            Some("resolver_name is not implemented"),
        ),
        ("{socket_address: {address: 127.0.0.1, port_value: 0, protocol: UDP}}", Some("only TCP")),
        ("{socket_address: {address: 0.0.0.0, port_value: 0, ipv4_compat: true}}", Some("can set ipv4_compat")),
        ("{socket_address: {address: \"::1\", port_value: 0, ipv4_compat: true}}", Some("can set ipv4_compat")),
        ("{}", Some("one of socket_address, pipe")),
    ] {
        let text = changed(ADDRESS, address);
        match wanted {
            None => drop(accepted(&text)),
            Some(wanted) => drop(refused(&text, wanted)),
        }
    }
    let bootstrap =
        accepted(&changed(ADDRESS, "{socket_address: {address: \"::\", port_value: 80, ipv4_compat: true}}"));
    assert_eq!(
        (bootstrap.listeners[0].address, bootstrap.listeners[0].ipv4_compat),
        ("[::]:80".parse().unwrap(), true)
    );
    let findings = refused(&changed(&format!("    address: {ADDRESS}\n"), ""), "address is required");
    assert_eq!(findings.items()[0].origin.path, "static_resources.listeners[0]");
}

#[test]
fn names_and_addresses_of_several() {
    assert_eq!(accepted(&listener_again("l2", 45672)).listeners.len(), 2);
    // Envoy takes the second for an update of the first.
    let loaded = load(&listener_again("l1", 45672)).unwrap();
    assert_eq!(loaded.bootstrap.listeners.len(), 1);
    assert_eq!(loaded.bootstrap.listeners[0].address.port(), 45672);
    assert!(loaded.warnings.to_string().contains("'l1' replaces the one of the same name"), "{}", loaded.warnings);
    refused(&listener_again("l2", 45671), "'l2' has the address 127.0.0.1:45671 as 'l1' has");
    let unnamed = accepted(&listener_again("\"\"", 0).replace("- name: l1", "- name: \"\""));
    assert_eq!(unnamed.listeners.len(), 2);
    assert_ne!(unnamed.listeners[0].name, unnamed.listeners[1].name);
    assert!(accepted("static_resources: {listeners: []}").listeners.is_empty());
}

#[test]
fn filter_chains() {
    refused(
        &format!("static_resources: {{listeners: [{{name: a, address: {ADDRESS}}}]}}"),
        "no filter chains specified",
    );
    let text = config(Slot::Top, "");
    let chain = &text[text.find("    - filters:").unwrap()..text.find("  clusters:").unwrap()];
    let again =
        text.replace(chain, &format!("{chain}{}", chain.replace("    - filters:", "    - name: b\n      filters:")));
    let findings = refused(&again, "filter chain 'b' has the same matching rules defined as ''");
    assert!(findings.items()[0].origin.path.ends_with("filter_chains[1]"));
    let default = accepted(&changed("filter_chains:\n    - filters:", "default_filter_chain:\n      filters:"));
    assert_eq!(default.listeners[0].filter_chains.len(), 1);
    let named = accepted(&changed("    - filters:", "    - name: x\n      filter_chain_match: {}\n      filters:"));
    assert_eq!(named.listeners[0].filter_chains[0].name, "x");
    assert!(
        matches!(&named.listeners[0].filter_chains[0].terminal, TerminalFilter::Http { name, .. } if name == "hcm")
    );
}

#[test]
fn filter_chain_matches() {
    let with =
        |criteria: &str| changed("    - filters:", &format!("    - filter_chain_match: {criteria}\n      filters:"));
    for (criteria, wanted) in [
        ("{destination_port: 80, source_ports: [1, 2], source_type: EXTERNAL}", OK),
        ("{server_names: [a, \"*.b\"], transport_protocol: tls, application_protocols: [h2]}", OK),
        (
            "{prefix_ranges: [{address_prefix: 10.0.0.0, prefix_len: 40}], source_prefix_ranges: [{address_prefix: \"::\"}]}",
            OK,
        ),
        ("{destination_port: 0}", Some("inside range [1, 65535]")),
        ("{source_ports: [0]}", Some("inside range [1, 65535]")),
        ("{source_type: 7}", Some("source_type")),
        ("{prefix_ranges: [{address_prefix: x}]}", Some("malformed IP address: x")),
        ("{server_names: [\"*\"]}", Some("partial wildcards are not supported in \"server_names\"")),
        ("{server_names: [\"a*\"]}", Some("partial wildcards")),
        ("{server_names: [a, A]}", Some("multiple filter chains with overlapping matching rules are defined")),
        ("{suffix_len: 3}", Some("suffix_len is not implemented")),
    ] {
        match wanted {
            None => drop(accepted(&with(criteria))),
            Some(wanted) => drop(refused(&with(criteria), wanted)),
        }
    }
    let text = config(Slot::Top, "");
    let chain = &text[text.find("    - filters:").unwrap()..text.find("  clusters:").unwrap()];
    let default = chain.replace("    - filters:", "    default_filter_chain:\n      filters:");
    let first = chain.replace("    - filters:", "    - filter_chain_match: {destination_port: 80}\n      filters:");
    let listener = &accepted(&text.replace(chain, &format!("{first}{default}"))).listeners[0];
    assert_eq!((listener.filter_chains.len(), listener.default_filter_chain), (2, Some(1)));
    assert_eq!(listener.filter_chains[0].filter_chain_match.destination_port, Some(80));
}

#[test]
fn listener_filters() {
    let filter = |name: &str, fields: &str| {
        let base = "type.googleapis.com/envoy.extensions.filters.listener";
        config(
            Slot::Listener,
            &format!("listener_filters: [{{name: x, typed_config: {{\"@type\": {base}.{name}{fields}}}}}]"),
        )
    };
    for (name, fields, wanted) in [
        ("tls_inspector.v3.TlsInspector", ", initial_read_buffer_size: 300", OK),
        ("tls_inspector.v3.TlsInspector", ", max_client_hello_size: 16385", Some("inside range (255, 16384]")),
        ("tls_inspector.v3.TlsInspector", ", enable_ja3_fingerprinting: false", OK),
        (
            "tls_inspector.v3.TlsInspector",
            ", enable_ja3_fingerprinting: true",
            Some("enable_ja3_fingerprinting is not implemented"),
        ),
        ("http_inspector.v3.HttpInspector", "", OK),
        ("original_dst.v3.OriginalDst", "", OK),
        ("proxy_protocol.v3.ProxyProtocol", ", rules: [{tlv_type: 2}]", OK),
        ("proxy_protocol.v3.ProxyProtocol", ", rules: [{tlv_type: 256}]", Some("less than 256")),
        (
            "proxy_protocol.v3.ProxyProtocol",
            ", rules: [{tlv_type: 2, on_tlv_present: {}}]",
            Some("at least 1 characters"),
        ),
        (
            "proxy_protocol.v3.ProxyProtocol",
            ", disallowed_versions: [V1, V2]",
            Some("all proxy protocol versions are disallowed"),
        ),
        ("proxy_protocol.v3.ProxyProtocol", ", pass_through_tlvs: {}", Some("pass_through_tlvs is not implemented")),
        ("local_ratelimit.v3.LocalRateLimit", "", Some("LocalRateLimit) is not implemented")),
    ] {
        match wanted {
            None => drop(accepted(&filter(name, fields))),
            Some(wanted) => drop(refused(&filter(name, fields), wanted)),
        }
    }
    table(
        Slot::Listener,
        &[
            ("listener_filters: [{name: envoy.filters.listener.tls_inspector}]", Some("has no typed_config")),
            ("listener_filters_timeout: 0s\ncontinue_on_listener_filters_timeout: true", OK),
        ],
    );
    let text = filter("http_inspector.v3.HttpInspector", "").replace(
        "{name: x,",
        "{name: x, filter_disabled: {or_match: {rules: [{destination_port_range: {start: 1, end: 3}}, {not_match: {any_match: true}}]}},",
    );
    let listener = &accepted(&text).listeners[0];
    let disabled = listener.listener_filters[0].filter_disabled.as_ref().unwrap();
    assert_eq!([0, 1, 2, 3].map(|port| disabled.matches(port)), [false, true, true, false]);
    assert_eq!(listener.listener_filters_timeout, Some(std::time::Duration::from_secs(15)));
    refused(&text.replace("{any_match: true}", "{any_match: false}"), "any_match: value must equal true");
}

#[test]
fn transport_sockets() {
    let with = |socket: &str| changed("    - filters:", &format!("    - transport_socket: {socket}\n      filters:"));
    let raw = "type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer";
    accepted(&with(&format!("{{name: x, typed_config: {{\"@type\": {raw}}}}}")));
    refused(&with("{name: envoy.transport_sockets.raw_buffer}"), "has no typed_config");
    let other = "type.googleapis.com/envoy.extensions.transport_sockets.alts.v3.Alts";
    refused(&with(&format!("{{name: x, typed_config: {{\"@type\": {other}}}}}")), "v3.Alts) is not implemented");
}

#[test]
fn the_connection_manager_is_the_last_network_filter() {
    let text = config(Slot::Top, "");
    let filter = &text[text.find("      - name: hcm").unwrap()..text.find("  clusters:").unwrap()];
    refused(&text.replace(filter, &format!("{filter}{filter}")), "must be the last filter in a network filter chain");
    let tcp = "      - name: tcp\n        typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: x, cluster: c}\n";
    refused(&text.replace(filter, &format!("{tcp}{filter}")), "terminal filter named tcp must be the last filter");
    let wasm = "      - name: w\n        typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.network.wasm.v3.Wasm, config: {vm_config: {code: {local: {inline_string: x}}}}}\n";
    refused(&text.replace(filter, wasm), "non-terminal filter named w is the last filter in a network filter chain");
    let other = "      - name: ssh\n        typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.network.mongo_proxy.v3.MongoProxy, stat_prefix: x}\n";
    refused(&text.replace(filter, &format!("{other}{filter}")), "MongoProxy) is not implemented");
}

#[test]
fn the_router_is_the_last_http_filter_and_only_that() {
    let router = "{\"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}";
    refused(
        &config(Slot::Filters, &format!("- name: r2\n  typed_config: {router}")),
        "terminal filter named r2 must be the last",
    );
    refused(&changed("- name: router", "- name: router\n            disabled: true"), "cannot be disabled by default");
    refused(&changed("- name: router", "- name: \"\""), "value length must be at least 1 characters");
    let wasm = "\"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm, config: {vm_config: {code: {local: {inline_string: x}}}}";
    let last = changed("\"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router", wasm);
    refused(&last, "non-terminal filter named router is the last filter");
    let filters =
        format!("- name: a\n  disabled: true\n  typed_config: {{{wasm}}}\n- name: a\n  typed_config: {{{wasm}}}");
    let bootstrap = accepted(&config(Slot::Filters, &filters));
    let filters = &bootstrap.listeners[0].filter_chains[0].http_connection_manager().unwrap().http_filters;
    assert_eq!(filters.iter().map(|filter| filter.disabled).collect::<Vec<_>>(), [true, false, false]);
    assert!(matches!(filters[2].kind, HttpFilterKind::Router(_)));
}

#[test]
fn rules_of_the_connection_manager() {
    table(
        Slot::Manager,
        &[
            ("max_request_headers_kb: 8193", Some("inside range (0, 8192]")),
            ("max_request_headers_kb: 0", Some("inside range (0, 8192]")),
            ("common_http_protocol_options: {max_headers_count: 0}", Some("greater than or equal to 1")),
            (
                "common_http_protocol_options: {max_response_headers_kb: 100}",
                Some("cannot be set on http_connection_manager"),
            ),
            ("common_http_protocol_options: {max_requests_per_connection: 0, idle_timeout: 0s}", OK),
            ("server_name: \"a\\r\"", Some("not a header value")),
            ("codec_type: HTTP3", Some("HTTP/3 codec configured on non-QUIC listener")),
            ("http_protocol_options: {accept_http_10: true, default_host_for_http_10: x}", OK),
            ("use_remote_address: true\nskip_xff_append: true\nxff_num_trusted_hops: 1", OK),
        ],
    );
    refused(&changed("          stat_prefix: p\n", ""), "stat_prefix: value length must be at least 1 characters");
    let text = config(Slot::Top, "");
    let routes = &text[text.find("          route_config:").unwrap()..text.find("          http_filters:").unwrap()];
    refused(&text.replace(routes, ""), "one of rds, route_config, scoped_routes is required");
}

#[test]
fn listener_fields_reach_the_model() {
    let text = "stat_prefix: x y\ntraffic_direction: inbound\nenable_reuse_port: false\nper_connection_buffer_limit_bytes: 0\ntcp_backlog_size: 7\nmetadata: {filter_metadata: {a: {b: y, c: 5000000000, d: 1.5}}}";
    let loaded = load(&config(Slot::Listener, text)).unwrap();
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    let listener = &loaded.bootstrap.listeners[0];
    assert_eq!(listener.stat_prefix, "x y");
    assert_eq!(listener.traffic_direction, TrafficDirection::Inbound);
    assert!(!listener.enable_reuse_port);
    assert_eq!((listener.per_connection_buffer_limit_bytes, listener.tcp_backlog_size), (0, Some(7)));
    let metadata = listener.metadata.as_ref().unwrap();
    // filter_metadata { key: "a" value { fields { key: "b" value { bool_value: true } } … } }, keys in order.
    assert_eq!(&metadata[..4], &[0x0a, u8::try_from(metadata.len() - 2).unwrap(), 0x0a, 1]);
    assert!(metadata.windows(5).any(|window| window == [b'b', 0x12, 0x02, 0x20, 0x01]));
    assert!(metadata.windows(10).any(|window| window == b"5000000000"));
    assert_eq!(listener.origin.line, 3);
}

#[test]
fn harmless_fields_are_noted() {
    let loaded = load(&config(
        Slot::Listener,
        "max_connections_to_accept_per_socket_event: 1\nbind_to_port: true\nreuse_port: true",
    ))
    .unwrap();
    let notes: Vec<_> = loaded.warnings.items().iter().filter(|item| item.severity == Severity::Note).collect();
    assert_eq!(notes.len(), 3, "{}", loaded.warnings);
    assert!(notes[0].message.contains("it shares out work"));
}
