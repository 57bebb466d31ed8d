//! Compiled modules outlive the process.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};

use crate::support::{Server, free_ports, request, run, sandgate};

const GUEST: &str = "plugins/hello/hello.wasm";

/// A path of this test's own, where nothing is.
fn path(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("sandgate-cache-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    path
}

fn text(output: &Output) -> (bool, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

fn config(admin: u16, port: u16) -> String {
    format!(
        r#"
admin: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {admin} }} }} }}
static_resources:
  listeners:
  - address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: http
          route_config: {{ virtual_hosts: [{{ name: all, domains: ["*"], routes: [{{ match: {{ prefix: / }}, direct_response: {{ status: 200 }} }}] }}] }}
          http_filters:
          - name: hello
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
              config: {{ name: hello, vm_config: {{ runtime: envoy.wasm.runtime.wasmtime, code: {{ local: {{ filename: {GUEST} }} }} }} }}
          - name: envoy.filters.http.router
            typed_config: {{ "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }}
"#
    )
}

fn counted(admin: u16) -> String {
    let get = "GET /stats?filter=module_cache HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let answer = request(admin, get).unwrap();
    answer.lines().filter(|line| !line.ends_with(" 0") && line.starts_with("wasm.")).collect::<Vec<_>>().join(", ")
}

#[test]
fn what_is_compiled_ahead_is_not_compiled_at_the_start() {
    let cache = path("ahead");
    let arguments = ["compile", "--wasm-cache", cache.to_str().unwrap(), GUEST];
    let (success, told, _) = text(&run(&arguments));
    assert!(success && told.starts_with(&format!("{GUEST}: compiled in ")), "{told}");
    let (success, told, _) = text(&run(&arguments));
    assert!(success && told == format!("{GUEST}: already there\n"), "{told}");
    let [admin, port] = free_ports();
    let mut server = Server::start(&config(admin, port), admin, &["--wasm-cache", cache.to_str().unwrap()]);
    assert_eq!(counted(admin), "wasm.module_cache.hits: 1");
    server.signal("TERM");
    assert_eq!(server.wait(), Some(0));
    let log = server.log();
    assert!(log.contains(&format!("Wasm modules: 1 from {}, 0 compiled", cache.display())), "{log}");
    std::fs::remove_dir_all(cache).unwrap();
}

#[test]
fn compile_says_what_cannot_be() {
    let cache = path("broken");
    let broken = "plugins/broken/truncated.wasm";
    let output = run(&["compile", "--wasm-cache", cache.to_str().unwrap(), broken, "nowhere.wasm", GUEST]);
    let (success, told, errors) = text(&output);
    assert!(!success && told.starts_with(&format!("{GUEST}: compiled")), "{told}");
    assert!(errors.contains(&format!("{broken}: Failed to")) && errors.contains("nowhere.wasm: No such"), "{errors}");
    let (success, _, errors) = text(&run(&["compile", "--wasm-cache", "off", GUEST]));
    assert!(!success && errors.contains("--wasm-cache"), "{errors}");
    std::fs::remove_dir_all(cache).unwrap();
}

#[test]
fn a_cache_that_was_asked_for_must_be_safe() {
    let cache = path("open");
    std::fs::create_dir(&cache).unwrap();
    std::fs::set_permissions(&cache, std::fs::Permissions::from_mode(0o777)).unwrap();
    let [admin, port] = free_ports();
    let config = config(admin, port);
    let (success, _, errors) = text(&run(&["run", "--config-yaml", &config, "--wasm-cache", cache.to_str().unwrap()]));
    assert!(!success && errors.contains("its mode 777 lets others write to it"), "{errors}");
    std::fs::remove_dir_all(cache).unwrap();
}

#[test]
fn without_a_word_the_users_cache_is_used() {
    let cache = path("user");
    let [admin, port] = free_ports();
    let config = config(admin, port);
    let check = |extra: &[&str], prepare: &dyn Fn(&mut Command)| {
        let mut command = sandgate(&[&["check", "--config-yaml", &config], extra].concat());
        prepare(command.env("XDG_CACHE_HOME", &cache));
        let (success, _, errors) = text(&command.output().unwrap());
        assert!(success, "{errors}");
        std::fs::read_dir(cache.join("sandgate/modules")).map_or(0, Iterator::count)
    };
    assert_eq!(check(&["--wasm-cache", "off"], &|_| {}), 0);
    let nowhere = check(&[], &|command| {
        command.env("XDG_CACHE_HOME", "relative").env("HOME", "");
    });
    assert_eq!(nowhere, 0);
    assert_eq!(check(&[], &|_| {}), 1);
    // One that cannot be used is done without.
    std::fs::set_permissions(cache.join("sandgate/modules"), std::fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(check(&[], &|_| {}), 1);
    std::fs::remove_dir_all(cache).unwrap();
}
