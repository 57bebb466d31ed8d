//! From start to end.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use sandgate_host::Host;
use sandgate_proxy::lifecycle::ServerState;
use sandgate_proxy::{Server, ServerOptions, StartError};

use crate::support::{Proxy, Upstream, bootstrap, cluster, eventually, forward, hcm};

/// An upstream that answers when told.
fn held() -> (Upstream, Arc<AtomicBool>) {
    let go = Arc::new(AtomicBool::new(false));
    let may = Arc::clone(&go);
    let upstream = Upstream::new(move |exchange| {
        if exchange.request().is_none() {
            return false;
        }
        eventually("the upstream may answer", || may.load(SeqCst));
        exchange.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
    });
    (upstream, go)
}

#[test]
fn requests_in_flight_are_finished() {
    let (upstream, go) = held();
    let proxy = Proxy::to(upstream.address);
    let address = proxy.address();
    let mut idle = proxy.client();
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    eventually("the request is on its way", || upstream.requests().len() == 1);
    proxy.server.shutdown();
    // Connections without a request end, new ones are refused.
    idle.expect_closed();
    eventually("no new connections", || TcpStream::connect(address).is_err());
    go.store(true, SeqCst);
    let response = client.response();
    assert_eq!((response.status(), response.header("connection")), (200, Some("close")));
    drop(client);
    proxy.server.wait().unwrap();
    assert_eq!(proxy.stats.snapshot()["http.in.downstream_cx_drain_close"].value, 1);
}

#[test]
fn the_grace_period_ends() {
    let (upstream, _go) = held();
    let bootstrap = bootstrap(hcm(vec![forward("/", "up")]), vec![cluster("up", upstream.address)]);
    let proxy = Proxy::start(bootstrap, |options| options.shutdown_grace = Duration::from_millis(100));
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    eventually("the request is on its way", || upstream.requests().len() == 1);
    let start = Instant::now();
    proxy.server.shutdown();
    proxy.server.wait().unwrap();
    assert!(start.elapsed() >= Duration::from_millis(100));
    client.expect_closed();
}

#[test]
fn a_second_shutdown_does_not_wait() {
    let (upstream, _go) = held();
    let proxy = Proxy::to(upstream.address);
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    eventually("the request is on its way", || upstream.requests().len() == 1);
    let start = Instant::now();
    proxy.server.shutdown();
    proxy.server.shutdown();
    proxy.server.wait().unwrap();
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn dropping_ends() {
    let proxy = Proxy::to(Upstream::ok().address);
    let mut client = proxy.client();
    let address = proxy.address();
    drop(proxy.server);
    client.expect_closed();
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn an_address_in_use_is_an_error() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut bootstrap = bootstrap(hcm(vec![]), vec![]);
    bootstrap.listeners[0].address = taken.local_addr().unwrap();
    let log: Arc<dyn sandgate_host::GuestLog> = Arc::new(crate::support::Lines::default());
    let options = ServerOptions::new(Host::builder(log).build());
    let lifecycle = Arc::clone(&options.lifecycle);
    let error = Server::start(bootstrap, options).unwrap_err();
    assert!(matches!(error, StartError::Bind { .. }), "{error}");
    assert!(error.to_string().contains(&taken.local_addr().unwrap().to_string()), "{error}");
    assert_ne!(lifecycle.state(), ServerState::Live);
}
