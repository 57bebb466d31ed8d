//! The task that moves the bytes of an HTTP/2 connection.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use super::Http2Connection;
use super::keepalive::{Keepalive, Verdict};
use crate::pool::CloseSide;
use crate::router::ResetReason;

/// Runs until the connection is over.
pub(super) async fn drive<T>(connection: Rc<Http2Connection>, mut codec: h2::client::Connection<T, Bytes>)
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let mut keepalive =
        connection.keepalive().and_then(|options| Some(Keepalive::new(options, codec.ping_pong()?, Instant::now())));
    let side = poll_fn(|cx| {
        connection.set_waker(cx.waker());
        loop {
            // Envoy closes without a word, too.
            if connection.is_closed() {
                return Poll::Ready(CloseSide::Local);
            }
            if let Poll::Ready(result) = Pin::new(&mut codec).poll(cx) {
                return Poll::Ready(connection.ended(result));
            }
            if let Some(fault) = connection.signs.fault() {
                connection.on_fault(fault);
                return Poll::Ready(CloseSide::Local);
            }
            connection.heed_peer(codec.max_concurrent_send_streams());
            let Some(keepalive) = &mut keepalive else { break };
            match keepalive.poll(cx, Instant::now(), connection.take_ping_wanted()) {
                Verdict::Wait => break,
                Verdict::Write => {}
                Verdict::Dead => {
                    connection.cluster.http2_stats.keepalive_timeout().inc();
                    connection.fail(ResetReason::ConnectionTermination);
                    return Poll::Ready(CloseSide::Local);
                }
            }
        }
        if connection.is_closed() { Poll::Ready(CloseSide::Local) } else { Poll::Pending }
    })
    .await;
    connection.gone(side);
    // Only now: its streams learn of their end, and ask why.
    drop(codec);
}

impl Http2Connection {
    fn set_waker(&self, waker: &Waker) {
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
        if self.has_goaway() && !self.goaway.replace(true) {
            self.cluster.stats.upstream_cx_close_notify().inc();
            self.drain();
            self.pool.permit_next();
        }
    }

    /// Whether the host takes no more streams.
    fn has_goaway(&self) -> bool {
        let mut send = self.send.borrow_mut();
        let Some(send) = &mut *send else { return false };
        let answer = send.poll_ready(&mut Context::from_waker(Waker::noop()));
        matches!(answer, Poll::Ready(Err(error)) if error.is_go_away() && error.is_remote())
    }

    /// The codec is done; who was at fault.
    fn ended(&self, result: Result<(), h2::Error>) -> CloseSide {
        self.heed_peer(usize::MAX);
        if let Err(error) = result {
            log::debug!(target: "upstream", "[C{}] HTTP/2: {error}", self.facts.id);
            if error.is_go_away() && error.is_library() {
                self.cluster.stats.upstream_cx_protocol_error().inc();
                self.fail(ResetReason::ProtocolError);
                return CloseSide::Local;
            }
        }
        if self.signs.closed.get() { CloseSide::Remote } else { CloseSide::Local }
    }
}
