//! What is answered when something is wrong. Expected bytes are what Envoy 1.40 sent.

use std::io::Write as _;

use crate::support::{Client, Proxy, Upstream, cluster, eventually, forward, hcm};

const LOCAL: &str = "content-type: text/plain\ndate: <date>\nserver: envoy";

fn refused(bytes: &[u8], status: &str, body: &str) {
    let upstream = Upstream::ok();
    let proxy = Proxy::to(upstream.address);
    let mut client = proxy.client();
    // The server may answer before it has read everything.
    let _ = client.stream.write_all(bytes);
    let response = client.response();
    assert_eq!(response.head, format!("HTTP/1.1 {status}\ncontent-length: {}\n{LOCAL}\nconnection: close", body.len()));
    assert_eq!(response.text(), body);
    client.expect_closed();
    assert_eq!(proxy.stat("http.in.downstream_cx_protocol_error"), 1);
    assert_eq!(proxy.stat("http.in.downstream_rq_total"), 1);
    proxy.expect_stat("http.in.downstream_rq_active", 0);
    assert!(upstream.requests().is_empty());
}

#[test]
fn broken_requests() {
    refused(b"garbage\r\n\r\n", "400 Bad Request", "Bad Request");
    refused(b"GET / HTTP/1.1\r\nbad header\r\n\r\n", "400 Bad Request", "Bad Request");
    refused(b"GET / HTTP/1.0\r\nhost: a\r\n\r\n", "426 Upgrade Required", "Upgrade Required");
    let encoding = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n";
    refused(encoding, "501 Not Implemented", "Not Implemented");
    let large = [&b"GET / HTTP/1.1\r\nhost: a\r\nx: "[..], &[b'a'; 70_000], b"\r\n\r\n"].concat();
    refused(&large, "431 Request Header Fields Too Large", "Request Header Fields Too Large");
}

#[test]
fn broken_bodies_end_their_request() {
    let upstream = Upstream::new(|exchange| {
        exchange.request_head();
        exchange.wait_closed();
        false
    });
    let proxy = Proxy::to(upstream.address);
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n");
    eventually("the request is on its way", || upstream.requests().len() == 1);
    client.send("zz\r\n");
    assert_eq!(client.response().status(), 400);
    client.expect_closed();
    eventually("the upstream request is given up", || upstream.closed() == 1);
}

#[test]
fn requests_that_no_filter_sees() {
    let proxy = Proxy::to(Upstream::ok().address);
    let tail = "date: <date>\nserver: envoy\nconnection: close\ncontent-length: 0";
    for (request, status) in [
        ("GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n", "403 Forbidden"),
        ("CONNECT a.com:80 HTTP/1.1\r\nhost: a\r\n\r\n", "404 Not Found"),
    ] {
        let mut client = proxy.client();
        client.send(request);
        assert_eq!(client.response().head, format!("HTTP/1.1 {status}\n{tail}"));
        client.expect_closed();
    }
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\n\r\n");
    assert_eq!(client.response().head, format!("HTTP/1.1 400 Bad Request\n{tail}"));
    client.expect_closed();
}

fn failing(answer: Option<&'static str>) -> (Proxy, Upstream) {
    let upstream = Upstream::new(move |exchange| {
        exchange.request();
        if let Some(answer) = answer {
            exchange.send(answer);
        }
        false
    });
    (Proxy::to(upstream.address), upstream)
}

fn assert_local(client: &mut Client, status: &str, body: &str) {
    let response = client.get("/");
    assert_eq!(response.head, format!("HTTP/1.1 {status}\ncontent-length: {}\n{LOCAL}", body.len()));
    assert_eq!(response.text(), body);
}

#[test]
fn upstreams_that_fail_before_the_response() {
    let before = "upstream connect error or disconnect/reset before headers. reset reason:";
    for (answer, status, reason) in [
        (None, "503 Service Unavailable", "connection termination"),
        (Some("HTTP/1.1 200 OK\r\ncontent-le"), "502 Bad Gateway", "protocol error"),
        (Some("garbage\r\n\r\n"), "502 Bad Gateway", "protocol error"),
        (
            Some("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n"),
            "502 Bad Gateway",
            "protocol error",
        ),
    ] {
        let (proxy, _upstream) = failing(answer);
        let mut client = proxy.client();
        // The client's connection survives.
        assert_local(&mut client, status, &format!("{before} {reason}"));
        assert_local(&mut client, status, &format!("{before} {reason}"));
        let code = &status[..3];
        assert_eq!(proxy.stat(&format!("cluster.up.upstream_rq_{code}")), 2);
        assert_eq!(proxy.stat("cluster.up.upstream_rq_completed"), 2);
    }
}

