//! The example as a user meets it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, reason = "a failed test may panic")]

#[allow(dead_code, reason = "the command's tests use all of it")]
#[path = "../../../crates/sandgate/tests/cli/support.rs"]
mod support;

use support::{Server, free_ports, poll, request, root, run};

/// What is tested.
const PROGRAM: &str = env!("CARGO_BIN_EXE_native-plugin");

/// The example's configuration, on ports that are free.
fn example() -> (String, u16, u16) {
    let [main, admin] = free_ports();
    let mut text = std::fs::read_to_string(root().join("examples/native-plugin/envoy.yaml")).unwrap();
    for (port, free) in [("8000", main), ("9901", admin)] {
        text = text.replace(&format!("port_value: {port} "), &format!("port_value: {free} "));
    }
    (text, main, admin)
}

fn get(port: u16, headers: &str) -> String {
    request(port, &format!("GET /path HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}\r\n")).unwrap()
}

#[test]
fn plugins_run_and_a_panic_ends_only_its_own_vm() {
    let (config, main, admin) = example();
    let mut server = Server::start(&config, admin, &["--concurrency", "1"]);
    for count in 1..=2 {
        let answer = get(main, "");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("\r\nx-greeting: good day\r\n"), "{answer}");
        assert!(answer.contains(&format!("\r\nx-fuse: {count}\r\n")), "{answer}");
    }
    let answer = get(main, "x-blow: yes\r\n");
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("\r\nx-greeting: good day\r\n"), "the other plugin lives: {answer}");
    poll("the fuse to be replaced", || get(main, "").contains("\r\nx-fuse: 1\r\n"));

    server.signal("TERM");
    assert_eq!(server.wait(), Some(0));
    let log = server.log();
    let line = |level: &str, text: &str| {
        log.lines().any(|line| line.contains(&format!("][{level}][wasm] ")) && line.contains(text))
    };
    assert!(line("info", "wasm log greeter: good day, /path"), "{log}");
    assert!(line("critical", "wasm log fuse: panicked at "), "{log}");
    assert!(log.contains("the fuse has blown"), "{log}");
    assert!(log.contains("Function: proxy_on_request_headers failed: native plugin panicked"), "{log}");
}

#[test]
fn a_name_that_is_no_plugin_is_refused_with_those_that_are() {
    let (config, ..) = example();
    let output = run(&["check", "--config-yaml", &config.replace("inline_string: fuse", "inline_string: lamp")]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("no native plugin is called \"lamp\", there are: fuse, greeter"), "{told}");
}
