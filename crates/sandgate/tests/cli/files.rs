//! Listeners and clusters in files of their own, as in `examples/files`, replaced while requests are under way.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use crate::support::{Server, free_ports, poll, request, root};

/// A copy of the example with ports that are free.
struct Files {
    directory: PathBuf,
    listeners: String,
    main: u16,
    admin: u16,
}

impl Files {
    fn new(name: &str) -> Self {
        let [main, behind, admin] = free_ports();
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let place = directory.display().to_string();
        let read = |file: &str| {
            let text = std::fs::read_to_string(root().join("examples/files").join(file)).unwrap();
            let text = text.replace("port_value: 8000}", &format!("port_value: {main}}}"));
            let text = text.replace("port_value: 8001}", &format!("port_value: {behind}}}"));
            text.replace("port_value: 9901}", &format!("port_value: {admin}}}")).replace("examples/files", &place)
        };
        let files = Self { listeners: read("lds.yaml"), main, admin, directory };
        files.write("lds.yaml", &files.listeners);
        files.write("cds.yaml", &read("cds.yaml"));
        files.write("envoy.yaml", &read("envoy.yaml"));
        files
    }

    /// Moves a file with that text to its place.
    fn write(&self, file: &str, text: &str) {
        let next = self.directory.join(format!("{file}.next"));
        std::fs::write(&next, text).unwrap();
        std::fs::rename(next, self.directory.join(file)).unwrap();
    }

    fn start(&self) -> Server {
        let config = std::fs::read_to_string(self.directory.join("envoy.yaml")).unwrap();
        // Nobody reads what it logs meanwhile.
        Server::start(&config, self.admin, &["--drain-time-s", "1", "--log-level", "warning"])
    }

