//! Plugins that call a gRPC service themselves.

use std::sync::atomic::Ordering::SeqCst;

use super::service::Server;
use super::{MIB, given_up, http2_cluster};
use crate::support::{Proxy, eventually, forward, hcm};
use crate::wasm::plugin;

/// A note that says hello, serialized; in a script.
const HELLO: &str = "\"\\x0a\\x05hello\"";

/// A proxy whose requests wait for what the probe's `script` calls at `server`.
fn calling(server: &Server, script: &str) -> Proxy {
    let mut hcm = hcm(vec![forward("/", "up")]);
    let script = format!(
        "on grpc_close when $code != 0:\n  $status = get_status()\n  set_effective_context($stream)\n  send_local_response(500, \"\", \"failed \" + $code, \"\", -1)\n{script}"
    );
    hcm.http_filters.insert(0, plugin("probe/probe.wasm", &script));
    Proxy::new(hcm, vec![http2_cluster(server)])
}

fn over(proxy: &Proxy) {
    proxy.expect_stat("cluster.up.upstream_rq_active", 0);
    proxy.expect_stat("http.in.downstream_rq_active", 0);
}

const ANSWER: &str = "on grpc_receive:\n  $answer = get_buffer_bytes(5, 0, 100)\n  set_effective_context($stream)\n  send_local_response(200, \"\", $answer, \"\", -1)\n";

#[test]
fn one_for_one() {
    let server = Server::start();
    let script = format!(
        "on request_headers:\n  grpc_call(\"up\", \"test.Notes\", \"Echo\", {{\"x-m-text\": \"a\", \"x-m-data-bin\": \"\\x00\\xff\"}}, {HELLO}, 60000)\n  return 1\n{ANSWER}"
    );
    let proxy = calling(&server, &script);
    let mut client = proxy.client();
    for _ in 0..3 {
        assert_eq!(client.get("/").text(), "\n\u{5}hello");
    }
    over(&proxy);
}

#[test]
fn errors() {
    let server = Server::start();
    let script = format!(
        "on request_headers:\n  grpc_call(\"up\", \"test.Notes\", header(\"x-method\"), {{}}, {HELLO}, 60000)\n  return 1\n{ANSWER}"
    );
    let proxy = calling(&server, &script);
    let mut client = proxy.client();
    for (method, code) in [("Fail", 9), ("FailLater", 15), ("Unknown", 12)] {
        client.send(format!("GET / HTTP/1.1\r\nhost: a\r\nx-method: {method}\r\n\r\n"));
        assert_eq!(client.response().text(), format!("failed {code}"));
    }
    over(&proxy);
}

#[test]
fn many_messages_on_a_stream() {
    let server = Server::start();
    let script = format!(
        "on request_headers:\n  $token = grpc_stream(\"up\", \"test.Notes\", \"Echo\", {{}})\n  quiet times 1000: grpc_send($token, {HELLO}, 0)\n  grpc_close($token)\n  return 1\n\
         on grpc_receive:\n  $received = $nth\n\
         on grpc_close when $code == 0:\n  set_effective_context($stream)\n  send_local_response(200, \"\", \"received \" + $received, \"\", -1)\n"
    );
    let proxy = calling(&server, &script);
    assert_eq!(proxy.client().get("/").text(), "received 1000");
    assert_eq!(server.seen.notes.load(SeqCst), 1000);
    over(&proxy);
}

#[test]
fn turns_on_a_stream() {
    let server = Server::start();
    let script = format!(
        "on request_headers:\n  $token = grpc_stream(\"up\", \"test.Notes\", \"Echo\", {{}})\n  grpc_send($token, {HELLO}, 0)\n  return 1\n\
         on grpc_receive when $nth < 100:\n  grpc_send($token, {HELLO}, 0)\non grpc_receive when $nth == 100:\n  grpc_close($token)\n\
         on grpc_close when $code == 0:\n  set_effective_context($stream)\n  send_local_response(200, \"\", \"done\", \"\", -1)\n"
    );
    let proxy = calling(&server, &script);
    assert_eq!(proxy.client().get("/").text(), "done");
    assert_eq!(server.seen.notes.load(SeqCst), 100);
    over(&proxy);
}

/// More than any window: the service takes it when it can.
#[test]
fn long_messages() {
    let server = Server::start();
    let script = format!(
        "on request_headers:\n  $token = grpc_stream(\"up\", \"test.Notes\", \"Echo\", {{}})\n  $note = \"\\x12\\x80\\x80\\x40\" + repeat(\"x\", {MIB})\n  quiet times 16: grpc_send($token, $note, 0)\n  grpc_close($token)\n  return 1\n\
         on grpc_receive when $size != {}:\n  trap unreachable\n\
         on grpc_close when $code == 0:\n  set_effective_context($stream)\n  send_local_response(200, \"\", \"done\", \"\", -1)\n",
        MIB + 4
    );
    let proxy = calling(&server, &script);
    assert_eq!(proxy.client().get("/").text(), "done");
    assert_eq!(server.seen.notes.load(SeqCst), 16);
    over(&proxy);
}

#[test]
fn deadlines() {
    let server = Server::start();
    let script =
        format!("on request_headers:\n  grpc_call(\"up\", \"test.Notes\", \"Wait\", {{}}, {HELLO}, 100)\n  return 1\n");
    let proxy = calling(&server, &script);
    // Envoy's client answers for itself, as if the service were not there; the service may be the first to notice.
    let text = proxy.client().get("/").text();
    assert!(text == "failed 14" || text == "failed 1" || text == "failed 4", "{text}");
    given_up(&server);
    over(&proxy);
}

#[test]
fn cancelled_calls_are_given_up() {
    let server = Server::start();
    let script = format!(
        "on request_headers when $path == \"/call\":\n  $call = grpc_call(\"up\", \"test.Notes\", \"Wait\", {{}}, {HELLO}, 0)\n  $token = grpc_stream(\"up\", \"test.Notes\", \"Wait\", {{}})\n  send_local_response(200, \"\", \"\", \"\", -1)\n  return 1\n\
         on request_headers when $path == \"/cancel\":\n  grpc_cancel($call)\n  grpc_cancel($token)\n  send_local_response(200, \"\", \"\", \"\", -1)\n  return 1\n"
    );
    let proxy = calling(&server, &script);
    let mut client = proxy.client();
    client.get("/call");
    eventually("both wait", || server.seen.waiting.load(SeqCst) == 2);
    client.get("/cancel");
    given_up(&server);
    over(&proxy);
}

#[test]
fn calls_end_with_the_proxy() {
    let server = Server::start();
    let script = format!(
        "on request_headers:\n  times 50: grpc_call(\"up\", \"test.Notes\", \"Wait\", {{}}, {HELLO}, 0)\n  send_local_response(200, \"\", \"\", \"\", -1)\n  return 1\n"
    );
    let proxy = calling(&server, &script);
    proxy.client().get("/");
    eventually("all wait", || server.seen.waiting.load(SeqCst) == 50);
    drop(proxy);
    eventually("all given up", || server.seen.abandoned.load(SeqCst) == 50);
}
