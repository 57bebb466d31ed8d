//! Fields that Envoy has and this program does not implement.

use sandgate_config::{Format, LoadOptions, Severity, Unsupported, load_str};

use crate::support::{Slot, changed, config, refused};

fn warn(text: &str) -> Result<String, String> {
    let options = LoadOptions { unsupported: Unsupported::Warn, ..LoadOptions::default() };
    load_str("test.yaml", text, Format::Yaml, &options)
        .map(|loaded| loaded.warnings.to_string())
        .map_err(|findings| findings.to_string())
}

#[test]
fn some_may_be_ignored_if_the_user_says_so() {
    for (slot, text, wanted) in [
        (
            Slot::Manager,
            "stream_flush_timeout: 1s",
            "stream_flush_timeout is not implemented and ignored: it is stream_idle_timeout",
        ),
        (Slot::Manager, "tracing: {}", "no traces are made"),
        (Slot::Top, "flags_path: /x", "no flags are read"),
    ] {
        let text = config(slot, text);
        refused(&text, "is not implemented (--unsupported=warn would go on: ");
        let warnings = warn(&text).unwrap();
        assert!(warnings.contains(wanted) && warnings.contains("warning"), "{warnings}");
    }
}

#[test]
fn what_protects_is_refused_all_the_same() {
    for (slot, text) in [
        (Slot::Listener, "additional_addresses: [{address: {pipe: {path: x}}}]"),
        (Slot::Manager, "forward_client_cert_matcher: {}"),
        (Slot::RouteConfig, "vhds: {config_source: {ads: {}}}"),
        (Slot::VirtualHost, "rate_limits: [{actions: [{remote_address: {}}]}]"),
        (Slot::VirtualHost, "cors: {}"),
        (
            Slot::Filters,
            "- name: x\n  typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors}",
        ),
        (Slot::Cluster, "transport_socket_matches: [{name: a, transport_socket: {name: b}}]"),
        (Slot::Cluster, "upstream_bind_config: {freebind: true}"),
        (Slot::Top, "overload_manager: {loadshed_points: [{name: a, triggers: [{name: m, threshold: {value: 1}}]}]}"),
    ] {
        let error = warn(&config(slot, text)).unwrap_err();
        assert!(error.contains("is not implemented") && !error.contains("would go on"), "{text}: {error}");
    }
    assert!(warn(&changed("match: {prefix: \"/\"}", "match: {prefix: \"/\", filter_state: [{key: a}]}")).is_err());
}

#[test]
fn an_optional_filter_is_left_out_only_with_the_users_consent() {
    let text = config(
        Slot::Filters,
        "- name: x\n  is_optional: true\n  typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors}",
    );
    refused(&text, "optional HTTP filter \"x\" (envoy.extensions.filters.http.cors.v3.Cors) is not implemented");
    assert!(warn(&text).unwrap().contains("it is left out"));
}

#[test]
fn rules_hold_in_what_is_ignored() {
    let error = warn(&config(Slot::VirtualHost, "retry_policy: {retry_host_predicate: [{}]}")).unwrap_err();
    assert!(error.contains("name: value length must be at least 1 characters"), "{error}");
    let error = warn(&config(Slot::Manager, "tracing: {max_path_tag_length: x}")).unwrap_err();
    assert!(error.contains("a whole number"), "{error}");
}

#[test]
fn a_default_spelt_out_is_no_finding_to_worry_about() {
    let text = config(
        Slot::Manager,
        "normalize_path: false\npath_with_escaped_slashes_action: KEEP_UNCHANGED\nmerge_slashes: false\nxff_num_trusted_hops: 0",
    );
    let loaded = load_str("test.yaml", &text, Format::Yaml, &LoadOptions::default()).unwrap();
    assert_eq!(loaded.warnings.count(Severity::Note), loaded.warnings.items().len(), "{}", loaded.warnings);
}

#[test]
fn the_deprecated_is_pointed_out() {
    let text = config(
        Slot::Top,
        "admin: {access_log_path: /dev/null, address: {socket_address: {address: 127.0.0.1, port_value: 0}}}",
    );
    let loaded = load_str("test.yaml", &text, Format::Yaml, &LoadOptions::default()).unwrap();
    assert!(
        loaded
            .warnings
            .to_string()
            .contains("using deprecated option 'envoy.config.bootstrap.v3.Admin.access_log_path'")
    );
}
