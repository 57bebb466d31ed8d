//! Guests in the chain: the whole way from socket to guest and back.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use sandgate_config::model::{CodeSource, FailurePolicy, HttpFilter, HttpFilterKind, Origin, VmConfig, WasmPlugin};

use crate::support::{Client, Proxy, Upstream, bootstrap, cluster, direct, eventually, forward, hcm};

pub(crate) fn plugin(path: &str, configuration: &str) -> HttpFilter {
    let file = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins")).join(path);
    let vm = VmConfig {
        vm_id: String::new(),
        runtime: "envoy.wasm.runtime.wasmtime".into(),
        code: CodeSource::File(file),
        code_origin: Origin::default(),
        configuration: Bytes::new(),
        environment: Vec::new(),
        capabilities: sandgate_host::Capabilities::ALL,
        identity: Bytes::new(),
    };
    let wasm = WasmPlugin {
        name: "p".into(),
        root_id: String::new(),
        vm,
        configuration: Bytes::copy_from_slice(configuration.as_bytes()),
        failure_policy: FailurePolicy::FailClosed,
        fail_open: false,
        reload_backoff: Duration::from_secs(1),
        allow_on_headers_stop_iteration: false,
        identity: Bytes::new(),
        origin: Origin::default(),
    };
    let kind = HttpFilterKind::Wasm(Box::new(wasm));
    HttpFilter { name: "wasm".into(), disabled: false, kind, origin: Origin::default() }
}

fn proxy(upstream: &Upstream, plugins: Vec<HttpFilter>) -> Proxy {
    let mut hcm = hcm(vec![direct("/direct", 200, "direct"), forward("/", "up")]);
    hcm.http_filters.splice(0..0, plugins);
    Proxy::new(hcm, vec![cluster("up", upstream.address)])
}

#[test]
fn headers_are_added_both_ways() {
    let upstream = Upstream::ok();
    let proxy = proxy(&upstream, vec![plugin("header/header.wasm", "")]);
    let mut client = proxy.client();
    for _ in 0..3 {
        let response = client.get("/");
        assert_eq!(response.header("x-plugin"), Some("header"));
        assert_eq!(response.text(), "ok");
    }
    assert!(upstream.requests().iter().all(|request| request.contains("\nx-plugin: header")));
    assert_eq!(client.get("/direct").header("x-plugin"), Some("header"));
}

#[test]
fn guests_log_and_read_their_configuration() {
    let upstream = Upstream::ok();
    let proxy = proxy(&upstream, vec![plugin("hello/hello.wasm", "you")]);
    assert_eq!(proxy.client().get("/path").header("x-hello"), Some("you"));
    eventually("logged", || proxy.log.all().iter().any(|line| line.contains("/path")));
}

#[test]
fn bodies_are_replaced() {
    let upstream = Upstream::ok();
    let proxy = proxy(&upstream, vec![plugin("body/body.wasm", "streamed")]);
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    assert_eq!(client.response().text(), "OK");
    assert!(upstream.requests()[0].ends_with("3\nABC\n0\n\n"), "{:?}", upstream.requests());
}

