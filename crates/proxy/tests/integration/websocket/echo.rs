//! Servers of WebSockets.

use std::net::SocketAddr;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// Says everything again.
pub(super) async fn start() -> SocketAddr {
    serve(|mut socket| async move {
        while let Some(Ok(message)) = socket.next().await {
            if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
                return;
            }
        }
    })
    .await
}

/// Says one thing and closes.
pub(super) async fn greet(text: &'static str) -> SocketAddr {
    serve(move |mut socket| async move {
        socket.send(Message::text(text)).await.unwrap();
        // The client may be gone first.
        let _ = socket.close(None).await;
    })
    .await
}

/// Goes without a word after the first message.
pub(super) async fn vanish() -> SocketAddr {
    serve(|mut socket| async move {
        let _ = socket.next().await;
    })
    .await
}

async fn serve<F>(talk: impl Fn(WebSocketStream<TcpStream>) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let socket = tokio_tungstenite::accept_async(stream).await.unwrap();
            tokio::spawn(talk(socket));
        }
    });
    address
}
