//! Every time that runs out. Texts are Envoy 1.40's.

use std::time::{Duration, Instant};

use sandgate_config::model::HttpConnectionManager;

use crate::support::{Client, Proxy, Upstream, cluster, eventually, forward, hcm, prefix};

const SHORT: Duration = Duration::from_millis(100);

/// An upstream that answers only on `/ok`, and on `/begin` begins to.
fn silent() -> Upstream {
    Upstream::new(|exchange| {
        let Some(head) = exchange.request_head() else { return false };
        if head.starts_with("GET /ok") {
            return exchange.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        }
        if head.starts_with("GET /begin") {
            exchange.send("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc");
        }
        exchange.wait_closed();
        false
    })
}

fn proxy(upstream: &Upstream, change: impl FnOnce(&mut HttpConnectionManager)) -> Proxy {
    let mut hcm = hcm(vec![prefix("/", "up", |action| action.timeout = None)]);
    change(&mut hcm);
    Proxy::new(hcm, vec![cluster("up", upstream.address)])
}

fn assert_reply(client: &mut Client, status: u16, body: &str, closes: bool) {
    let response = client.response();
    assert_eq!((response.status(), &*response.text()), (status, body), "{}", response.head);
    assert_eq!(response.header("connection"), closes.then_some("close"));
    if closes {
        client.expect_closed();
    }
}

const GET: &str = "GET /x HTTP/1.1\r\nhost: a\r\n\r\n";
const PARTIAL: &str = "POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\na";
const BEGIN: &str = "GET /begin HTTP/1.1\r\nhost: a\r\n\r\n";

#[test]
fn the_route_limits_the_response() {
    let upstream = silent();
    let routes = vec![prefix("/", "up", |action| action.timeout = Some(SHORT))];
    let proxy = Proxy::new(hcm(routes), vec![cluster("up", upstream.address)]);
    let mut client = proxy.client();
    let start = Instant::now();
    client.send(GET);
    assert_reply(&mut client, 504, "upstream request timeout", false);
    assert!(start.elapsed() >= SHORT);
    assert!(upstream.requests()[0].ends_with("x-envoy-expected-rq-timeout-ms: 100"));
    assert_eq!(client.get("/ok").text(), "ok");
    client.send(BEGIN);
    assert!(client.head().contains("200 OK"));
    assert_eq!(client.rest(), b"abc");
    assert_eq!(proxy.stat("cluster.up.upstream_rq_timeout"), 2);
    assert_eq!(proxy.stat("cluster.up.upstream_rq_504"), 1);
    eventually("the upstream is told", || upstream.closed() >= 2);
}

#[test]
fn an_idle_stream_ends() {
    let upstream = silent();
    let proxy = proxy(&upstream, |hcm| hcm.stream_idle_timeout = Some(SHORT));
    let mut client = proxy.client();
    client.send(GET);
    assert_reply(&mut client, 504, "stream timeout", false);
    client.send(PARTIAL);
    assert_reply(&mut client, 408, "stream timeout", true);
    let mut client = proxy.client();
    client.send("GET / HT");
    assert_reply(&mut client, 408, "stream timeout", true);
    let mut client = proxy.client();
    client.send(BEGIN);
    assert!(client.head().contains("200 OK"));
    assert_eq!(client.rest(), b"abc");
    assert_eq!(proxy.stat("http.in.downstream_rq_idle_timeout"), 4);
}

#[test]
fn a_route_has_its_own_idle_timeout() {
    let upstream = silent();
    let route = |path, timeout| {
        prefix(path, "up", |action| {
            action.timeout = None;
            action.idle_timeout = Some(timeout);
        })
    };
    let mut hcm = hcm(vec![route("/x", SHORT), route("/", Duration::ZERO)]);
    hcm.stream_idle_timeout = Some(Duration::from_secs(100));
    let proxy = Proxy::new(hcm, vec![cluster("up", upstream.address)]);
    let mut client = proxy.client();
    client.send(GET);
    assert_reply(&mut client, 504, "stream timeout", false);
    client.send("GET /never HTTP/1.1\r\nhost: a\r\n\r\n");
    client.expect_silence();
}

