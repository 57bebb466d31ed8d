#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test may panic")]

use std::collections::BTreeSet;

use prost_reflect::{DynamicMessage, Value};

use super::{Schema, Standing, harmless_fields, lines};

#[test]
fn every_line_of_the_table_is_about_a_field_of_the_schema() {
    let schema = Schema::get().unwrap();
    let mut seen = BTreeSet::new();
    for (message, field, rule) in lines() {
        let descriptor = schema.message(message).unwrap_or_else(|| panic!("no message {message}"));
        assert!(descriptor.get_field_by_name(field).is_some(), "{message} has no {field}");
        let refused = matches!(rule.standing, Standing::Refused(_));
        assert!(seen.insert((message, field, rule.value, refused)), "{message}.{field} is there twice");
        match rule.standing {
            Standing::Harmless(reason) | Standing::Lost(reason) | Standing::Refused(reason) => {
                assert!(reason.len() > 5, "{message}.{field} has no reason")
            }
            Standing::Done => {}
        }
    }
}

#[test]
fn what_could_open_a_door_is_never_let_pass() {
    let schema = Schema::get().unwrap();
    for (message, field) in [
        ("envoy.config.bootstrap.v3.Bootstrap", "overload_manager"),
        ("envoy.config.bootstrap.v3.Bootstrap", "dynamic_resources"),
        ("envoy.config.bootstrap.v3.Bootstrap", "bootstrap_extensions"),
        ("envoy.config.bootstrap.v3.Bootstrap.StaticResources", "secrets"),
        ("envoy.config.listener.v3.Listener", "listener_filters"),
        ("envoy.config.listener.v3.Listener", "socket_options"),
        ("envoy.config.listener.v3.FilterChainMatch", "source_prefix_ranges"),
        ("envoy.config.route.v3.RouteMatch", "headers"),
        ("envoy.config.route.v3.Route", "typed_per_filter_config"),
        ("envoy.config.route.v3.Route", "request_headers_to_remove"),
        ("envoy.config.route.v3.VirtualHost", "require_tls"),
        ("envoy.config.route.v3.VirtualHost", "rate_limits"),
        ("envoy.config.route.v3.VirtualHost", "cors"),
        ("envoy.config.route.v3.RouteConfiguration", "internal_only_headers"),
        ("envoy.config.cluster.v3.Cluster", "connection_pool_per_downstream_connection"),
        ("envoy.extensions.wasm.v3.CapabilityRestrictionConfig", "allowed_capabilities"),
        ("envoy.config.route.v3.RouteMatch", "filter_state"),
    ] {
        let standing = schema.standing(message, field, "");
        assert!(matches!(standing, Standing::Refused(_) | Standing::Done), "{message}.{field}");
    }
    let manager = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
    for field in ["normalize_path", "merge_slashes", "internal_address_config", "forward_client_cert_details"] {
        assert!(matches!(schema.standing(manager, field, "true"), Standing::Refused(_) | Standing::Done), "{field}");
    }
}

#[test]
fn a_value_may_be_harmless_where_others_are_not() {
    let schema = Schema::get().unwrap();
    let manager = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
    let standing = |value| schema.standing(manager, "stream_error_on_invalid_http_message", value);
    assert!(matches!(standing("false"), Standing::Harmless(_)));
    assert!(matches!(standing("true"), Standing::Lost(_)));
    let field = "stream_error_on_invalid_http_message";
    assert!(harmless_fields().any(|harmless| harmless.field == field && harmless.value == Some("false")));
}

/// The rules that `check` knows. If the schema has others, they would not be enforced.
#[test]
fn every_rule_of_the_schema_is_known() {
    const KNOWN: [&str; 31] = [
        "const",
        "contains",
        "defined_only",
        "gt",
        "gte",
        "ignore_empty",
        "in",
        "items",
        "keys",
        "lt",
        "lte",
        "max_bytes",
        "max_items",
        "max_len",
        "min_bytes",
        "min_items",
        "min_len",
        "min_pairs",
        "not_in",
        "pattern",
        "prefix",
        "required",
        "skip",
        "strict",
        "suffix",
        "unique",
        "values",
        "well_known_regex",
        "nanos",
        "seconds",
        "message",
    ];
    fn collect(message: &DynamicMessage, depth: usize, names: &mut BTreeSet<String>) {
        for (field, value) in message.fields() {
            // At the top stands the type that the rules are about.
            if depth > 0 {
                names.insert(field.name().to_owned());
            }
            if let Value::Message(inner) = value {
                let types = matches!(field.name(), "items" | "keys" | "values");
                collect(inner, if types { 0 } else { depth + 1 }, names);
            }
        }
    }
    let schema = Schema::get().unwrap();
    let rules = schema.pool.get_extension_by_name("validate.rules").unwrap();
    let mut names = BTreeSet::new();
    for message in schema.pool.all_messages() {
        for field in message.fields() {
            if let Value::Message(rules) = &*field.options().get_extension(&rules) {
                collect(rules, 0, &mut names);
            }
        }
    }
    assert!(names.len() > 15, "{names:?}");
    let unknown: Vec<_> = names.iter().filter(|name| !KNOWN.contains(&name.as_str())).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn types_that_are_not_read_are_told_from_mistakes() {
    let schema = Schema::get().unwrap();
    assert!(schema.is_other("envoy.extensions.filters.http.lua.v3.Lua"));
    assert!(!schema.is_other("envoy.extensions.filters.http.lua.v3.Luna"));
    assert!(!schema.is_other("envoy.extensions.filters.http.wasm.v3.Wasm"));
    assert!(schema.message("envoy.extensions.filters.http.wasm.v3.Wasm").is_some());
}
