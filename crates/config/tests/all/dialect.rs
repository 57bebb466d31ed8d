//! Envoy's YAML dialect, and what its JSON parser takes for which type of field.

use std::time::Duration;

use sandgate_config::{Format, LoadOptions, Severity, load_str, model::CodecType};

use crate::support::{Slot, accepted, changed, config, load, refused, table};

const OK: Option<&str> = None;

#[test]
fn numbers() {
    for (text, wanted) in [
        ("010", 8),
        ("08", 8),
        ("0x10", 16),
        ("+5", 5),
        ("\"60\"", 60),
        ("60.0", 60),
        ("6e1", 60),
        ("! 5", 5),
        ("\"0x10\"", 16),
        ("\"+5\"", 5),
        ("\"05\"", 5),
        ("\"5.\"", 5),
        ("\".5e1\"", 5),
        ("\"50e-1\"", 5),
        ("{value: 7}", 7),
        ("&a 9", 9),
    ] {
        let bootstrap = accepted(&config(Slot::Manager, &format!("max_request_headers_kb: {text}")));
        let manager = bootstrap.listeners[0].filter_chains[0].http_connection_manager().unwrap();
        assert_eq!(manager.max_request_headers_kb, wanted, "{text}");
    }
    table(
        Slot::Manager,
        &[
            ("max_request_headers_kb: -5", Some("-5 is out of range")),
            ("max_request_headers_kb: 60.5", Some("a whole number")),
            ("max_request_headers_kb: ' 60'", Some("a whole number")),
            ("xff_num_trusted_hops: '5 '", Some("a whole number")),
            ("max_request_headers_kb: '1e400'", Some("a whole number")),
            ("max_request_headers_kb: true", Some("found a boolean")),
            ("max_request_headers_kb: [1]", Some("found a list")),
            ("max_request_headers_kb: ''", Some("a whole number")),
            ("xff_num_trusted_hops: -0", OK),
            ("xff_num_trusted_hops: '-0'", OK),
        ],
    );
    refused(&config(Slot::Listener, "tcp_backlog_size: 4294967296"), "4294967296 is out of range");
}

#[test]
fn booleans() {
    for (text, wanted) in [
        ("true", true),
        ("Yes", true),
        ("on", true),
        ("n", false),
        ("\"true\"", true),
        ("\"True\"", true),
        ("\"yes\"", true),
        ("\"1\"", true),
        ("\"t\"", true),
        ("\"N\"", false),
    ] {
        let bootstrap = accepted(&config(Slot::Manager, &format!("use_remote_address: {text}")));
        assert_eq!(
            bootstrap.listeners[0].filter_chains[0].http_connection_manager().unwrap().use_remote_address,
            wanted,
            "{text}"
        );
    }
    table(
        Slot::Manager,
        &[
            ("use_remote_address: 1", Some("expected true or false, found a number")),
            ("use_remote_address: \"on\"", Some("expected true or false, found \"on\"")),
            ("use_remote_address: ''", Some("expected true or false")),
        ],
    );
}

#[test]
fn strings() {
    for (text, wanted) in [
        ("1.5", "1.5"),
        ("5000000000", "5000000000"),
        ("'5'", "5"),
        ("! 5", "5"),
        ("'null'", "null"),
        ("yEs", "yEs"),
        ("a:b", "a:b"),
    ] {
        let bootstrap = accepted(&format!("node: {{id: {text}}}"));
        assert_eq!(bootstrap.node.id, wanted, "{text}");
    }
    for text in ["n", "Y", "true", "5", "017", "!!str 5", "+5", "2147483647"] {
        refused(&format!("node: {{id: {text}}}"), "put it in quotes");
    }
    for text in ["[a]", "{a: b}", "{}", "[]"] {
        refused(&format!("node: {{id: {text}}}"), "expected a string, found");
    }
}