#[test]
fn guests_answer_themselves() {
    let upstream = Upstream::ok();
    let proxy = proxy(&upstream, vec![plugin("auth/auth.wasm", "secret")]);
    let mut client = proxy.client();
    assert_eq!(client.get("/").status(), 403);
    client.send("GET / HTTP/1.1\r\nhost: a\r\nx-token: secret\r\n\r\n");
    assert_eq!(client.response().status(), 200);
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn a_trap_fails_its_stream() {
    let upstream = Upstream::ok();
    let proxy = proxy(&upstream, vec![plugin("trap/trap.wasm", "")]);
    let mut client = proxy.client();
    assert_eq!(client.get("/").status(), 200);
    client.send("GET / HTTP/1.1\r\nhost: a\r\nx-trap: 1\r\n\r\n");
    assert_eq!(
        client.response().head,
        "HTTP/1.1 503 Service Unavailable\ndate: <date>\nserver: envoy\ncontent-length: 0"
    );
    // Failed closed from now on.
    assert_eq!(client.get("/").status(), 503);
    proxy.expect_stat("http.in.downstream_rq_active", 0);
}

#[test]
fn an_endless_loop_is_stopped() {
    let upstream = Upstream::ok();
    let proxy = proxy(&upstream, vec![plugin("loop/loop.wasm", "")]);
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nhost: a\r\nx-loop: 1\r\n\r\n");
    assert_eq!(client.response().status(), 503);
}

#[test]
fn a_refused_plugin_stops_the_start() {
    let mut hcm = hcm(vec![]);
    hcm.http_filters.insert(0, plugin("configure-false/configure-false.wasm", ""));
    let log: std::sync::Arc<dyn sandgate_host::GuestLog> = std::sync::Arc::new(crate::support::Lines::default());
    let host = sandgate_host::Host::builder(log).default_engines().unwrap().build();
    let options = sandgate_proxy::ServerOptions::new(host);
    let error = sandgate_proxy::Server::start(bootstrap(hcm, vec![]), options).unwrap_err();
    assert!(error.to_string().contains("Unable to create Wasm plugin p"), "{error}");
}

#[test]
fn every_worker_has_its_own_vm() {
    let upstream = Upstream::ok();
    let mut hcm = hcm(vec![forward("/", "up")]);
    hcm.http_filters.insert(0, plugin("header/header.wasm", ""));
    let bootstrap = bootstrap(hcm, vec![cluster("up", upstream.address)]);
    let proxy = Proxy::start(bootstrap, |options| options.concurrency = 2);
    for _ in 0..10 {
        assert_eq!(proxy.client().get("/").header("x-plugin"), Some("header"));
    }
    // The base VM, the main thread's and one for each worker.
    assert_eq!(proxy.stat("wasm.envoy.wasm.runtime.wasmtime.active"), 4);
}

/// A guest that leaves `content-length` as it is and makes bodies shorter must not make one message pass for another.
#[test]
fn a_connection_ends_where_bytes_are_missing() {
    let upstream = Upstream::new(|exchange| {
        // Does not wait for the body.
        exchange.request_head().is_some() && exchange.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
    });
    let script = "on request_body when not $eos:\n  set_buffer_bytes(0, 0, $size, \"x\")\n";
    let proxy = proxy(&upstream, vec![plugin("probe/probe.wasm", script)]);
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello");
    assert_eq!(client.response().text(), "ok");
    assert_eq!(client.get("/").text(), "ok");
    assert_eq!(upstream.connections(), 2);

    let upstream = Upstream::answering("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
    let script = "on response_body when not $eos:\n  set_buffer_bytes(1, 0, $size, \"x\")\n";
    let proxy = self::proxy(&upstream, vec![plugin("probe/probe.wasm", script)]);
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(client.head().contains("\ncontent-length: 5"));
    assert_eq!(client.rest(), b"x");
}

#[test]
fn a_body_that_a_guest_empties_stays_chunked() {
    let upstream = Upstream::ok();
    let script = "on request_body when not $eos:\n  set_buffer_bytes(0, 0, $size, \"\")\n";
    let proxy = proxy(&upstream, vec![plugin("probe/probe.wasm", script)]);
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    assert_eq!(client.response().status(), 200);
    assert!(upstream.requests()[0].ends_with("\ntransfer-encoding: chunked\n\n0\n\n"), "{:?}", upstream.requests());
}

#[test]
fn a_paused_stream_dies_with_its_client() {
    let upstream = Upstream::ok();
    let script = "on request_headers:\n  return 1\non delete:\n  say \"gone\"";
    let proxy = proxy(&upstream, vec![plugin("probe/probe.wasm", script)]);
    for half in [false, true] {
        let mut client = proxy.client();
        // The body stays unread: the stream is paused with its headers.
        client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc");
        proxy.expect_stat("http.in.downstream_rq_active", 1);
        client.expect_silence();
        if half {
            client.half_close();
            client.expect_closed();
        }
        drop(client);
        proxy.expect_stat("http.in.downstream_rq_active", 0);
    }
    eventually("deleted", || proxy.log.all().iter().filter(|line| line.contains("gone")).count() == 2);
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_tick_continues_a_paused_request() {
    let upstream = Upstream::ok();
    let script = "on configure:\n  set_tick_period_milliseconds(20)\n\
                  on request_headers:\n  $paused = $context\n  return 1\n\
                  on tick:\n  set_effective_context($paused)\n  continue_stream(0)";
    let proxy = proxy(&upstream, vec![plugin("probe/probe.wasm", script)]);
    let mut client = proxy.client();
    for _ in 0..3 {
        assert_eq!(client.get("/").text(), "ok");
    }
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc");
    assert_eq!(client.response().text(), "ok");
    assert!(upstream.requests().last().unwrap().ends_with("abc"));
}

#[test]
fn a_buffered_request_above_the_limit_is_refused() {
    let upstream = Upstream::ok();
    let script = "on request_body:\n  return 1";
    let proxy = proxy(&upstream, vec![plugin("probe/probe.wasm", script)]);
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3000000\r\n\r\n");
    let body = vec![b'x'; 1_200_000];
    client.send(&body);
    let response = client.response();
    assert_eq!((response.status(), &*response.text()), (413, "Payload Too Large"));
    assert_eq!(response.header("connection"), Some("close"));
    proxy.expect_stat("http.in.downstream_rq_active", 0);
}

#[test]
fn what_plugins_do_is_reported() {
    let proxy = proxy(&Upstream::ok(), vec![plugin("trap/trap.wasm", "")]);
    let mut client = proxy.client();
    for _ in 0..3 {
        client.get("/");
    }
    let mut admin = Client::connect(proxy.server.admin_address().unwrap());
    let mut report = |pointer: &str| {
        let json: serde_json::Value = serde_json::from_str(&admin.get("/wasm?format=json").text()).unwrap();
        let worker = &json["plugins"][0]["workers"];
        let worker = worker.as_array().unwrap().iter().find(|worker| worker["worker"] == "worker_0").unwrap();
        (json.clone(), worker.pointer(pointer).cloned().unwrap_or_default())
    };
    let (all, callbacks) = report("/callbacks");
    let plugin = &all["plugins"][0];
    assert_eq!((&plugin["name"], &plugin["engine"]), (&"p".into(), &"envoy.wasm.runtime.wasmtime".into()));
    assert_eq!(plugin["module"]["sha256"].as_str().map(str::len), Some(64));
    let callback = |name: &str| callbacks.as_array().unwrap().iter().find(|item| item["name"] == name).cloned();
    assert_eq!(callback("proxy_on_request_headers").unwrap()["calls"], 3);
    assert!(callback("proxy_on_request_headers").unwrap()["cpu_ns"].as_u64().unwrap() > 0);
    assert!(report("/memory/now_bytes").1.as_u64().unwrap() >= 65536);
    assert_eq!((report("/state").1, report("/instances").1), ("running".into(), 1.into()));

    client.send("GET / HTTP/1.1\r\nhost: a\r\nx-trap: 1\r\n\r\n");
    assert_eq!(client.response().status(), 503);
    assert_eq!((report("/state").1, report("/traps").1), ("failed, closed".into(), 1.into()));
    assert!(report("/last_trap/message").1.as_str().unwrap().contains("proxy_on_request_headers"));
    assert!(report("/last_trap/backtrace/0").1.as_str().unwrap().starts_with("0x"));
    assert!(report("/memory/peak_bytes").1.as_u64().unwrap() >= 65536);
    assert!(admin.get("/wasm").text().contains("failed, closed"));
    let series = admin.get("/wasm?format=prometheus").text();
    assert!(
        series.contains("worker=\"worker_0\"} 1\n") && series.contains("callback=\"proxy_on_request_headers\"} 4\n")
    );
}
