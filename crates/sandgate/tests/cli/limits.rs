//! Limits of plugins from the configuration: a breach is a status, a stat and a line in the log.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use crate::support::{Server, free_ports, request, root, run};

const SCRIPT: &str = "on request_headers:\\n  set_shared_data(\\\"a\\\", \\\"b\\\", 0)\\n  set_shared_data(\\\"k\\\", repeat(\\\"x\\\", 300), 0)\\n  \
                      reply 200\\n";

fn config(port: u16, admin: u16, limits: &str) -> String {
    let probe = root().join("plugins/probe/probe.wasm");
    format!(
        r#"
admin: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {admin}}}}}}}
bootstrap_extensions:
- name: limits
  typed_config: {{"@type": type.googleapis.com/sandgate.v1.WasmLimits, {limits}}}
static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: p
          route_config: {{virtual_hosts: [{{name: v, domains: ["*"], routes: [{{match: {{prefix: /}}, direct_response: {{status: 404}}}}]}}]}}
          http_filters:
          - name: probe
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
              config:
                name: probe
                vm_config: {{vm_id: v1, code: {{local: {{filename: "{}"}}}}}}
                configuration: {{"@type": type.googleapis.com/google.protobuf.StringValue, value: "{SCRIPT}"}}
          - {{name: router, typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}}}
"#,
        probe.display()
    )
}

#[test]
fn a_breach_is_answered_counted_and_told() {
    let [port, admin] = free_ports();
    let mut server = Server::start(&config(port, admin, "shared_data_bytes: 200"), admin, &[]);
    for _ in 0..3 {
        let answer = request(port, "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
        assert!(answer.contains("set_shared_data(\"a\", \"b\", 0) = 0"), "{answer}");
        assert!(answer.contains(", 0) = 10"), "{answer}");
    }
    let stats = request(admin, "GET /stats?filter=limit HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
    assert!(stats.contains("\nwasm.limit_exceeded.shared_data_bytes: 3\n"), "{stats}");
    server.signal("TERM");
    server.wait();
    let log = server.log();
    let line = "plugin \"probe\" (root_id \"\", vm_id \"v1\") has reached the limit shared_data_bytes of 200 in proxy_on_request_headers";
    assert!(log.contains(line), "{log}");
}

#[test]
fn a_plugin_has_limits_of_its_own() {
    let [port, admin] = free_ports();
    let limits = "shared_data_bytes: 200}\n- name: plugins\n  typed_config: {\"@type\": type.googleapis.com/sandgate.v1.WasmPlugins, \
                  plugins: [{name: probe, limits: {shared_data_bytes: 10000}}, {vm_id: v1, limits: {shared_data_bytes: 1}}]";
    let server = Server::start(&config(port, admin, limits), admin, &[]);
    let answer = request(port, "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
    assert!(answer.contains(", 0) = 0") && !answer.contains(", 0) = 10"), "{answer}");
    drop(server);
}

#[test]
fn a_wrong_limit_is_named_with_its_place() {
    let [port, admin] = free_ports();
    let file = std::env::temp_dir().join(format!("sandgate-limits-{port}.yaml"));
    std::fs::write(&file, config(port, admin, "memory: 5")).unwrap();
    let output = run(&["check", file.to_str().unwrap()]);
    std::fs::remove_file(&file).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains(":5:") && errors.contains("bootstrap_extensions[0].typed_config.memory"), "{errors}");
}

/// One worker with a listener whose plugin loops for ever, and one without a plugin.
fn looping(ports: [u16; 2], admin: u16, limits: &str) -> String {
    let [port, other] = ports;
    let script = "on request_headers:\\n  trap loop\\n";
    let listener = format!(
        r#"  - address: {{socket_address: {{address: 127.0.0.1, port_value: {other}}}}}
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: o
          route_config: {{virtual_hosts: [{{name: v, domains: ["*"], routes: [{{match: {{prefix: /}}, direct_response: {{status: 201}}}}]}}]}}
          http_filters: [{{name: router, typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}}}]
"#
    );
    config(port, admin, limits).replace(SCRIPT, script) + &listener
}

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

#[test]
fn others_wait_for_a_loop_no_longer_than_its_limit() {
    let [port, other, admin] = free_ports();
    let config = looping([port, other], admin, "callback_cpu: 0.3s");
    let mut server = Server::start(&config, admin, &["--concurrency", "1"]);
    let looping = std::thread::spawn(move || request(port, GET).unwrap());
    let answer = request(other, GET).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    let failed = looping.join().unwrap();
    assert!(failed.starts_with("HTTP/1.1 503 "), "{failed}");
    // And again: the worker goes on, the plugin does not.
    assert!(request(other, GET).unwrap().starts_with("HTTP/1.1 201 "));
    let stats = request(admin, "GET /stats?filter=limit HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
    assert!(stats.contains("wasm.limit_exceeded.callback_cpu: 1\n"), "{stats}");
    server.signal("TERM");
    server.wait();
    let log = server.log();
    let line = "Function: proxy_on_request_headers failed: CPU time limit of 300ms exceeded (plugin \"probe\"";
    assert!(log.contains(line), "{log}");
}

#[test]
fn a_looping_plugin_does_not_keep_the_process_from_ending() {
    let [port, other, admin] = free_ports();
    let config = looping([port, other], admin, "callback_cpu: 2s");
    let mut server = Server::start(&config, admin, &["--concurrency", "1"]);
    let looping = std::thread::spawn(move || request(port, GET));
    // The worker is in the loop, or about to be.
    server.signal("TERM");
    assert_eq!(server.wait(), Some(0));
    drop(looping.join());
}
