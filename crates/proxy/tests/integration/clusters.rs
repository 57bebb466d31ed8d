//! Hosts: names, turns, changes.

use std::net::SocketAddr;
use std::time::Duration;

use sandgate_config::model::{Cluster, Discovery, DnsLookupFamily, DnsOptions, EndpointAddress};

use crate::support::{Proxy, Upstream, cluster_of, forward, hcm};

fn to(cluster: Cluster) -> Proxy {
    Proxy::new(hcm(vec![forward("/", "up")]), vec![cluster])
}

fn dns() -> DnsOptions {
    DnsOptions {
        lookup_family: DnsLookupFamily::V4Only,
        refresh_rate: Duration::from_millis(20),
        ..DnsOptions::default()
    }
}

fn name(host: &str, address: SocketAddr) -> EndpointAddress {
    EndpointAddress::Name { host: host.into(), port: address.port() }
}

#[test]
fn names_are_resolved() {
    let upstream = Upstream::ok();
    for discovery in [Discovery::StrictDns(dns()), Discovery::LogicalDns(dns())] {
        let proxy = to(cluster_of("up", discovery, vec![name("localhost", upstream.address)]));
        assert_eq!(proxy.stat("cluster.up.membership_total"), 1);
        assert_eq!(proxy.stat("cluster.up.membership_change"), 1);
        let mut client = proxy.client();
        assert_eq!(client.get("/").text(), "ok");
        let before = proxy.stat("cluster.up.update_success");
        crate::support::eventually("resolved again", || proxy.stat("cluster.up.update_success") > before);
        // The same answer changes nothing.
        assert_eq!(client.get("/").text(), "ok");
        assert_eq!(proxy.stat("cluster.up.membership_change"), 1);
        assert_eq!(proxy.stat("cluster.up.upstream_cx_total"), 1);
    }
}

#[test]
fn a_name_that_does_not_exist_has_no_hosts() {
    let address = ([127, 0, 0, 1], 1).into();
    let proxy = to(cluster_of("up", Discovery::StrictDns(dns()), vec![name("does-not-exist.invalid", address)]));
    let response = proxy.client().get("/");
    assert_eq!((response.status(), &*response.text()), (503, "no healthy upstream"));
    // What the system's resolver says decides whether that is an answer.
    let tried = || proxy.stat("cluster.up.update_failure") + proxy.stat("cluster.up.update_success") > 0;
    crate::support::eventually("counted", tried);
}

#[test]
fn every_endpoint_is_resolved_by_itself() {
    let (first, second) = (Upstream::ok(), Upstream::ok());
    let addresses = vec![
        name("localhost", first.address),
        name("does-not-exist.invalid", first.address),
        EndpointAddress::Ip(second.address),
    ];
    let proxy = to(cluster_of("up", Discovery::StrictDns(dns()), addresses));
    assert_eq!(proxy.stat("cluster.up.membership_total"), 2);
    // One for each endpoint that brought a host.
    assert_eq!(proxy.stat("cluster.up.membership_change"), 2);
    assert!(proxy.stat("cluster.up.update_attempt") >= 3);
    let mut client = proxy.client();
    for _ in 0..4 {
        assert_eq!(client.get("/").text(), "ok");
    }
    assert_eq!((first.requests().len(), second.requests().len()), (2, 2));
}

#[test]
fn hosts_take_turns() {
    let upstreams: Vec<_> = (0..3).map(|_| Upstream::ok()).collect();
    let addresses = upstreams.iter().map(|upstream| EndpointAddress::Ip(upstream.address)).collect();
    let proxy = to(cluster_of("up", Discovery::Static, addresses));
    let mut client = proxy.client();
    for _ in 0..9 {
        assert_eq!(client.get("/").text(), "ok");
    }
    assert!(upstreams.iter().all(|upstream| upstream.requests().len() == 3));
    assert_eq!(proxy.stat("cluster.up.membership_total"), 3);
    assert_eq!(proxy.stat("cluster.up.membership_healthy"), 3);
}

#[test]
fn the_circuit_breaker_bounds_waiting_requests() {
    // Three sockets for each of a thousand requests.
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current = limit.maximum;
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
    // Nobody accepts: every request waits for its connection.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any: SocketAddr = ([127, 0, 0, 1], 0).into();
    socket.bind(&any.into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let proxy = to(cluster_of("up", Discovery::Static, vec![EndpointAddress::Ip(address)]));
    let mut clients = Vec::new();
    // Envoy's default is 1024; a few connections get into the queue of the socket.
    while proxy.stat("cluster.up.upstream_rq_pending_overflow") == 0 {
        assert!(clients.len() < 1200);
        let mut client = proxy.client();
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        clients.push(client);
    }
    let overflow = "upstream connect error or disconnect/reset before headers. reset reason: overflow";
    let response = proxy.client().get("/");
    assert_eq!((response.status(), &*response.text()), (503, overflow));
    assert_eq!(response.header("x-envoy-overloaded"), Some("true"));
    assert!(clients.len() > 1000, "{}", clients.len());
}
