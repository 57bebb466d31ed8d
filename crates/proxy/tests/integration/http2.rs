//! Clients that speak HTTP/2.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{Reason, RecvStream, SendStream};
use http::{Request, Response};
use sandgate_config::model::Keepalive;
use tokio::net::TcpStream;

use crate::support::{PATIENCE, Proxy, Upstream, cluster, direct, eventually, hcm, prefix};

const BODY: usize = 64 * 1024 * 1024;
/// What the proxy, the windows and the sockets may hold of a body.
const BOUND: usize = 48 * 1024 * 1024;

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, test).await.expect("it takes too long") })
}

/// A client whose connection a task drives; what the connection ended with comes from the task.
async fn connect(address: SocketAddr) -> (SendRequest<Bytes>, tokio::task::JoinHandle<Result<(), h2::Error>>) {
    let (client, connection) = h2::client::handshake(TcpStream::connect(address).await.unwrap()).await.unwrap();
    (client.ready().await.unwrap(), tokio::spawn(connection))
}

/// Waits until a stat has this value, while the client's connection goes on.
async fn stat_is(proxy: &Proxy, name: &str, value: u64) {
    while proxy.stat(name) != value {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn request(method: &str, path: &str) -> Request<()> {
    Request::builder().method(method).uri(format!("http://a{path}")).body(()).unwrap()
}

async fn collect(body: &mut RecvStream) -> usize {
    let mut total = 0;
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        total += data.len();
        body.flow_control().release_capacity(data.len()).unwrap();
    }
    total
}

/// Sends `len` bytes as the windows allow, and counts them.
async fn send_body(mut stream: SendStream<Bytes>, len: usize, sent: Arc<AtomicUsize>) {
    let piece = Bytes::from(vec![b'x'; 64 * 1024]);
    let mut left = len;
    while left > 0 {
        stream.reserve_capacity(left.min(piece.len()));
        let capacity = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await.unwrap().unwrap();
        let count = capacity.min(left).min(piece.len());
        left -= count;
        stream.send_data(piece.slice(..count), left == 0).unwrap();
        sent.fetch_add(count, SeqCst);
    }
}

fn patient(upstream: &Upstream) -> Proxy {
    Proxy::new(hcm(vec![prefix("/", "up", |action| action.timeout = None)]), vec![cluster("up", upstream.address)])
}

#[test]
fn many_requests_share_a_connection() {
    let upstream = Upstream::ok();
    let proxy = patient(&upstream);
    run(async {
        let (mut client, _connection) = connect(proxy.address()).await;
        let mut responses = Vec::new();
        for _ in 0..100 {
            responses.push(client.send_request(request("GET", "/"), true).unwrap().0);
        }
        for response in responses {
            let response: Response<RecvStream> = response.await.unwrap();
            assert_eq!((response.status().as_u16(), collect(&mut response.into_body()).await), (200, 2));
        }
    });
    proxy.expect_stat("http.in.downstream_cx_http2_active", 0);
    proxy.expect_stat("http.in.downstream_rq_active", 0);
    assert_eq!(proxy.stat("http.in.downstream_rq_http2_total"), 100);
    assert_eq!(proxy.stat("http2.streams_active"), 0);
}

#[test]
fn a_slow_client_slows_the_upstream() {
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    let upstream = Upstream::new(move |exchange| {
        exchange.request();
        exchange.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {BODY}\r\n\r\n"));
        let piece = vec![b'x'; 64 * 1024];
        for _ in 0..BODY / piece.len() {
            if std::io::Write::write_all(&mut exchange.stream, &piece).is_err() {
                return false;
            }
            count.fetch_add(piece.len(), SeqCst);
        }
        true
    });
    let proxy = patient(&upstream);
    run(async {
        let (mut client, _connection) = connect(proxy.address()).await;
        let mut response = client.send_request(request("GET", "/"), true).unwrap().0.await.unwrap().into_body();
        // Nothing is given back: the window closes, and after it the upstream's.
        let mut before = usize::MAX;
        while before != written.load(SeqCst) {
            before = written.load(SeqCst);
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        assert!(before < BOUND, "{before} bytes were taken for a client that reads none");
        assert_eq!(collect(&mut response).await, BODY);
    });
}

#[test]
fn a_slow_upstream_slows_the_client() {
    let go = Arc::new(AtomicUsize::new(0));
    let may = Arc::clone(&go);
    let upstream = Upstream::new(move |exchange| {
        exchange.request_head();
        eventually("the upstream may read", || may.load(SeqCst) > 0);
        let mut chunk = vec![0; 256 * 1024];
        let mut left = BODY - 128 * 1024;
        while left > 0 {
            match std::io::Read::read(&mut exchange.stream, &mut chunk) {
                Ok(0) | Err(_) => return false,
                Ok(count) => left = left.saturating_sub(count),
            }
        }
        exchange.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        exchange.wait_closed();
        false
    });
    let proxy = patient(&upstream);
    let sent = Arc::new(AtomicUsize::new(0));
    run(async {
        let (mut client, _connection) = connect(proxy.address()).await;
        let mut post = request("POST", "/");
        post.headers_mut().insert("content-length", BODY.to_string().parse().unwrap());
        let (response, stream) = client.send_request(post, false).unwrap();
        tokio::spawn(send_body(stream, BODY, Arc::clone(&sent)));
        let mut before = usize::MAX;
        while before != sent.load(SeqCst) {
            before = sent.load(SeqCst);
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        assert!(before < BOUND, "{before} bytes were taken for an upstream that reads none");
        go.store(1, SeqCst);
        assert_eq!(response.await.unwrap().status(), 200);
    });
}

#[test]
fn a_client_that_goes_takes_its_streams_with_it() {
    let upstream = Upstream::new(|exchange| {
        exchange.request_head();
        exchange.wait_closed();
        false
    });
    let proxy = patient(&upstream);
    run(async {
        let (mut client, connection) = connect(proxy.address()).await;
        let _waiting: Vec<_> = (0..20).map(|_| client.send_request(request("POST", "/"), false).unwrap()).collect();
        stat_is(&proxy, "cluster.up.upstream_rq_active", 20).await;
        connection.abort();
    });
    proxy.expect_stat("http.in.downstream_rq_active", 0);
    proxy.expect_stat("cluster.up.upstream_rq_active", 0);
    proxy.expect_stat("http.in.downstream_cx_active", 0);
    assert_eq!(proxy.stat("http.in.downstream_cx_destroy_remote_active_rq"), 1);
}

#[test]
fn a_reset_ends_one_stream() {
    let upstream = Upstream::new(|exchange| {
        exchange.request_head();
        exchange.wait_closed();
        false
    });
    let proxy = Proxy::new(
        hcm(vec![prefix("/up", "up", |action| action.timeout = None), direct("/", 200, "here")]),
        vec![cluster("up", upstream.address)],
    );
    run(async {
        let (mut client, _connection) = connect(proxy.address()).await;
        let (_response, mut stream) = client.send_request(request("POST", "/up"), false).unwrap();
        stat_is(&proxy, "cluster.up.upstream_rq_active", 1).await;
        stream.send_reset(Reason::CANCEL);
        let response = client.send_request(request("GET", "/"), true).unwrap().0.await.unwrap();
        assert_eq!(collect(&mut response.into_body()).await, 4);
    });
    proxy.expect_stat("cluster.up.upstream_rq_active", 0);
    assert_eq!(proxy.stat("http2.rx_reset"), 1);
}

#[test]
fn an_old_connection_is_drained() {
    let mut config = hcm(vec![direct("/", 200, "here")]);
    config.max_requests_per_connection = Some(3);
    config.drain_timeout = Duration::from_millis(100);
    let proxy = Proxy::new(config, Vec::new());
    run(async {
        let (mut client, connection) = connect(proxy.address()).await;
        for _ in 0..3 {
            assert_eq!(client.send_request(request("GET", "/"), true).unwrap().0.await.unwrap().status(), 200);
        }
        // GOAWAY without an error.
        connection.await.unwrap().unwrap();
    });
    assert_eq!(proxy.stat("http.in.downstream_cx_max_requests_reached"), 1);
    proxy.expect_stat("http.in.downstream_cx_active", 0);
}

#[test]
fn a_client_that_answers_no_ping_is_left() {
    let mut config = hcm(vec![direct("/", 200, "here")]);
    config.http2.connection_keepalive = Some(Keepalive {
        interval: Some(Duration::from_millis(50)),
        timeout: Duration::from_millis(100),
        interval_jitter: 0.0,
        connection_idle_interval: None,
    });
    let proxy = Proxy::new(config, Vec::new());
    let mut client = proxy.client();
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0");
    proxy.expect_stat("http2.keepalive_timeout", 1);
    proxy.expect_stat("http.in.downstream_cx_active", 0);
}

#[test]
fn the_preface_may_come_in_pieces() {
    let proxy = Proxy::new(hcm(vec![direct("/", 200, "here")]), Vec::new());
    let mut client = proxy.client();
    client.send("PRI * HT");
    std::thread::park_timeout(Duration::from_millis(20));
    client.send("TP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0");
    proxy.expect_stat("http.in.downstream_cx_http2_active", 1);
    // What only begins like it is HTTP/1.
    let mut client = proxy.client();
    client.send("P");
    client.send("OST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(client.response().status(), 200);
}
