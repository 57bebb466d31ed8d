//! The task that moves the bytes of an HTTP/2 connection.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use super::Http2Connection;
use crate::pool::CloseSide;
use crate::router::ResetReason;

/// Runs until the connection is over.
pub(super) async fn drive<T>(connection: Rc<Http2Connection>, mut codec: h2::client::Connection<T, Bytes>)
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let ended = poll_fn(|cx| {
        connection.set_waker(cx.waker());
        if let Poll::Ready(result) = Pin::new(&mut codec).poll(cx) {
            return Poll::Ready(Some(result));
        }
        if connection.is_closed() {
            return Poll::Ready(None);
        }
        connection.heed_peer(codec.max_concurrent_send_streams());
        if connection.is_closed() { Poll::Ready(None) } else { Poll::Pending }
    })
    .await;
    let side = match ended {
        None => CloseSide::Local,
        Some(Ok(())) => CloseSide::Remote,
        Some(Err(error)) => connection.failed(&error),
    };
    connection.gone(side);
    // Only now: its streams learn of their end, and ask why.
    drop(codec);
}

impl Http2Connection {
    fn set_waker(&self, waker: &std::task::Waker) {
        let mut own = self.waker.borrow_mut();
        if !own.as_ref().is_some_and(|own| own.will_wake(waker)) {
            *own = Some(waker.clone());
        }
    }

    /// Takes over what the host has said of itself: how many streams it takes, and whether it takes more at all.
    fn heed_peer(&self, streams: usize) {
        let limit = super::stream_limit(&self.cluster.config.http).min(u32::try_from(streams).unwrap_or(u32::MAX));
        if self.limit.replace(limit) != limit {
            self.pool.permit_next();
        }
        if self.draining.get() {
            return;
        }
        let refused = match &mut *self.send.borrow_mut() {
            Some(send) => {
                let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
                matches!(send.poll_ready(&mut cx), Poll::Ready(Err(_)))
            }
            None => false,
        };
        if refused {
            self.cluster.stats.upstream_cx_close_notify().inc();
            self.drain();
            self.pool.permit_next();
        }
    }

    /// The codec has given up; who was at fault.
    fn failed(&self, error: &h2::Error) -> CloseSide {
        log::debug!(target: "upstream", "[C{}] HTTP/2: {error}", self.facts.id);
        if error.is_go_away() && error.is_library() {
            self.cluster.stats.upstream_cx_protocol_error().inc();
            *self.fate.borrow_mut() = Some(ResetReason::ProtocolError);
            return CloseSide::Local;
        }
        CloseSide::Remote
    }
}
