//! The gateway of `examples/`: what its comments promise.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use crate::support::{Server, free_ports, request, root};

#[test]
fn the_gateway_example_does_what_it_says() {
    let [main, api, site, admin] = free_ports();
    let mut text = std::fs::read_to_string(root().join("examples/gateway/envoy.yaml")).unwrap();
    for (port, free) in [("8000", main), ("8001", api), ("8002", site), ("9901", admin)] {
        text = text.replace(&format!("port_value: {port} "), &format!("port_value: {free} "));
    }
    // Where the test can read it.
    let text =
        text.replace("StdoutAccessLog", "StderrAccessLog").replace("access_loggers.stdout", "access_loggers.stderr");
    let mut server = Server::start(&text, admin, &[]);
    let get =
        |port, path| request(port, &format!("GET {path} HTTP/1.1\r\nhost: gw\r\nconnection: close\r\n\r\n")).unwrap();

    let service = get(main, "/api/users");
    assert!(service.starts_with("HTTP/1.1 200 OK\r\n"), "{service}");
    assert!(
        service.contains("\r\nx-hello: gateway\r\n") && service.contains("\r\nx-gateway: sandgate\r\n"),
        "{service}"
    );
    let page = get(main, "/site/page");
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && !page.contains("x-hello"), "{page}");
    assert!(get(main, "/").contains("\r\nlocation: http://gw/site/\r\n"));
    // Escaped slashes are refused, in the form that `local_reply_config` gives to such answers.
    let refused = get(main, "/api/%2f");
    assert!(refused.starts_with("HTTP/1.1 400 ") && refused.contains(r#""code":400"#), "{refused}");
    let plugins = get(admin, "/wasm?format=json");
    assert!(plugins.contains("\"hello\""), "{plugins}");

    server.signal("TERM");
    assert_eq!(server.wait(), Some(0));
    let log = server.log();
    assert!(log.contains(r#""path":"/api/users""#) && log.contains(r#""details":"direct_response""#), "{log}");
}
