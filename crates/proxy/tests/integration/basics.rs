//! What passes, byte for byte. Expected bytes are what Envoy 1.40 sent and received.

use sandgate_config::model::HttpConnectionManager;

use crate::support::{Proxy, Upstream, cluster, direct, forward, hcm};

const OK: &str = "HTTP/1.1 200 OK\ncontent-length: 2\nx-up: 1\n\
    x-envoy-upstream-service-time: <x-envoy-upstream-service-time>\ndate: <date>\nserver: envoy";

fn with(upstream: &Upstream, change: impl FnOnce(&mut HttpConnectionManager)) -> Proxy {
    let mut hcm = hcm(vec![direct("/direct", 202, "direct"), direct("/empty", 204, ""), forward("/", "up")]);
    change(&mut hcm);
    Proxy::new(hcm, vec![cluster("up", upstream.address)])
}

#[test]
fn a_request_and_its_response() {
    let upstream = Upstream::ok();
    let proxy = Proxy::to(upstream.address);
    let mut client = proxy.client();
    client.send("GET /ok?q HTTP/1.1\r\nHost: a.com\r\nUser-Agent: x\r\nX-A: 1\r\nX-b: 2\r\n\r\n");
    let response = client.response();
    assert_eq!(response.head, OK);
    assert_eq!(response.text(), "ok");
    assert_eq!(
        upstream.requests(),
        ["GET /ok?q HTTP/1.1\nhost: a.com\nuser-agent: x\nx-a: 1\nx-b: 2\nx-forwarded-proto: http\n\
          x-request-id: <id>\nx-envoy-expected-rq-timeout-ms: 15000"]
    );
}

#[test]
fn connections_are_kept_on_both_sides() {
    let upstream = Upstream::ok();
    let proxy = Proxy::to(upstream.address);
    let mut client = proxy.client();
    for _ in 0..20 {
        assert_eq!(client.get("/").head, OK);
    }
    drop(client);
    assert_eq!(proxy.client().get("/").head, OK);
    assert_eq!(upstream.connections(), 1);
    assert_eq!(proxy.stat("cluster.up.upstream_cx_total"), 1);
    assert_eq!(proxy.stat("cluster.up.upstream_rq_total"), 21);
    assert_eq!(proxy.stat("http.in.downstream_cx_total"), 2);
    proxy.expect_stat("http.in.downstream_cx_active", 0);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let upstream = Upstream::ok();
    let proxy = with(&upstream, |_| ());
    let mut client = proxy.client();
    let get = |path| format!("GET {path} HTTP/1.1\r\nhost: a.com\r\n\r\n");
    client.send([get("/1"), get("/direct"), get("/2"), get("/empty"), get("/3")].concat());
    let statuses: Vec<_> = (0..5).map(|_| client.response().status()).collect();
    assert_eq!(statuses, [200, 202, 200, 204, 200]);
    assert_eq!(upstream.requests().len(), 3);
}

#[test]
fn bodies_keep_their_framing() {
    let upstream = Upstream::ok();
    let proxy = Proxy::to(upstream.address);
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc");
    assert_eq!(client.response().status(), 200);
    client.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nt: 1\r\n\r\n");
    assert_eq!(client.response().status(), 200);
    let requests = upstream.requests();
    assert_eq!(
        requests[0],
        "POST / HTTP/1.1\nhost: a\ncontent-length: 3\nx-forwarded-proto: http\nx-request-id: <id>\n\
         x-envoy-expected-rq-timeout-ms: 15000\n\nabc"
    );
    assert_eq!(
        requests[1],
        "POST / HTTP/1.1\nhost: a\nx-forwarded-proto: http\nx-request-id: <id>\n\
         x-envoy-expected-rq-timeout-ms: 15000\ntransfer-encoding: chunked\n\n3\nabc\n0\n\n"
    );
}

#[test]
fn responses_keep_their_framing() {
    let upstream =
        Upstream::answering("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nt: 1\r\n\r\n");
    let proxy = Proxy::to(upstream.address);
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(client.head().ends_with("server: envoy\ntransfer-encoding: chunked"));
    assert_eq!(client.until(b"0\r\n\r\n"), b"3\r\nabc\r\n0\r\n\r\n");

    let upstream = Upstream::new(|exchange| {
        exchange.request();
        exchange.send("HTTP/1.1 200 OK\r\nx: 1\r\n\r\nuntil close");
        false
    });
    let proxy = Proxy::to(upstream.address);
    let mut client = proxy.client();
    let response = client.get("/");
    assert_eq!(response.header("transfer-encoding"), Some("chunked"));
    assert_eq!(response.text(), "until close");
    assert_eq!(client.get("/").text(), "until close");
}