#[test]
fn an_upstream_that_is_not_there() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let proxy = Proxy::to(address);
    let body = "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure";
    assert_local(&mut proxy.client(), "503 Service Unavailable", body);
    for (stat, value) in [
        ("upstream_cx_connect_fail", 1),
        ("upstream_cx_total", 1),
        ("upstream_cx_destroy", 1),
        ("upstream_cx_destroy_remote", 1),
        ("upstream_rq_pending_total", 1),
        ("upstream_rq_pending_failure_eject", 1),
        ("upstream_rq_total", 0),
        ("upstream_rq_503", 1),
        ("upstream_cx_active", 0),
        ("upstream_rq_pending_active", 0),
        ("upstream_rq_active", 0),
    ] {
        proxy.expect_stat(&format!("cluster.up.{stat}"), value);
    }
}

#[test]
fn upstreams_that_fail_after_the_response_has_begun() {
    for (answer, received) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", &b"abc"[..]),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n", b"3\r\nabc\r\n"),
        // What came in the same read as the mistake is lost.
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n", b""),
    ] {
        let (proxy, _upstream) = failing(Some(answer));
        let mut client = proxy.client();
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        assert!(client.head().starts_with("HTTP/1.1 200 OK"));
        assert_eq!(client.rest(), received);
        assert_eq!(proxy.stat("http.in.downstream_rq_tx_reset"), 1);
    }
}

#[test]
fn a_cluster_without_hosts_or_that_does_not_exist() {
    let mut empty = cluster("up", ([127, 0, 0, 1], 1).into());
    empty.localities.clear();
    let proxy = Proxy::new(hcm(vec![forward("/none", "nosuch"), forward("/", "up")]), vec![empty]);
    let mut client = proxy.client();
    assert_local(&mut client, "503 Service Unavailable", "no healthy upstream");
    assert_eq!(
        client.get("/none").head,
        "HTTP/1.1 503 Service Unavailable\ndate: <date>\nserver: envoy\ncontent-length: 0"
    );
    assert_eq!(proxy.stat("cluster.up.upstream_cx_none_healthy"), 1);
    assert_eq!(proxy.stat("http.in.no_cluster"), 1);
}

#[test]
fn a_kept_connection_that_the_host_has_closed_is_not_used() {
    let upstream = Upstream::new(|exchange| {
        exchange.request();
        exchange.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        false
    });
    let proxy = Proxy::to(upstream.address);
    let mut client = proxy.client();
    for count in 1..=3 {
        assert_eq!(client.get("/").status(), 200);
        // The close is seen while the connection is idle.
        proxy.expect_stat("cluster.up.upstream_cx_destroy_remote", count);
    }
    assert_eq!(upstream.connections(), 3);
}

#[test]
fn surplus_bytes_end_the_upstream_connection() {
    let upstream = Upstream::answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokEXTRA");
    let proxy = Proxy::to(upstream.address);
    let mut client = proxy.client();
    assert_eq!(client.get("/").text(), "ok");
    assert_eq!(client.get("/").text(), "ok");
    assert_eq!(upstream.connections(), 2);
}

#[test]
fn a_client_that_goes_takes_its_request_with_it() {
    let upstream = Upstream::new(|exchange| {
        exchange.request_head();
        exchange.wait_closed();
        false
    });
    let proxy = Proxy::to(upstream.address);
    // Closed, and closed in one direction only: the same to Envoy.
    for half in [false, true] {
        let mut client = proxy.client();
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        let expected = upstream.closed() + 1;
        eventually("the request is on its way", || upstream.requests().len() == expected);
        if half {
            client.half_close();
            client.expect_closed();
        } else {
            drop(client);
        }
        eventually("the upstream sees the end", || upstream.closed() == expected);
    }
    proxy.expect_stat("http.in.downstream_cx_destroy_remote_active_rq", 2);
    proxy.expect_stat("http.in.downstream_rq_rx_reset", 2);
    proxy.expect_stat("http.in.downstream_rq_active", 0);
    proxy.expect_stat("cluster.up.upstream_rq_active", 0);
}

#[test]
fn bad_bytes_never_hurt() {
    let upstream = Upstream::ok();
    let proxy = Proxy::to(upstream.address);
    let mut seed = 7u32;
    for round in 0..200 {
        let mut client = proxy.client();
        let mut bytes =
            b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n".to_vec();
        for _ in 0..=round % 4 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let at = seed as usize % bytes.len();
            bytes[at] = (seed >> 16) as u8;
        }
        let _ = client.stream.write_all(&bytes);
        client.half_close();
        client.rest();
    }
    proxy.expect_stat("http.in.downstream_cx_active", 0);
    proxy.expect_stat("http.in.downstream_rq_active", 0);
    assert_eq!(proxy.client().get("/").status(), 200);
}