#[test]
fn durations() {
    for (text, millis) in [
        ("5s", 5000),
        ("0.25s", 250),
        ("5.000000001s", 5000),
        ("{seconds: 5}", 5000),
        ("0.0019s", 1),
        ("9223372035s", 9_223_372_035_000),
    ] {
        let bootstrap = accepted(&config(Slot::Manager, &format!("stream_idle_timeout: {text}")));
        let timeout = bootstrap.listeners[0].filter_chains[0].http_connection_manager().unwrap().stream_idle_timeout;
        assert_eq!(timeout, Some(Duration::from_millis(millis)), "{text}");
    }
    for text in
        ["5", "\"5\"", "5ms", "5.0000000001s", ".5s", "5.s", "+5s", "' 5s'", "5 s", "315576000001s", "''", "s", "-s"]
    {
        refused(&config(Slot::Manager, &format!("stream_idle_timeout: {text}")), "expected a duration");
    }
    for text in ["-5s", "-0.5s", "315576000000s", "9223372036s"] {
        refused(&config(Slot::Manager, &format!("stream_idle_timeout: {text}")), "negative or too long");
    }
}

#[test]
fn enums() {
    for (text, wanted) in [
        ("auto", CodecType::Auto),
        ("AUTO", CodecType::Auto),
        ("Http1", CodecType::Http1),
        ("1", CodecType::Http1),
        ("\"1\"", CodecType::Http1),
        ("null", CodecType::Auto),
    ] {
        let bootstrap = accepted(&config(Slot::Manager, &format!("codec_type: {text}")));
        assert_eq!(
            bootstrap.listeners[0].filter_chains[0].http_connection_manager().unwrap().codec_type,
            wanted,
            "{text}"
        );
    }
    table(
        Slot::Manager,
        &[
            ("codec_type: htpp1", Some("did you mean \"HTTP1\"?")),
            ("codec_type: 77", Some("one of the defined enum values")),
            ("codec_type: 1.0", Some("unknown value \"1.0\"")),
            ("codec_type: true", Some("found a boolean")),
            ("codec_type: [AUTO]", Some("found a list")),
        ],
    );
    table(
        Slot::Cluster,
        &[
            ("dns_lookup_family: v4_only", OK),
            ("dns_lookup_family: v4only", Some("did you mean \"V4_ONLY\"?")),
            ("dns_lookup_family: v4-only", Some("unknown value")),
            ("dns_lookup_family: ' V4_ONLY'", Some("unknown value")),
            ("dns_lookup_family: -1", Some("one of the defined enum values")),
        ],
    );
}

#[test]
fn null_is_unset() {
    accepted(&config(Slot::Manager, "rds: null\nstream_idle_timeout: ~\nhttp_protocol_options:"));
    accepted(&config(Slot::Listener, "listener_filters: ~"));
    refused(&config(Slot::Listener, "listener_filters: ''"), "expected an object");
    // In a list it is the default of the type.
    accepted(&changed("domains: [\"*\"]", "domains: [null]"));
    refused(&config(Slot::Listener, "listener_filters: [null]"), "value length must be at least 1 characters");
}

#[test]
fn one_value_is_a_list_and_lists_are_flattened() {
    for domains in ["\"*\"", "[[\"*\"]]", "[[[]], \"*\"]"] {
        let bootstrap = accepted(&changed("domains: [\"*\"]", &format!("domains: {domains}")));
        let route_config = &bootstrap.listeners[0].filter_chains[0].http_connection_manager().unwrap().route_config;
        assert_eq!(route_config.virtual_hosts[0].domains, [sandgate_config::model::Domain::Any], "{domains}");
    }
    refused(&changed("domains: [\"*\"]", "domains: [5]"), "domains[0]");
    accepted(&changed(
        "filter_chains:\n    - filters:\n      - name: hcm\n        typed_config:",
        "filter_chains:\n      filters:\n        name: hcm\n        typed_config:",
    ));
}

#[test]
fn messages_are_objects() {
    for text in ["5", "[{idle_timeout: 5s}]", "[]", "''", "true"] {
        refused(&config(Slot::Manager, &format!("common_http_protocol_options: {text}")), "expected an object");
    }
}

#[test]
fn names_of_fields() {
    accepted(&config(Slot::Manager, "serverName: x"));
    refused(&config(Slot::Manager, "ServerName: x"), "did you mean \"server_name\"?");
    refused(&config(Slot::Manager, "server-name: x"), "did you mean \"server_name\"?");
    refused(&config(Slot::Manager, "~: x"), "unknown field \"null\"");
    refused(&config(Slot::Manager, "5: x"), "unknown field \"5\"");
    refused(&config(Slot::Manager, "<<: {server_name: a}"), "Envoy knows no merge keys");
    accepted(&config(Slot::Manager, "\"server_name\": a"));
    accepted(&config(Slot::Manager, "!!str server_name: a"));
}

