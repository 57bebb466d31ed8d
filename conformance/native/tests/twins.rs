//! The program has what it is for.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a failed test may panic")]

use std::path::Path;
use std::process::Command;

/// Guests that are written in Rust, and the probe.
fn twins() -> Vec<String> {
    let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins");
    let folders = std::fs::read_dir(guests).unwrap().map(|folder| folder.unwrap());
    let rust = folders.filter(|folder| folder.path().join("src/lib.rs").exists());
    rust.map(|folder| folder.file_name().into_string().unwrap()).chain(["probe".to_owned()]).collect()
}

fn filter(guest: &str) -> String {
    let configuration = if guest == "body" { "read" } else { "trace" };
    format!(
        r#"
  - name: {guest}
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
      config:
        name: {guest}
        configuration: {{ "@type": type.googleapis.com/google.protobuf.StringValue, value: {configuration} }}
        vm_config: {{ runtime: envoy.wasm.runtime.null, code: {{ local: {{ inline_string: {guest} }} }} }}"#
    )
}

#[test]
fn every_rust_guest_has_a_twin_that_loads() {
    let twins = twins();
    assert!(twins.len() >= 10, "{twins:?}");
    let filters: String = twins.iter().map(|guest| filter(guest)).collect();
    let filters = filters.replace('\n', "\n        ");
    let config = format!(
        r#"
static_resources:
  listeners:
  - address: {{ socket_address: {{ address: 127.0.0.1, port_value: 0 }} }}
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: a
          route_config: {{}}
          http_filters: {filters}
          - name: router
            typed_config: {{ "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }}
"#
    );
    let mut command = Command::new(env!("CARGO_BIN_EXE_sandgate-native"));
    let output = command.args(["check", "--config-yaml", &config]).output().unwrap();
    let told = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert_eq!(told, ["the configuration runs as written\n", ""]);
}
