//! `Any` and `TypedStruct`.

use sandgate_config::model::HttpFilterKind;

use crate::support::{Slot, accepted, changed, config, refused};

const ROUTER: &str = "\"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";

#[test]
fn a_type_is_a_name_with_a_host() {
    accepted(&changed(ROUTER, "\"@type\": foo.com/envoy.extensions.filters.http.router.v3.Router"));
    for name in ["envoy.extensions.filters.http.router.v3.Router", "/envoy.extensions.filters.http.router.v3.Router"] {
        refused(&changed(ROUTER, &format!("\"@type\": {name}")), "@type must be a name with a host");
    }
    refused(&changed(ROUTER, "\"@type\": 5"), "expected a string, found a number");
    refused(&changed(ROUTER, "dynamic_stats: true"), "\"@type\" is missing");
    refused(
        &changed(ROUTER, "\"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Ruter"),
        "v3.Router\"?",
    );
    refused(&changed(&format!("{{{ROUTER}}}"), "{}"), "has no typed_config");
    refused(&changed(&format!("typed_config: {{{ROUTER}}}"), "disabled: false"), "has no typed_config");
    refused(&changed(&format!("{{{ROUTER}}}"), "[]"), "expected an object with \"@type\"");
}

#[test]
fn fields_in_an_any_are_read_strictly() {
    let findings = refused(
        &changed(ROUTER, &format!("{ROUTER}, supress_envoy_headers: true")),
        "did you mean \"suppress_envoy_headers\"?",
    );
    assert_eq!(
        findings.items()[0].origin.path,
        "static_resources.listeners[0].filter_chains[0].filters[0].typed_config.http_filters[0].typed_config.supress_envoy_headers"
    );
    refused(&changed(ROUTER, &format!("{ROUTER}, strict_check_headers: [nope]")), "not in the list of allowed ones");
}

#[test]
fn well_known_types_have_a_value() {
    let filter = |content: &str| {
        let config = "type.googleapis.com/google.protobuf.StringValue\"";
        format!("- name: x\n  typed_config: {{\"@type\": \"{config}, {content}}}")
    };
    refused(&config(Slot::Filters, &filter("value: a")), "(google.protobuf.StringValue) is not implemented");
    refused(&config(Slot::Filters, &filter("value: a, b: c")), "google.protobuf.StringValue has only \"value\"");
    refused(&config(Slot::Filters, &filter("value: true")), "typed_config.value");
}

#[test]
fn typed_structs_stand_for_what_they_hold() {
    for package in ["udpa.type.v1", "xds.type.v3"] {
        for host in ["type.googleapis.com/", ""] {
            let router = format!(
                "\"@type\": type.googleapis.com/{package}.TypedStruct, type_url: {host}envoy.extensions.filters.http.router.v3.Router, \
                 value: {{suppress_envoy_headers: true}}"
            );
            let bootstrap = accepted(&changed(ROUTER, &router));
            let manager = bootstrap.listeners[0].filter_chains[0].http_connection_manager().unwrap();
            let HttpFilterKind::Router(router) = &manager.http_filters[0].kind else { panic!("not a router") };
            assert!(router.suppress_envoy_headers);
        }
        let with =
            |text: &str| changed(ROUTER, &format!("\"@type\": type.googleapis.com/{package}.TypedStruct, {text}"));
        let url = "type_url: type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
        let findings = refused(&with(&format!("{url}, value: {{suppress: true}}")), "unknown field \"suppress\"");
        assert!(findings.items()[0].origin.path.ends_with("http_filters[0].typed_config.suppress"), "{findings}");
        refused(&with(&format!("{url}, value: {{suppress_envoy_headers: 5}}")), "expected true or false");
        refused(&with(&format!("{url}, value: {{strict_check_headers: [nope]}}")), "not in the list of allowed ones");
        refused(&with(&format!("{url}, value: 5")), "expected an object, found a number");
        refused(&with(&format!("{url}, valu: 5")), "unknown field \"valu\"");
        refused(&with("value: {}"), "\"type_url\" is missing");
        refused(&with("type_url: a/foo.Bar, value: {}"), "unknown type \"foo.Bar\"");
        refused(&with(&format!("type_url: a/{package}.TypedStruct, value: {{}}")), "a TypedStruct in a TypedStruct");
    }
}

#[test]
fn a_typed_struct_may_hold_a_plugin() {
    let text = r#"- name: envoy.filters.http.wasm
  typed_config:
    "@type": type.googleapis.com/udpa.type.v1.TypedStruct
    type_url: type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
    value:
      config:
        name: plug
        configuration:
          "@type": type.googleapis.com/google.protobuf.StringValue
          value: '{"header": "x"}'
        vm_config:
          runtime: envoy.wasm.runtime.v8
          code: {local: {inline_string: module}}"#;
    let bootstrap = accepted(&config(Slot::Filters, text));
    let filter = &bootstrap.listeners[0].filter_chains[0].http_connection_manager().unwrap().http_filters[0];
    let HttpFilterKind::Wasm(plugin) = &filter.kind else { panic!("not a plugin") };
    assert_eq!((plugin.name.as_str(), &plugin.configuration[..]), ("plug", &b"{\"header\": \"x\"}"[..]));
    assert_eq!((plugin.origin.line, plugin.vm.code_origin.line), (26, 32));
}

#[test]
fn types_that_only_envoy_has_are_named_as_such() {
    let text = "- name: l\n  typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua, anything: 5}";
    refused(
        &config(Slot::Filters, text),
        "HTTP filter \"l\" (envoy.extensions.filters.http.lua.v3.Lua) is not implemented",
    );
}
