//! Plugins.

use std::time::Duration;

use sandgate_config::model::{CodeSource, FailurePolicy, HttpFilterKind, RemoteCode, WasmPlugin};

use crate::support::{Slot, accepted, config, load, refused};

const CODE: &str = "code: {local: {inline_string: module}}";

fn filter(fields: &str) -> String {
    let fields: String = fields.lines().map(|line| format!("\n      {line}")).collect();
    let wasm = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
    config(
        Slot::Filters,
        &format!("- name: w\n  typed_config:\n    \"@type\": {wasm}\n    config:\n      name: plug{fields}"),
    )
}

fn with(fields: &str) -> String {
    filter(&format!("vm_config: {{vm_id: v, {CODE}}}\n{fields}"))
}

fn vm(fields: &str) -> String {
    filter(&format!("vm_config: {{{fields}}}"))
}

fn plugin(text: &str) -> WasmPlugin {
    let bootstrap = accepted(text);
    let filter = &bootstrap.listeners[0].filter_chains[0].http_connection_manager().unwrap().http_filters[0];
    match &filter.kind {
        HttpFilterKind::Wasm(plugin) => (**plugin).clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn defaults() {
    let plugin = plugin(&vm(CODE));
    assert_eq!((plugin.name.as_str(), plugin.root_id.as_str(), plugin.vm.vm_id.as_str()), ("plug", "", ""));
    assert_eq!((plugin.failure_policy, plugin.fail_open), (FailurePolicy::FailClosed, false));
    assert_eq!(plugin.reload_backoff, Duration::from_secs(1));
    assert!(
        !plugin.allow_on_headers_stop_iteration && plugin.vm.environment.is_empty() && plugin.configuration.is_empty()
    );
    assert_eq!(plugin.vm.code, CodeSource::Inline("module".into()));
    assert_eq!(&plugin.vm.code.read().unwrap()[..], b"module");
}

#[test]
fn a_network_filter() {
    let text = config(Slot::Top, "");
    let manager = text.find("      - name: hcm").unwrap();
    let filter = |config: &str| {
        let wasm = "type.googleapis.com/envoy.extensions.filters.network.wasm.v3.Wasm";
        let filter = format!("      - name: net\n        typed_config: {{\"@type\": {wasm}, config: {{{config}}}}}\n");
        format!("{}{filter}{}", &text[..manager], &text[manager..])
    };
    let bootstrap = accepted(&filter(&format!("name: plug, failure_policy: FAIL_OPEN, vm_config: {{{CODE}}}")));
    let chain = &bootstrap.listeners[0].filter_chains[0];
    let plugin = chain.network_filters[0].kind.wasm().unwrap();
    assert_eq!((chain.network_filters[0].name.as_str(), plugin.name.as_str()), ("net", "plug"));
    assert_eq!(plugin.failure_policy, FailurePolicy::FailOpen);
    assert!(chain.http_connection_manager().is_some());
    refused(
        &filter("name: plug, failure_policy: 9, vm_config: {code: {local: {inline_string: x}}}"),
        "unknown failure policy",
    );
}

#[test]
fn failure_policies() {
    for (fields, wanted) in [
        ("failure_policy: FAIL_OPEN", (FailurePolicy::FailOpen, false)),
        ("failure_policy: fail_reload", (FailurePolicy::FailReload, false)),
        ("fail_open: true", (FailurePolicy::FailOpen, true)),
        ("fail_open: true\nfailure_policy: UNSPECIFIED", (FailurePolicy::FailOpen, true)),
        ("fail_open: false\nfailure_policy: FAIL_CLOSED", (FailurePolicy::FailClosed, false)),
    ] {
        let plugin = plugin(&with(fields));
        assert_eq!((plugin.failure_policy, plugin.fail_open), wanted, "{fields}");
    }
    refused(
        &with("fail_open: true\nfailure_policy: FAIL_CLOSED"),
        "only one of fail_open or failure_policy can be set",
    );
    refused(&with("failure_policy: 9"), "unknown failure policy");
}

#[test]
fn configurations_become_bytes() {
    let any = |name: &str, value: &str| {
        with(&format!("configuration: {{\"@type\": type.googleapis.com/google.protobuf.{name}, {value}}}"))
    };
    for (text, wanted) in [
        (any("StringValue", "value: \"a\\nb\""), &b"a\nb"[..]),
        (any("StringValue", "value: ~"), b""),
        (any("BytesValue", "value: aP8="), b"h\xff"),
        (any("Int32Value", "value: 5"), b"\x08\x05"),
        (any("Duration", "value: 5s"), b"\x08\x05"),
        (any("Empty", ""), b""),
        // A Struct arrives as it is on the wire, keys in order.
        (
            any("Struct", "value: {b: true, a: 1}"),
            b"\x0a\x0e\x0a\x01a\x12\x09\x11\0\0\0\0\0\0\xf0\x3f\x0a\x07\x0a\x01b\x12\x02\x20\x01",
        ),
        (with(""), b""),
    ] {
        assert_eq!(&plugin(&text).configuration[..], wanted, "{text}");
    }
    // A TypedStruct here is for the guest, and stays one.
    let text =
        with("configuration: {\"@type\": type.googleapis.com/xds.type.v3.TypedStruct, type_url: a/b, value: {}}");
    assert_eq!(&plugin(&text).configuration[..], b"\x0a\x03a/b\x12\x00");
    let vm_text =
        vm(&format!("{CODE}, configuration: {{\"@type\": type.googleapis.com/google.protobuf.StringValue, value: x}}"));
    assert_eq!(&plugin(&vm_text).vm.configuration[..], b"x");
    for (text, wanted) in [
        (any("StringValue", "value: true"), "expected a string, found a boolean"),
        (any("StringValue", "value: x, other: y"), "has only \"value\""),
        (any("BytesValue", "value: \"!\""), "not base64"),
        (any("Empty", "value: {}"), "unknown field \"value\""),
        (with("configuration: x"), "expected an object with \"@type\""),
        (with("configuration: {a: b}"), "\"@type\" is missing"),
        (with("configuration: {\"@type\": type.googleapis.com/foo.Bar}"), "unknown type \"foo.Bar\""),
        (
            with("configuration: {\"@type\": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua}"),
            "v3.Lua is not implemented",
        ),
    ] {
        refused(&text, wanted);
    }
}

#[test]
fn environments() {
    let text = vm(&format!(
        "{CODE}, environment_variables: {{host_env_keys: [PATH, NO_SUCH_VARIABLE], key_values: {{A: b, Z: ''}}}}"
    ));
    let environment = plugin(&text).vm.environment;
    let keys: Vec<_> = environment.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["A", "PATH", "Z"]);
    assert_eq!(environment[1].1, std::env::var("PATH").unwrap());
    for variables in ["{host_env_keys: [A, A]}", "{host_env_keys: [A], key_values: {A: b}}"] {
        let text = vm(&format!("{CODE}, environment_variables: {variables}"));
        refused(
            &text,
            "Key A is duplicated in envoy.extensions.wasm.v3.VmConfig.environment_variables for plug. All the keys must be unique.",
        );
    }
    let null =
        vm(&format!("{CODE}, runtime: envoy.wasm.runtime.null, environment_variables: {{key_values: {{A: b}}}}"));
    refused(&null, "key_values must not be set for NullVm");
}

#[test]
fn code() {
    let file = std::env::temp_dir().join(format!("sandgate-config-{}.wasm", std::process::id()));
    std::fs::write(&file, b"\0asm").unwrap();
    let plugin = plugin(&vm(&format!("code: {{local: {{filename: {}}}}}", file.display())));
    assert_eq!(plugin.vm.code, CodeSource::File(file.clone()));
    assert_eq!(&plugin.vm.code.read().unwrap()[..], b"\0asm");
    std::fs::remove_file(&file).unwrap();
    assert!(plugin.vm.code.read().unwrap_err().to_string().contains("No such file"));
    assert!(
        plugin.vm.code_origin.path.ends_with("http_filters[0].typed_config.config.vm_config.code"),
        "{}",
        plugin.vm.code_origin
    );
    for (fields, wanted) in [
        ("code: {local: {filename: /nonexistent.wasm}}", "Invalid path: /nonexistent.wasm: No such file"),
        ("code: {local: {filename: /tmp}}", "not a regular file"),
        ("code: {local: {filename: /dev/null}}", "Invalid path: /dev/null"),
        ("code: {local: {filename: \"\"}}", "at least 1 characters"),
        ("code: {local: {inline_string: \"\"}}", "the plugin's code is empty"),
        (
            "code: {local: {environment_variable: NO_SUCH_VARIABLE}}",
            "environment variable doesn't exist: NO_SUCH_VARIABLE",
        ),
        ("code: {local: {environment_variable: \"\"}}", "at least 1 characters"),
        ("code: {local: {}}", "one of filename, inline_bytes"),
        ("code: {}", "one of local, remote is required"),
        ("vm_id: x", "the plugin has no code"),
        ("code: {remote: {sha256: abc}}", "http_uri"),
        (
            &remote(", retry_policy: {retry_back_off: {base_interval: 2s, max_interval: 1s}}"),
            "max_interval must be greater",
        ),
        (&remote("").replace("sha256: abc", "sha256: \"\""), "at least 1 characters"),
        (&remote("").replace(", timeout: 3s", ""), "timeout"),
        (&remote("").replace("cluster: c", "cluster: \"\""), "at least 1 characters"),
    ] {
        refused(&vm(fields), wanted);
    }
    refused(&filter("root_id: x"), "the plugin has no code");
}

fn remote(more: &str) -> String {
    format!("code: {{remote: {{http_uri: {{uri: \"http://x/y\", cluster: c, timeout: 3s}}, sha256: abc{more}}}}}")
}

#[test]
fn remote_code() {
    let source = |fields: &str| match plugin(&vm(fields)).vm.code {
        CodeSource::Remote(remote) => *remote,
        other => panic!("{other:?}"),
    };
    let seconds = Duration::from_secs;
    let wanted = RemoteCode {
        uri: "http://x/y".into(),
        cluster: "c".into(),
        timeout: seconds(3),
        sha256: "abc".into(),
        num_retries: 1,
        base_interval: seconds(1),
        max_interval: seconds(10),
        nack_on_cache_miss: false,
    };
    assert_eq!(source(&remote("")), wanted);
    let policy = ", retry_policy: {num_retries: 0, retry_back_off: {base_interval: 2s}}";
    assert_eq!(
        source(&format!("{}, nack_on_code_cache_miss: true", remote(policy))),
        RemoteCode {
            num_retries: 0,
            base_interval: seconds(2),
            max_interval: seconds(20),
            nack_on_cache_miss: true,
            ..wanted
        }
    );
    let warnings = load(&vm(&remote(""))).unwrap().warnings.to_string();
    assert!(warnings.contains("only once it has been fetched"), "{warnings}");
}

#[test]
fn the_rest() {
    assert_eq!(
        plugin(&with("reload_config: {backoff: {base_interval: 5s, max_interval: 1s}}")).reload_backoff,
        Duration::from_secs(5)
    );
    assert_eq!(plugin(&with("reload_config: {}")).reload_backoff, Duration::from_secs(1));
    refused(&with("reload_config: {backoff: {base_interval: 0s}}"), "greater than or equal to 0.001s");
    refused(&with("reload_config: {backoff: {}}"), "base_interval: value is required");
    assert!(plugin(&with("allow_on_headers_stop_iteration: true")).allow_on_headers_stop_iteration);
}

#[test]
fn capabilities() {
    let restriction = |names: &str| format!("capability_restriction_config: {{allowed_capabilities: {{{names}}}}}");
    let (old, own) = (restriction("proxy_log: {}"), restriction("fd_write: {}, proxy_on_tick: {}"));
    let both = filter(&format!("{old}\nvm_config: {{{CODE}, {own}}}"));
    let replaced = filter(&format!("{old}\nvm_config: {{{CODE}, {}}}", restriction("")));
    for (text, wanted) in [
        (with(""), &[][..]),
        (with(&restriction("")), &[]),
        (with(&old), &["proxy_log"]),
        (vm(&format!("{CODE}, {own}")), &["fd_write", "proxy_on_tick"]),
        (both, &["fd_write", "proxy_on_tick"]),
        (replaced, &[]),
    ] {
        assert_eq!(plugin(&text).vm.capabilities.allowed().collect::<Vec<_>>(), wanted, "{text}");
    }
    let text = with(&restriction("log: {}, proxy_on_tik: {}, envoy_resolve_dns: {}"));
    let warnings = load(&text).unwrap().warnings.to_string();
    for wanted in [
        "there is no capability log; did you mean proxy_log?",
        "there is no capability proxy_on_tik; did you mean proxy_on_tick?",
        "there is no capability envoy_resolve_dns",
    ] {
        assert!(warnings.contains(wanted), "{warnings}");
    }
}

/// What tells plugins and VMs apart in Envoy 1.40 beside what is compared field by field.
#[test]
fn identities() {
    let of = |fields: &str| {
        let plugin = plugin(&with(fields));
        (plugin.identity, plugin.vm.identity)
    };
    let of_vm = |fields: &str| {
        let plugin = plugin(&vm(&format!("{CODE}, {fields}")));
        (plugin.identity, plugin.vm.identity)
    };
    let (plain, plain_vm) = of("");
    for fields in ["failure_policy: FAIL_CLOSED", "allow_on_headers_stop_iteration: false", "root_id: r"] {
        let (other, vm) = of(fields);
        assert_ne!(other, plain, "{fields}");
        assert_eq!(vm, plain_vm, "{fields}");
    }
    assert_eq!(of("fail_open: false"), (plain.clone(), plain_vm.clone()));
    let (same, other_vm) = of_vm("environment_variables: {key_values: {A: b, C: d}}");
    assert_eq!(same, plain);
    assert_ne!(other_vm, plain_vm);
    assert_eq!(of_vm("environment_variables: {key_values: {C: d, A: b}}"), (same.clone(), other_vm.clone()));
    assert_ne!(of_vm("environment_variables: {host_env_keys: [A, C]}").1, other_vm);
    assert_eq!(of_vm("environment_variables: {}"), (same, plain_vm));
}