#[test]
fn a_request_must_come_whole_in_time() {
    let upstream = silent();
    let proxy = proxy(&upstream, |hcm| hcm.request_timeout = Some(SHORT));
    for bytes in ["GET / HT", PARTIAL] {
        let mut client = proxy.client();
        client.send(bytes);
        assert_reply(&mut client, 408, "request timeout", true);
    }
    let mut client = proxy.client();
    client.send(GET);
    client.expect_silence();
    assert_eq!(proxy.stat("http.in.downstream_rq_timeout"), 2);
}

#[test]
fn a_head_must_come_whole_in_time() {
    let upstream = silent();
    let proxy = proxy(&upstream, |hcm| hcm.request_headers_timeout = Some(SHORT));
    let mut client = proxy.client();
    client.send("GET / HT");
    assert_reply(&mut client, 408, "request header timeout", true);
    let mut client = proxy.client();
    client.send(PARTIAL);
    client.expect_silence();
}

#[test]
fn a_stream_may_last_so_long() {
    let upstream = silent();
    let proxy = proxy(&upstream, |hcm| hcm.max_stream_duration = Some(SHORT));
    let mut client = proxy.client();
    client.send(GET);
    assert_reply(&mut client, 504, "downstream duration timeout", false);
    client.send(PARTIAL);
    assert_reply(&mut client, 408, "downstream duration timeout", true);
}

#[test]
fn an_idle_connection_is_closed() {
    let upstream = silent();
    let proxy = proxy(&upstream, |hcm| {
        hcm.idle_timeout = Some(SHORT);
        hcm.drain_timeout = SHORT;
        hcm.delayed_close_timeout = Some(SHORT);
    });
    // Before its first byte at once, later with Envoy's drain sequence.
    proxy.client().expect_closed();
    let mut client = proxy.client();
    assert_eq!(client.get("/ok").header("connection"), None);
    client.expect_closed();
    assert_eq!(proxy.stat("http.in.downstream_cx_idle_timeout"), 2);
}

#[test]
fn an_old_connection_is_drained() {
    let upstream = silent();
    let proxy = proxy(&upstream, |hcm| hcm.max_connection_duration = Some(SHORT));
    proxy.client().expect_closed();
    let mut client = proxy.client();
    assert_eq!(client.get("/ok").header("connection"), None);
    proxy.expect_stat("http.in.downstream_cx_max_duration_reached", 2);
    assert_eq!(client.get("/ok").header("connection"), Some("close"));
    client.expect_closed();
}

#[test]
fn a_host_that_does_not_answer_the_connect() {
    // A listener whose queue is full: the system drops further connection requests.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any: std::net::SocketAddr = ([127, 0, 0, 1], 0).into();
    socket.bind(&any.into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let fillers: Vec<_> = (0..4)
        .map(|_| {
            let filler = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
            filler.set_nonblocking(true).unwrap();
            let _ = filler.connect(&address.into());
            filler
        })
        .collect();
    let mut up = cluster("up", address);
    up.connect_timeout = SHORT;
    let proxy = Proxy::new(hcm(vec![forward("/", "up")]), vec![up]);
    let mut client = proxy.client();
    let response = client.get("/");
    let text = "upstream connect error or disconnect/reset before headers. reset reason: connection timeout";
    assert_eq!((response.status(), &*response.text()), (503, text));
    assert_eq!(proxy.stat("cluster.up.upstream_cx_connect_timeout"), 1);
    assert_eq!(proxy.stat("cluster.up.upstream_cx_connect_fail"), 1);
    drop(fillers);
}

#[test]
fn an_idle_upstream_connection_is_closed() {
    let upstream = silent();
    let mut up = cluster("up", upstream.address);
    up.http.idle_timeout = Some(SHORT);
    let proxy = Proxy::new(hcm(vec![forward("/", "up")]), vec![up]);
    assert_eq!(proxy.client().get("/ok").text(), "ok");
    eventually("the idle connection ends", || upstream.closed() == 1);
    proxy.expect_stat("cluster.up.upstream_cx_idle_timeout", 1);
    proxy.expect_stat("cluster.up.upstream_cx_active", 0);
}

#[test]
fn a_refused_client_gets_time_to_read() {
    let upstream = silent();
    let proxy = proxy(&upstream, |hcm| hcm.delayed_close_timeout = Some(SHORT));
    let mut client = proxy.client();
    let start = Instant::now();
    client.send("garbage\r\n\r\n");
    assert_eq!(client.response().status(), 400);
    client.expect_closed();
    assert!(start.elapsed() >= SHORT);
}
