//! Upstreams that speak HTTP/2, while things break.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use sandgate_config::model::{
    Cluster, Http2Options, MirrorCluster, RequestMirrorPolicy, RouteAction, UpstreamHttpProtocol,
};

use crate::support::{Client, Proxy, cluster, eventually, forward, hcm, prefix};

/// What becomes of the requests on one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// All are answered.
    Answers,
    /// With so many in flight, the connection is gone.
    DiesWith(usize),
    /// Nothing is answered.
    Hangs,
}

/// An upstream whose connections have these fates, the last one for all that follow.
fn upstream(fates: &'static [Fate]) -> SocketAddr {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, async move {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            for fate in fates.iter().chain(std::iter::repeat(fates.last().unwrap())) {
                let Ok((stream, _)) = listener.accept().await else { return };
                tokio::task::spawn_local(serve(stream, *fate));
            }
        });
    });
    told.recv().unwrap()
}

async fn serve(stream: tokio::net::TcpStream, fate: Fate) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    let mut held: Vec<(http::Request<h2::RecvStream>, SendResponse<Bytes>)> = Vec::new();
    while let Some(Ok((request, mut response))) = connection.accept().await {
        match fate {
            Fate::Answers => {
                let mut body = response.send_response(http::Response::new(()), false).unwrap();
                body.send_data(Bytes::from_static(b"ok"), true).unwrap();
            }
            Fate::DiesWith(count) => {
                held.push((request, response));
                if held.len() == count {
                    return;
                }
            }
            Fate::Hangs => held.push((request, response)),
        }
    }
}

fn http2(name: &str, address: SocketAddr, change: impl FnOnce(&mut Http2Options)) -> Cluster {
    let mut cluster = cluster(name, address);
    cluster.http.protocol = UpstreamHttpProtocol::Http2;
    change(&mut cluster.http.http2);
    cluster
}

fn nothing_is_left(proxy: &Proxy, cluster: &str) {
    for gauge in ["upstream_rq_active", "upstream_rq_pending_active", "http2.streams_active"] {
        proxy.expect_stat(&format!("cluster.{cluster}.{gauge}"), 0);
    }
    proxy.expect_stat("http.in.downstream_rq_active", 0);
}

#[test]
fn an_upstream_that_dies_with_a_hundred_streams_leaves_nothing_hanging() {
    let address = upstream(&[Fate::DiesWith(100), Fate::Answers]);
    let proxy = Proxy::new(hcm(vec![forward("/", "up")]), vec![http2("up", address, |_| ())]);
    let mut clients: Vec<_> = (0..100).map(|_| proxy.client()).collect();
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nhost: a.com\r\n\r\n");
    }
    for client in &mut clients {
        let response = client.response();
        assert_eq!(response.status(), 503, "{}", response.head);
        assert!(response.text().ends_with("reset reason: connection termination"), "{}", response.text());
    }
    assert_eq!(clients[0].get("/").text(), "ok");
    nothing_is_left(&proxy, "up");
    proxy.expect_stat("cluster.up.upstream_cx_active", 1);
    assert_eq!(proxy.stat("cluster.up.upstream_cx_http2_total"), 2);
}

#[test]
fn streams_above_the_limit_wait_or_go_elsewhere() {
    let address = upstream(&[Fate::Answers]);
    let up = http2("up", address, |options| options.max_concurrent_streams = 2);
    let proxy = Proxy::new(hcm(vec![forward("/", "up")]), vec![up]);
    let mut clients: Vec<_> = (0..30).map(|_| proxy.client()).collect();
    for round in 0..5 {
        for client in &mut clients {
            client.send(format!("GET /{round} HTTP/1.1\r\nhost: a.com\r\n\r\n"));
        }
        assert!(clients.iter_mut().map(Client::response).all(|response| response.text() == "ok"));
    }
    nothing_is_left(&proxy, "up");
    assert_eq!(proxy.stat("cluster.up.upstream_rq_200"), 150);
}

#[test]
fn a_client_that_goes_resets_its_stream_alone() {
    let address = upstream(&[Fate::Hangs]);
    let proxy = Proxy::new(hcm(vec![forward("/", "up")]), vec![http2("up", address, |_| ())]);
    let (mut stays, mut goes) = (proxy.client(), proxy.client());
    stays.send("GET / HTTP/1.1\r\nhost: a.com\r\n\r\n");
    goes.send("POST / HTTP/1.1\r\nhost: a.com\r\ncontent-length: 9\r\n\r\nsome");
    proxy.expect_stat("cluster.up.http2.streams_active", 2);
    drop(goes);
    proxy.expect_stat("cluster.up.http2.streams_active", 1);
    proxy.expect_stat("cluster.up.http2.tx_reset", 1);
    drop(stays);
    nothing_is_left(&proxy, "up");
    assert_eq!(proxy.stat("cluster.up.upstream_cx_active"), 1);
}

#[test]
fn mirrors_go_over_http2() {
    let (address, mirror) = (upstream(&[Fate::Answers]), upstream(&[Fate::Hangs]));
    let mirrored = |action: &mut RouteAction| {
        action.timeout = Some(Duration::from_millis(200));
        action.request_mirror_policies = vec![RequestMirrorPolicy {
            cluster: MirrorCluster::Name("m".into()),
            runtime_fraction: None,
            disable_shadow_host_suffix_append: false,
            host_rewrite_literal: String::new(),
        }];
    };
    let clusters = vec![http2("up", address, |_| ()), http2("m", mirror, |_| ())];
    let proxy = Proxy::new(hcm(vec![prefix("/", "up", mirrored)]), clusters);
    let mut client = proxy.client();
    for _ in 0..5 {
        assert_eq!(client.get("/").status(), 200);
    }
    proxy.expect_stat("cluster.m.upstream_rq_timeout", 5);
    nothing_is_left(&proxy, "m");
    eventually("the mirror's connection stays", || proxy.stat("cluster.m.upstream_cx_active") == 1);
}
