//! Plugins beside the listeners, and code that takes its time.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Stdio;

use crate::support::{Server, free_ports, poll, request, root, sandgate};

fn get(port: u16, path: &str) -> Option<String> {
    request(port, &format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"))
}

#[test]
fn the_background_service_example_does_what_it_says() {
    let [main, lists, admin] = free_ports();
    let mut text = std::fs::read_to_string(root().join("examples/background-service/envoy.yaml")).unwrap();
    for (port, free) in [("8000", main), ("8001", lists), ("9901", admin)] {
        text = text.replace(&format!("port_value: {port} "), &format!("port_value: {free} "));
    }
    let mut server = Server::start(&text, admin, &[]);
    poll("the list to have come", || {
        get(main, "/private/a")
            .is_some_and(|answer| answer.starts_with("HTTP/1.1 403 ") && answer.ends_with("Blocked.\n"))
    });
    assert!(get(main, "/").unwrap().starts_with("HTTP/1.1 200 "));
    assert!(get(main, "/admin").unwrap().starts_with("HTTP/1.1 200 "), "the line ends in a slash");
    let plugins = get(admin, "/wasm?format=json").unwrap();
    assert!(plugins.contains("\"blocklist-fetcher\""), "{plugins}");
    server.signal("TERM");
    assert_eq!(server.wait(), Some(0));
}

#[test]
fn the_admin_interface_answers_while_code_is_fetched() {
    let code = TcpListener::bind("127.0.0.1:0").unwrap();
    let [admin] = free_ports();
    let port = code.local_addr().unwrap().port();
    let text = format!(
        "admin: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {admin}}}}}}}
bootstrap_extensions:
- name: envoy.bootstrap.wasm
  typed_config:
    \"@type\": type.googleapis.com/envoy.extensions.wasm.v3.WasmService
    singleton: true
    config:
      name: slow
      vm_config:
        code:
          remote:
            http_uri: {{uri: \"http://a/a.wasm\", cluster: code, timeout: 60s}}
            sha256: abc
            retry_policy: {{num_retries: 0}}
static_resources:
  clusters:
  - name: code
    type: STATIC
    connect_timeout: 1s
    load_assignment: {{cluster_name: code, endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}}}}}]}}]}}
"
    );
    let child =
        sandgate(&["run", "--concurrency", "1", "--config-yaml", &text]).stderr(Stdio::piped()).spawn().unwrap();
    let mut server = Server { child };
    let (mut stream, _) = code.accept().unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    let ready = get(admin, "/ready").unwrap();
    assert!(ready.starts_with("HTTP/1.1 503 ") && ready.contains("INITIALIZING\n"), "{ready}");
    assert!(get(admin, "/clusters").unwrap().contains("code::"));
    stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").unwrap();
    poll("the server to be live", || get(admin, "/ready").is_some_and(|ready| ready.contains("LIVE\n")));
    server.signal("TERM");
    assert_eq!(server.wait(), Some(0));
}