    fn get(&self, path: &str) -> String {
        request(self.main, &format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")).unwrap()
    }

    /// What the admin interface says of all resources (CSDS), with the status of the answer.
    fn status(&self, body: &str) -> String {
        let length = body.len();
        let head = "POST /v3/discovery:client_status HTTP/1.1\r\nhost: a\r\nconnection: close\r\n";
        request(self.admin, &format!("{head}content-length: {length}\r\n\r\n{body}")).unwrap()
    }

    fn stat(&self, name: &str) -> Option<u64> {
        let path = format!("/stats?filter=^{}$", name.replace('.', "\\."));
        let page =
            request(self.admin, &format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")).unwrap();
        page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")?.parse().ok())
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

#[test]
fn files_that_are_moved_to_their_place_hold() {
    let files = Files::new("files");
    let _server = files.start();
    assert!(files.get("/").ends_with("hello from a file\n"));
    assert!(files.get("/upstream").ends_with("hello from the upstream\n"));

    files.write("lds.yaml", &files.listeners.replace("hello from a file", "good bye"));
    poll("another answer", || files.get("/").ends_with("good bye\n"));

    // What is wrong is refused, and what was there serves on.
    let rejected = files.stat("listener_manager.lds.update_rejected").unwrap_or(0);
    files.write("lds.yaml", &files.listeners.replace("prefix: /}\n", "prefix: /, no_such_field: 1}\n"));
    files.write("lds.yaml", &files.listeners.replace("domains: [\"*\"]", "domains: []"));
    poll("the refusal", || files.stat("listener_manager.lds.update_rejected").unwrap_or(0) > rejected);
    assert!(files.get("/").ends_with("good bye\n"));

    // A listener that is not there any more takes no connections.
    files.write("lds.yaml", "version_info: \"3\"\nresources: []\n");
    poll("the listener to go", || TcpStream::connect(("127.0.0.1", files.main)).is_err());
    files.write("lds.yaml", &files.listeners);
    poll("the listener to come again", || TcpStream::connect(("127.0.0.1", files.main)).is_ok());
    assert!(files.get("/").ends_with("hello from a file\n"));
}

#[test]
fn the_status_of_resources_is_told() {
    let files = Files::new("status");
    let _server = files.start();
    let acked = files.status("");
    assert!(acked.starts_with("HTTP/1.1 200 OK\r\n"), "{acked}");
    assert_eq!(acked.matches("\"client_status\": \"ACKED\"").count(), 3, "two listeners and a cluster: {acked}");
    assert!(acked.contains("\"type_url\": \"type.googleapis.com/envoy.config.listener.v3.Listener\""), "{acked}");
    assert!(acked.contains("\"version_info\": \"1\"") && acked.contains("\"node\": {"), "{acked}");

    let wrong = files.listeners.replace("version_info: \"1\"", "version_info: \"2\"");
    files.write("lds.yaml", &wrong.replace("domains: [\"*\"]", "domains: []"));
    poll("the refusal", || files.status("{}").contains("\"client_status\": \"NACKED\""));
    let nacked = files.status("{\"exclude_resource_contents\": true}");
    assert!(nacked.contains("virtual_hosts[0].domains"), "{nacked}");
    assert!(nacked.contains("\"version_info\": \"1\"") && nacked.contains("\"version_info\": \"2\""), "{nacked}");

    let refused = files.status("{\"node_matchers\": [{}]}");
    assert!(refused.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{refused}");
    assert!(refused.contains("INVALID_ARGUMENT: node_matchers: there is only this node"), "{refused}");
    assert!(files.status("{").starts_with("HTTP/1.1 400 Bad Request\r\n"));
}

/// Sends requests on kept connections until told to stop; a connection that says `close` is left for another.
fn client(port: u16, stop: &AtomicBool, answered: &AtomicUsize) {
    while !stop.load(Relaxed) {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        loop {
            stream.write_all(b"GET /upstream HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
            let mut answer = Vec::new();
            let mut piece = [0; 4096];
            while !answer.ends_with(b"hello from the upstream\n") {
                let count = stream.read(&mut piece).unwrap();
                let text = String::from_utf8_lossy(&answer);
                assert!(count > 0, "the connection was closed after {text:?}");
                answer.extend_from_slice(&piece[..count]);
            }
            let text = String::from_utf8_lossy(&answer);
            assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
            answered.fetch_add(1, Relaxed);
            if text.contains("connection: close") || stop.load(Relaxed) {
                break;
            }
        }
    }
}

#[test]
fn updates_under_load_lose_no_request_and_leave_nothing_behind() {
    const UPDATES: usize = 40;
    let files = Files::new("updates");
    // With a plugin, in a VM that all versions share.
    let plugin = r#"        - name: hello
          typed_config:
            "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
            config:
              name: hello
              root_id: hello
              vm_config: {code: {local: {filename: plugins/hello/hello.wasm}}}
              configuration: {"@type": type.googleapis.com/google.protobuf.StringValue, value: VALUE}
        - name: envoy.filters.http.router
"#;
    let listeners = files.listeners.replacen("        - name: envoy.filters.http.router\n", plugin, 1);
    files.write("lds.yaml", &listeners.replace("VALUE", "first"));
    let _server = files.start();
    let vms = files.stat("wasm.wasm_vm_count").unwrap();

    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            let port = files.main;
            std::thread::spawn(move || client(port, &stop, &answered))
        })
        .collect();
    for update in 0..UPDATES {
        let value = format!("update-{update}");
        if update % 5 == 4 {
            // A plugin without code.
            files.write("lds.yaml", &listeners.replace("hello.wasm", "none.wasm").replace("VALUE", &value));
            continue;
        }
        files.write("lds.yaml", &listeners.replace("VALUE", &value));
        poll("the update to hold", || files.get("/").contains(&format!("x-hello: {value}\r\n")));
    }
    let before = answered.load(Relaxed);
    poll("requests to go on", || answered.load(Relaxed) > before + 20);
    stop.store(true, Relaxed);
    // A failed request has ended its thread with a panic.
    clients.into_iter().for_each(|client| client.join().unwrap());
    poll("what was drained to be gone", || {
        files.stat("wasm.wasm_vm_count") == Some(vms)
            && files.stat("listener_manager.total_filter_chains_draining").unwrap_or(0) == 0
    });
    assert!(files.stat("listener_manager.listener_in_place_updated").unwrap_or(0) >= UPDATES as u64 / 2);
}
