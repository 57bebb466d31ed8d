//! What clients of an echo say.

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use crate::support::PATIENCE;

pub(super) async fn send<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>, message: Message) {
    timeout(PATIENCE, socket.send(message)).await.unwrap().unwrap();
}

pub(super) async fn next<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>) -> Message {
    timeout(PATIENCE, socket.next()).await.unwrap().unwrap().unwrap()
}

/// Whether it ends without being closed.
pub(super) async fn ends<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>) -> bool {
    !matches!(timeout(PATIENCE, socket.next()).await.unwrap(), Some(Ok(_)))
}

pub(super) async fn echo<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>, message: Message) {
    send(socket, message.clone()).await;
    assert!(next(socket).await == message, "the echo of {} bytes is another", message.len());
}

/// Text, bytes, pieces, much at once, a ping, a close.
pub(super) async fn everything<S: AsyncRead + AsyncWrite + Unpin>(mut socket: WebSocketStream<S>) {
    assert!(WebSocketConfig::default().max_message_size.is_some_and(|max| max > 1024 * 1024));
    echo(&mut socket, Message::text("hello")).await;
    echo(&mut socket, Message::text("")).await;
    echo(&mut socket, Message::binary(vec![0, 255, 13, 10])).await;
    for (piece, code, last) in [("a", Data::Text, false), ("b", Data::Continue, false), ("c", Data::Continue, true)] {
        let frame = Frame::message(Bytes::from_static(piece.as_bytes()), OpCode::Data(code), last);
        send(&mut socket, Message::Frame(frame)).await;
    }
    assert_eq!(next(&mut socket).await, Message::text("abc"));
    let much: Vec<u8> = (0..1024 * 1024u32).map(|index| (index * 7 % 251) as u8).collect();
    echo(&mut socket, Message::binary(much)).await;
    send(&mut socket, Message::Ping(Bytes::from_static(b"are you there"))).await;
    assert_eq!(next(&mut socket).await, Message::Pong(Bytes::from_static(b"are you there")));
    let close = CloseFrame { code: CloseCode::Away, reason: "enough".into() };
    timeout(PATIENCE, socket.close(Some(close.clone()))).await.unwrap().unwrap();
    assert_eq!(next(&mut socket).await, Message::Close(Some(close)));
    assert!(timeout(PATIENCE, socket.next()).await.unwrap().is_none_or(|last| last.is_err()));
}
