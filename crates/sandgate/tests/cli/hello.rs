//! What the README promises: the bundled example, its upstream included, and the guest's work on a request.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use crate::support::{Server, free_ports, poll, request, root};

/// The example's configuration, on ports that are free.
fn hello() -> (String, u16, u16) {
    let [main, upstream, admin] = free_ports();
    let mut text = std::fs::read_to_string(root().join("examples/hello/envoy.yaml")).unwrap();
    for (port, free) in [("8000", main), ("8001", upstream), ("9901", admin)] {
        text = text.replace(&format!("port_value: {port} "), &format!("port_value: {free} "));
    }
    (text, main, admin)
}

const GET: &str = "GET /some/path HTTP/1.1\r\nhost: example.com\r\nconnection: close\r\n\r\n";

#[test]
fn the_bundled_example_shows_the_guests_work() {
    let (config, main, admin) = hello();
    let _server = Server::start(&config, admin, &[]);
    let answer = request(main, GET).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("\r\nx-hello: world\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nhello from the upstream\n"), "{answer}");

    let stats = request(admin, "GET /stats?filter=wasm HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
    // Two workers and main have one each, the base VM, and the canary, which is gone.
    assert!(stats.contains("created: 5\n") && stats.contains("active: 4\n"), "{stats}");
}

#[test]
fn a_signal_ends_the_server_in_order() {
    for signal in ["TERM", "INT"] {
        let (config, main, admin) = hello();
        let mut server = Server::start(&config, admin, &[]);
        assert!(request(main, GET).unwrap().starts_with("HTTP/1.1 200 OK"));
        server.signal(signal);
        assert_eq!(server.wait(), Some(0), "{signal}");
        assert!(request(main, GET).is_none());
    }
}

#[test]
fn quitquitquit_ends_the_server() {
    let (config, _, admin) = hello();
    let mut server = Server::start(&config, admin, &[]);
    let quit = "POST /quitquitquit HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    assert!(request(admin, quit).unwrap().contains("OK\n"));
    assert_eq!(server.wait(), Some(0));
}

#[test]
fn guests_log_lines_in_envoys_format() {
    let (config, main, admin) = hello();
    let mut server = Server::start(&config, admin, &["--component-log-level", "wasm:trace", "-l", "error"]);
    assert!(request(main, GET).unwrap().starts_with("HTTP/1.1 200 OK"));
    server.signal("TERM");
    server.wait();
    let log = server.log();
    let line = log.lines().find(|line| line.contains("/some/path")).unwrap_or_default();
    assert!(line.contains("][wasm] [") && line.contains("] wasm log hello hello hello: "), "{log}");
}

#[test]
fn the_admin_address_is_written_where_asked() {
    let (config, _, admin) = hello();
    let file = std::env::temp_dir().join(format!("sandgate-admin-{admin}"));
    let _server = Server::start(&config, admin, &["--admin-address-path", file.to_str().unwrap()]);
    poll("the address file", || std::fs::read_to_string(&file).is_ok_and(|text| text == format!("127.0.0.1:{admin}")));
    let _ = std::fs::remove_file(file);
}
