//! Drains that the admin interface begins.

use std::net::TcpStream;
use std::time::Duration;

use sandgate_config::model::{DrainType, TrafficDirection};
use sandgate_proxy::{DrainOptions, DrainStrategy};

use crate::support::{Client, Proxy, Upstream, bootstrap, cluster, eventually, forward, hcm};

fn proxy(strategy: DrainStrategy, time: Duration, change: impl FnOnce(&mut sandgate_config::model::Listener)) -> Proxy {
    let upstream = Upstream::ok();
    let mut bootstrap = bootstrap(hcm(vec![forward("/", "up")]), vec![cluster("up", upstream.address)]);
    change(&mut bootstrap.listeners[0]);
    Proxy::start(bootstrap, |options| options.drain = DrainOptions { time, strategy })
}

fn post(proxy: &Proxy, path: &str) {
    let mut admin = Client::connect(proxy.server.admin_address().unwrap());
    admin.send(format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n"));
    assert_eq!(admin.response().text(), "OK\n");
}

fn listens(proxy: &Proxy) -> bool {
    TcpStream::connect(proxy.address()).is_ok()
}

/// What the next response says of the connection.
fn connection(client: &mut Client) -> Option<String> {
    client.get("/").header("connection").map(str::to_owned)
}

#[test]
fn listeners_stop_and_their_connections_stay() {
    let proxy = proxy(DrainStrategy::Gradual, Duration::from_secs(600), |_| ());
    let mut client = proxy.client();
    assert_eq!(connection(&mut client), None);
    post(&proxy, "/drain_listeners");
    eventually("it does not listen", || !listens(&proxy));
    assert_eq!(connection(&mut client), None);
    assert_eq!(proxy.stat("listener_manager.listener_stopped"), 1);
    // The server goes on, and so does its admin interface.
    post(&proxy, "/healthcheck/ok");
}

#[test]
fn an_immediate_drain_ends_connections_and_listens_on() {
    let proxy = proxy(DrainStrategy::Immediate, Duration::from_secs(600), |_| ());
    let mut client = proxy.client();
    client.get("/");
    post(&proxy, "/drain_listeners?graceful");
    assert_eq!(connection(&mut client).as_deref(), Some("close"));
    assert_eq!(connection(&mut proxy.client()).as_deref(), Some("close"));
    assert_eq!((proxy.stat("http.in.downstream_cx_drain_close"), listens(&proxy)), (2, true));
}

#[test]
fn a_graceful_drain_ends_by_stopping_listeners() {
    let proxy = proxy(DrainStrategy::Gradual, Duration::ZERO, |_| ());
    post(&proxy, "/drain_listeners?graceful&skip_exit");
    assert_eq!(connection(&mut proxy.client()).as_deref(), Some("close"));
    post(&proxy, "/drain_listeners");
    eventually("it does not listen", || !listens(&proxy));
}

#[test]
fn other_listeners_than_inbound_ones_may_be_left_alone() {
    let inbound = proxy(DrainStrategy::Immediate, Duration::ZERO, |listener| {
        listener.traffic_direction = TrafficDirection::Inbound;
    });
    let other = proxy(DrainStrategy::Immediate, Duration::ZERO, |_| ());
    post(&other, "/drain_listeners?inboundonly");
    post(&inbound, "/drain_listeners?inboundonly");
    eventually("the inbound one does not listen", || !listens(&inbound));
    assert_eq!(connection(&mut other.client()), None);
    post(&other, "/drain_listeners");
    eventually("the other one does not listen either", || !listens(&other));
}

#[test]
fn a_failed_health_check_ends_connections_until_it_passes() {
    let default = proxy(DrainStrategy::Gradual, Duration::ZERO, |_| ());
    let modify_only = proxy(DrainStrategy::Gradual, Duration::ZERO, |listener| {
        listener.drain_type = DrainType::ModifyOnly;
    });
    for proxy in [&default, &modify_only] {
        post(proxy, "/healthcheck/fail");
        let mut admin = Client::connect(proxy.server.admin_address().unwrap());
        let ready = admin.get("/ready");
        // The admin interface itself is never drained.
        assert_eq!((ready.status(), ready.text(), ready.header("connection")), (503, "DRAINING\n".to_owned(), None));
    }
    assert_eq!(connection(&mut default.client()).as_deref(), Some("close"));
    assert_eq!(connection(&mut modify_only.client()), None);
    post(&default, "/healthcheck/ok");
    assert_eq!(connection(&mut default.client()), None);
}