#[test]
fn the_last_of_equal_names_wins_with_a_warning() {
    for (text, wanted) in [
        ("server_name: a\nserver_name: b", "duplicate key \"server_name\": it replaces the one in line 11"),
        ("server_name: 5\nserver_name: b", "duplicate key"),
        ("server_name: a\nserverName: b", "\"serverName\" replaces \"server_name\", which is the same field"),
    ] {
        let loaded = load(&config(Slot::Manager, text)).unwrap();
        assert_eq!(loaded.bootstrap.listeners[0].filter_chains[0].http_connection_manager().unwrap().server_name, "b");
        let warning = &loaded.warnings.items()[0];
        assert_eq!((warning.severity, warning.origin.line), (Severity::Warning, 12), "{text}");
        assert!(warning.message.contains(wanted), "{}", warning.message);
    }
}

#[test]
fn members_of_a_oneof_exclude_each_other() {
    let findings = refused(
        &changed("match: {prefix: \"/\"}", "match: {prefix: \"/\", path: \"/a\"}"),
        "\"path\" and \"prefix\" exclude each other",
    );
    assert_eq!(findings.items().len(), 1, "{findings}");
    refused(&config(Slot::Manager, "strip_any_host_port: true\nstripAnyHostPort: false"), "exclude each other");
}

#[test]
fn ignored_keys_are_dropped_whatever_they_hold() {
    accepted(&config(
        Slot::Top,
        "!ignore defaults: &address {socket_address: {address: 127.0.0.1, port_value: 0}}\nadmin: {address: *address}",
    ));
    accepted(&config(Slot::Manager, "!ignore nosuch: [1, {a: b}]"));
    refused(&config(Slot::Manager, "nosuch: !ignore 5"), "unknown field \"nosuch\"");
}

#[test]
fn documents() {
    accepted(&(config(Slot::Top, "") + "\n---\nfoo: [bar\n"));
    accepted(&("\u{feff}".to_owned() + &config(Slot::Top, "")));
    accepted(&config(Slot::Top, "").replace('\n', "\r\n"));
    for text in ["", "~", "# nothing\n", "--- \n"] {
        refused(text, "there is no configuration here");
    }
    refused("[a]", "expected an object, found a list");
    refused("a", "expected an object, found a string");
    refused("static_resources: {", "not YAML");
}

#[test]
fn json_has_types_of_its_own() {
    let json = |text: &str| load_str("test.json", text, Format::Json, &LoadOptions::default());
    assert_eq!(json("{\"node\":{\"id\":\"n\",'cluster':'c',}}").unwrap().bootstrap.node.id, "n");
    assert_eq!(json("{\"node\":{\"id\":\"a\",\"id\":\"b\"}}").unwrap().bootstrap.node.id, "b");
    let port = "{\"admin\":{\"address\":{\"socket_address\":{\"address\":\"127.0.0.1\",\"port_value\":1.5e1}}}}";
    assert_eq!(json(port).unwrap().bootstrap.admin.unwrap().address.port(), 15);
    for (text, wanted) in [
        ("{\"node\":{\"id\":5}}", "test.json:1:15: error: expected a string, found a number"),
        ("{\"node\":{\"id\":1.5}}", "expected a string, found a number"),
        ("null", "there is no configuration here"),
        ("[]", "expected an object"),
        ("{\"node\":{}", "not JSON"),
    ] {
        let findings = json(text).unwrap_err().to_string();
        assert!(findings.contains(wanted), "{text}: {findings}");
    }
}

#[test]
fn base64_has_two_alphabets() {
    for text in ["aGk", "aGk=", "_-8=", "_-8/", "aGl="] {
        let route = format!("direct_response: {{status: 200, body: {{inline_bytes: \"{text}\"}}}}");
        accepted(&changed("route: {cluster: c}", &route));
    }
    for text in ["a!", "aG k="] {
        let route = format!("direct_response: {{status: 200, body: {{inline_bytes: \"{text}\"}}}}");
        refused(&changed("route: {cluster: c}", &route), "not base64");
    }
}
