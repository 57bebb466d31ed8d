//! WebSockets through the proxy: a public crate on both sides.

mod echo;
mod http2;
mod talk;

use std::net::SocketAddr;

use sandgate_config::model::{HttpFilter, UpgradeConfig};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::support::{Proxy, cluster, forward, hcm};
use crate::wasm::plugin;

/// A proxy that lets WebSockets through to `upstream`, by way of these plugins.
fn proxy(upstream: SocketAddr, plugins: Vec<HttpFilter>) -> Proxy {
    let mut hcm = hcm(vec![forward("/", "up")]);
    hcm.http_filters.splice(0..0, plugins);
    hcm.http2.allow_connect = true;
    hcm.upgrades = vec![UpgradeConfig { upgrade_type: "websocket".into(), enabled: true, filters: None }];
    Proxy::new(hcm, vec![cluster("up", upstream)])
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

async fn connect(proxy: &Proxy) -> WebSocketStream<TcpStream> {
    let request = format!("ws://{}/echo", proxy.address()).into_client_request().unwrap();
    let stream = TcpStream::connect(proxy.address()).await.unwrap();
    let (socket, response) = tokio_tungstenite::client_async(request, stream).await.unwrap();
    assert_eq!(response.status(), 101);
    socket
}

#[test]
fn messages_survive() {
    run(async {
        let proxy = proxy(echo::start().await, Vec::new());
        talk::everything(connect(&proxy).await).await;
        proxy.expect_stat("http.in.downstream_cx_upgrades_total", 1);
        proxy.expect_stat("http.in.downstream_cx_upgrades_active", 0);
    });
}

#[test]
fn messages_survive_a_guest_that_reads_them() {
    run(async {
        let proxy = proxy(echo::start().await, vec![plugin("body/body.wasm", "read")]);
        talk::everything(connect(&proxy).await).await;
    });
}

#[test]
fn a_guest_rewrites_what_passes() {
    run(async {
        let proxy = proxy(echo::greet("hello, you").await, vec![plugin("body/body.wasm", "streamed")]);
        assert_eq!(talk::next(&mut connect(&proxy).await).await, Message::text("HELLO, YOU"));
    });
}

#[test]
fn many_at_once() {
    run(async {
        let proxy = proxy(echo::start().await, Vec::new());
        let sockets = futures_util::future::join_all((0..20).map(|_| connect(&proxy))).await;
        futures_util::future::join_all(sockets.into_iter().map(talk::everything)).await;
        proxy.expect_stat("http.in.downstream_cx_upgrades_total", 20);
        proxy.expect_stat("http.in.downstream_cx_upgrades_active", 0);
        proxy.expect_stat("cluster.up.upstream_cx_active", 0);
    });
}

#[test]
fn a_client_that_vanishes_ends_it() {
    run(async {
        let proxy = proxy(echo::start().await, Vec::new());
        let mut socket = connect(&proxy).await;
        talk::echo(&mut socket, Message::text("a")).await;
        drop(socket);
        proxy.expect_stat("cluster.up.upstream_cx_active", 0);
        proxy.expect_stat("http.in.downstream_cx_upgrades_active", 0);
    });
}

#[test]
fn a_server_that_vanishes_ends_it() {
    run(async {
        let proxy = proxy(echo::vanish().await, Vec::new());
        let mut socket = connect(&proxy).await;
        talk::send(&mut socket, Message::text("a")).await;
        assert!(talk::ends(&mut socket).await);
        proxy.expect_stat("cluster.up.upstream_cx_active", 0);
        proxy.expect_stat("http.in.downstream_cx_upgrades_active", 0);
    });
}