#[test]
fn trailers_pass_if_enabled() {
    let upstream =
        Upstream::answering("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: 1\r\n\r\n");
    let mut hcm = hcm(vec![forward("/", "up")]);
    hcm.http1.enable_trailers = true;
    let mut up = cluster("up", upstream.address);
    up.http.http1.enable_trailers = true;
    let proxy = Proxy::new(hcm, vec![up]);
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nxyz\r\n0\r\nR: 2\r\n\r\n");
    client.head();
    assert_eq!(client.until(b"\r\n\r\n"), b"3\r\nabc\r\n0\r\nt: 1\r\n\r\n");
    assert!(upstream.requests()[0].ends_with("\n\n3\nxyz\n0\nr: 2\n\n"), "{:?}", upstream.requests());
}

#[test]
fn head_and_bodiless_responses() {
    let upstream = Upstream::new(|exchange| {
        let Some(head) = exchange.request() else { return false };
        match head.split(' ').nth(1) {
            Some("/204") => exchange.send("HTTP/1.1 204 No Content\r\n\r\n"),
            Some("/304") => exchange.send("HTTP/1.1 304 Not Modified\r\ncontent-length: 20\r\n\r\n"),
            Some("/103") => exchange
                .send("HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"),
            _ => exchange.send("HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n"),
        }
    });
    let proxy = Proxy::to(upstream.address);
    let mut client = proxy.client();
    for (line, status) in [("HEAD /", 200), ("GET /204", 204), ("GET /304", 304), ("GET /103", 200)] {
        client.send(format!("{line} HTTP/1.1\r\nhost: a\r\n\r\n"));
        let head = client.head();
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        assert!(!head.contains("transfer-encoding"));
    }
    assert_eq!(client.exactly(2), b"ok");
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn local_answers() {
    let upstream = Upstream::ok();
    let proxy = with(&upstream, |_| ());
    let mut client = proxy.client();
    let response = client.get("/direct?x");
    assert_eq!(
        response.head,
        "HTTP/1.1 202 Accepted\ncontent-length: 6\ncontent-type: text/plain\ndate: <date>\nserver: envoy"
    );
    assert_eq!(response.text(), "direct");
    assert_eq!(client.get("/empty").head, "HTTP/1.1 204 No Content\ndate: <date>\nserver: envoy");
    assert_eq!(
        client.get("*").head,
        "HTTP/1.1 400 Bad Request\ncontent-length: 11\ncontent-type: text/plain\n\
        date: <date>\nserver: envoy\nconnection: close"
    );
    let mut client = proxy.client();
    client.send("OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(client.response().head, "HTTP/1.1 404 Not Found\ndate: <date>\nserver: envoy\ncontent-length: 0");
    client.send("HEAD /direct HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(client.head().contains("\ncontent-length: 6\ncontent-type: text/plain\n"));
    assert_eq!(client.get("/direct").text(), "direct");
}

#[test]
fn no_route_is_404() {
    let proxy = Proxy::new(hcm(vec![direct("/a", 200, "")]), vec![]);
    let mut client = proxy.client();
    assert_eq!(client.get("/b").head, "HTTP/1.1 404 Not Found\ndate: <date>\nserver: envoy\ncontent-length: 0");
    assert_eq!(proxy.stat("http.in.no_route"), 1);
    assert_eq!(proxy.stat("http.in.downstream_rq_4xx"), 1);
    assert_eq!(client.get("/a").status(), 200);
}

#[test]
fn the_client_may_ask_for_the_end() {
    let upstream = Upstream::ok();
    let proxy = with(&upstream, |_| ());
    for path in ["/", "/direct"] {
        let mut client = proxy.client();
        client.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"));
        assert!(client.response().head.ends_with("server: envoy\nconnection: close"));
        client.expect_closed();
    }
    assert!(!upstream.requests()[0].contains("connection"));
}

#[test]
fn a_reply_before_the_request_is_complete_ends_the_connection() {
    let upstream = Upstream::new(|exchange| {
        exchange.request_head();
        exchange.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        exchange.wait_closed();
        false
    });
    let proxy = with(&upstream, |_| ());
    // Also if the rest has come but nobody waited for it.
    for (path, length) in [("/direct", 10), ("/direct", 3), ("/", 10)] {
        let mut client = proxy.client();
        client.send(format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\nabc"));
        let response = client.response();
        assert!(response.head.ends_with("server: envoy\nconnection: close"), "{}", response.head);
        assert_eq!(response.header("x-envoy-upstream-service-time"), None);
        client.expect_closed();
    }
    // The connection to the upstream cannot be used again.
    crate::support::eventually("closed upstream", || upstream.closed() == 1);
    proxy.expect_stat("http.in.downstream_rq_response_before_rq_complete", 3);
}

#[test]
fn expectations_are_answered_here_unless_passed_on() {
    let upstream = Upstream::ok();
    let request = "POST /x HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n";
    let proxy = with(&upstream, |_| ());
    let mut client = proxy.client();
    client.send(request);
    assert_eq!(client.head(), "HTTP/1.1 100 Continue");
    client.send("abc");
    assert_eq!(client.response().head, OK);
    assert!(!upstream.requests()[0].contains("\nexpect:"));

    let upstream = Upstream::new(|exchange| {
        exchange.request_head().is_some()
            && exchange.send("HTTP/1.1 100 Continue\r\n\r\n")
            && exchange.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
    });
    let proxy = with(&upstream, |hcm| hcm.proxy_100_continue = true);
    let mut client = proxy.client();
    client.send(request);
    assert_eq!(client.head(), "HTTP/1.1 100 Continue");
    assert_eq!(client.response().status(), 200);
    assert!(upstream.requests()[0].contains("expect: 100-continue"));
}

#[test]
fn http_10_is_served_if_accepted() {
    let upstream = Upstream::ok();
    let proxy = with(&upstream, |hcm| hcm.http1.accept_http_10 = true);
    let mut client = proxy.client();
    client.send("GET / HTTP/1.0\r\nhost: a\r\nconnection: keep-alive\r\n\r\n");
    assert!(client.response().head.ends_with("server: envoy\nconnection: keep-alive"));
    client.send("GET / HTTP/1.0\r\nhost: a\r\n\r\n");
    let head = client.response().head;
    assert!(head.starts_with("HTTP/1.0 200 OK\n") && head.ends_with("connection: close"), "{head}");
    client.expect_closed();
}

#[test]
fn server_header_and_request_ids_follow_the_configuration() {
    let upstream = Upstream::answering("HTTP/1.1 200 OK\r\nServer: up\r\ncontent-length: 0\r\n\r\n");
    let proxy = with(&upstream, |hcm| {
        hcm.server_header_transformation = sandgate_config::model::ServerHeaderTransformation::PassThrough;
        hcm.always_set_request_id_in_response = true;
    });
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nhost: a\r\nx-request-id: mine\r\n\r\n");
    let response = client.response();
    assert_eq!(response.header("server"), Some("up"));
    assert_eq!(response.header("x-request-id"), Some("mine"));
}

#[test]
fn a_connection_serves_its_last_request() {
    let upstream = Upstream::ok();
    let mut hcm = hcm(vec![forward("/", "up")]);
    hcm.max_requests_per_connection = Some(2);
    let mut up = cluster("up", upstream.address);
    up.http.max_requests_per_connection = Some(1);
    let proxy = Proxy::new(hcm, vec![up]);
    let mut client = proxy.client();
    assert_eq!(client.get("/").head, OK);
    assert!(client.get("/").head.ends_with("connection: close"));
    client.expect_closed();
    assert_eq!(upstream.connections(), 2);
    assert_eq!(proxy.stat("cluster.up.upstream_cx_max_requests"), 2);
    assert_eq!(proxy.stat("http.in.downstream_cx_max_requests_reached"), 1);
}

#[test]
fn workers_share_the_port() {
    for reuse_port in [true, false] {
        let upstream = Upstream::ok();
        let mut bootstrap =
            crate::support::bootstrap(hcm(vec![forward("/", "up")]), vec![cluster("up", upstream.address)]);
        bootstrap.listeners[0].enable_reuse_port = reuse_port;
        let proxy = Proxy::start(bootstrap, |options| options.concurrency = 3);
        let clients: Vec<_> = (0..30).map(|_| proxy.client()).collect();
        for mut client in clients {
            assert_eq!(client.get("/").status(), 200);
        }
        assert_eq!(proxy.stat("http.in.downstream_rq_2xx"), 30);
    }
}

#[test]
fn direct_responses_name_their_own_address() {
    let proxy = Proxy::new(hcm(vec![direct("/201", 201, ""), direct("/301", 301, ""), direct("/", 400, "")]), vec![]);
    let mut client = proxy.client();
    assert_eq!(client.get("/201").header("location"), Some("http://a.com/201"));
    assert_eq!(client.get("/301?q").header("location"), Some("http://a.com/301?q"));
    assert_eq!(client.get("/").header("location"), None);
}

#[test]
fn via_is_appended_both_ways() {
    let upstream = Upstream::answering("HTTP/1.1 200 OK\r\nvia: 1.1 up\r\ncontent-length: 0\r\n\r\n");
    let proxy = with(&upstream, |hcm| hcm.via = "gate".to_owned());
    let mut client = proxy.client();
    assert_eq!(client.get("/").header("via"), Some("1.1 up, gate"));
    assert_eq!(client.get("/direct").header("via"), Some("gate"));
    assert!(upstream.requests()[0].contains("\nx-forwarded-proto: http\nvia: gate\nx-request-id: "));
}

#[test]
fn responses_are_counted_by_who_asked() {
    let upstream = Upstream::ok();
    let proxy = Proxy::to(upstream.address);
    assert_eq!(proxy.client().get("/").status(), 200);
    for name in ["upstream_rq_200", "upstream_rq_2xx", "upstream_rq_completed"] {
        assert_eq!(proxy.stat(&format!("cluster.up.external.{name}")), 1);
        assert_eq!(proxy.stat(&format!("cluster.up.{name}")), 1);
    }
    assert_eq!((proxy.stat("server.live"), proxy.stat("listener_manager.total_listeners_active")), (1, 1));
}
