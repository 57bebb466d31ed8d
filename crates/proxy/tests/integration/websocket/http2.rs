//! WebSockets over streams of HTTP/2 (RFC 8441).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use h2::ext::Protocol;
use h2::{RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::{echo, proxy, run, talk};
use crate::support::Proxy;
use crate::wasm::plugin;

/// A stream of HTTP/2 as bytes.
pub(super) struct Tunnel {
    send: SendStream<bytes::Bytes>,
    receive: RecvStream,
    rest: bytes::Bytes,
}

/// `count` WebSockets over one connection.
async fn connect(proxy: &Proxy, count: usize) -> Vec<WebSocketStream<Tunnel>> {
    let stream = TcpStream::connect(proxy.address()).await.unwrap();
    let (client, mut connection) = h2::client::handshake(stream).await.unwrap();
    // The settings come first, and say that this is possible.
    let mut client = loop {
        let mut ready = client.clone();
        std::future::poll_fn(|cx| {
            let _ = std::pin::pin!(&mut connection).poll(cx);
            ready.poll_ready(cx)
        })
        .await
        .unwrap();
        if ready.is_extended_connect_protocol_enabled() {
            break ready;
        }
        tokio::task::yield_now().await;
    };
    tokio::spawn(connection);
    let mut sockets = Vec::new();
    for _ in 0..count {
        let mut request = http::Request::connect(format!("http://{}/echo", proxy.address())).body(()).unwrap();
        request.extensions_mut().insert(Protocol::from_static("websocket"));
        let fields = [("sec-websocket-version", "13"), ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")];
        for (name, value) in fields {
            request.headers_mut().insert(name, http::HeaderValue::from_static(value));
        }
        client = client.ready().await.unwrap();
        let (response, send) = client.send_request(request, false).unwrap();
        let response = response.await.unwrap();
        assert_eq!(response.status(), 200);
        let tunnel = Tunnel { send, receive: response.into_body(), rest: bytes::Bytes::new() };
        sockets.push(WebSocketStream::from_raw_socket(tunnel, Role::Client, None).await);
    }
    sockets
}

#[test]
fn messages_survive() {
    run(async {
        let proxy = proxy(echo::start().await, Vec::new());
        for socket in connect(&proxy, 1).await {
            talk::everything(socket).await;
        }
        proxy.expect_stat("http.in.downstream_cx_upgrades_total", 1);
        proxy.expect_stat("http.in.downstream_cx_upgrades_active", 0);
    });
}

#[test]
fn messages_survive_a_guest_that_reads_them() {
    run(async {
        let proxy = proxy(echo::start().await, vec![plugin("body/body.wasm", "read")]);
        for socket in connect(&proxy, 1).await {
            talk::everything(socket).await;
        }
    });
}

#[test]
fn a_guest_rewrites_what_passes() {
    run(async {
        let proxy = proxy(echo::greet("hello, you").await, vec![plugin("body/body.wasm", "streamed")]);
        for mut socket in connect(&proxy, 1).await {
            assert_eq!(talk::next(&mut socket).await, Message::text("HELLO, YOU"));
        }
    });
}

#[test]
fn many_on_one_connection() {
    run(async {
        let proxy = proxy(echo::start().await, Vec::new());
        let sockets = connect(&proxy, 20).await;
        futures_util::future::join_all(sockets.into_iter().map(talk::everything)).await;
        proxy.expect_stat("http.in.downstream_cx_total", 1);
        proxy.expect_stat("http.in.downstream_cx_upgrades_total", 20);
        proxy.expect_stat("http.in.downstream_cx_upgrades_active", 0);
        proxy.expect_stat("cluster.up.upstream_cx_active", 0);
    });
}

#[test]
fn a_client_that_resets_its_stream_ends_it() {
    run(async {
        let proxy = proxy(echo::start().await, Vec::new());
        let mut sockets = connect(&proxy, 2).await;
        for socket in &mut sockets {
            talk::echo(socket, Message::text("a")).await;
        }
        sockets[0].get_mut().send.send_reset(h2::Reason::CANCEL);
        talk::echo(&mut sockets[1], Message::text("b")).await;
        proxy.expect_stat("cluster.up.upstream_cx_active", 1);
        proxy.expect_stat("http.in.downstream_cx_upgrades_active", 1);
    });
}

#[test]
fn a_server_that_vanishes_ends_it() {
    run(async {
        let proxy = proxy(echo::vanish().await, Vec::new());
        for mut socket in connect(&proxy, 1).await {
            talk::send(&mut socket, Message::text("a")).await;
            assert!(talk::ends(&mut socket).await);
        }
        proxy.expect_stat("http.in.downstream_cx_upgrades_active", 0);
    });
}

// === impl Tunnel ===

impl AsyncRead for Tunnel {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.rest.is_empty() {
            match std::task::ready!(this.receive.poll_data(cx)) {
                None => return Poll::Ready(Ok(())),
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                Some(Ok(data)) => {
                    this.receive.flow_control().release_capacity(data.len()).unwrap();
                    this.rest = data;
                }
            }
        }
        let count = this.rest.len().min(buffer.remaining());
        buffer.put_slice(&this.rest.split_to(count));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.send.reserve_capacity(data.len());
        let room = loop {
            if this.send.capacity() > 0 {
                break this.send.capacity().min(data.len());
            }
            match std::task::ready!(this.send.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            }
        };
        this.send.send_data(bytes::Bytes::copy_from_slice(&data[..room]), false).map_err(io::Error::other)?;
        Poll::Ready(Ok(room))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Of a stream that is gone there is nothing to end.
        let _ = self.get_mut().send.send_data(bytes::Bytes::new(), true);
        Poll::Ready(Ok(()))
    }
}
