//! The socket under an HTTP/2 connection: counts what goes through it.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use smallvec::SmallVec;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frames::StreamFrames;
use crate::cluster::WorkerCluster;
use crate::http2::outbound::Outbound;
use crate::http2::scanner::{FrameHead, FrameScanner, kind};
use crate::http2::{PREFACE, inbound};

/// A socket whose bytes the cluster's stats hold.
pub(super) struct CountedIo<T> {
    inner: T,
    cluster: Rc<WorkerCluster>,
    signs: Rc<Signs>,
    /// Somebody asks when something last came.
    keeps_time: bool,
    received: FrameScanner,
}

/// Signs of life of the host.
pub(super) struct Signs {
    /// What comes has ended.
    pub(super) closed: Cell<bool>,
    /// When something last came, if somebody asks.
    pub(super) received: Cell<Instant>,
    pub(super) frames: RefCell<StreamFrames>,
    /// What is on its way to the host.
    pub(super) outbound: RefCell<Outbound>,
}

// === impl Signs ===

impl Signs {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            closed: Cell::new(false),
            received: Cell::new(now),
            frames: RefCell::default(),
            outbound: RefCell::new(Outbound::new(PREFACE.len())),
        }
    }
}

// === impl CountedIo ===

impl<T> CountedIo<T> {
    pub(super) fn new(inner: T, cluster: &Rc<WorkerCluster>, signs: &Rc<Signs>) -> Self {
        let keeps_time = cluster.config.http.http2.connection_keepalive.is_some();
        Self { inner, cluster: Rc::clone(cluster), signs: Rc::clone(signs), keeps_time, received: FrameScanner::new(0) }
    }
}

impl<T: AsyncWrite + Unpin> CountedIo<T> {
    /// Writes some of these pieces, or what was taken of others before; nothing is to go on with.
    fn write(&mut self, cx: &mut Context<'_>, pieces: Option<&[&[u8]]>) -> Poll<io::Result<usize>> {
        let (inner, cluster, signs) = (&mut self.inner, &self.cluster, &self.signs);
        let write = |pieces: &[IoSlice<'_>]| {
            let result = Pin::new(&mut *inner).poll_write_vectored(cx, pieces);
            match &result {
                Poll::Ready(Err(_)) => signs.closed.set(true),
                Poll::Ready(Ok(count)) => cluster.stats.upstream_cx_tx_bytes_total().add(*count as u64),
                Poll::Pending => {}
            }
            result
        };
        let (mut outbound, mut frames) = (signs.outbound.borrow_mut(), signs.frames.borrow_mut());
        match pieces {
            None => outbound.poll_flush(write).map_ok(|()| 0),
            Some(pieces) => {
                let sent = |head| {
                    frames.sent(head, &cluster.http2_stats);
                    true
                };
                outbound.poll_write(pieces, sent, write)
            }
        }
    }
}

/// What the SETTINGS that begin here say of the host's header table. Those that are not read at once are not looked at: then no table is
/// used.
fn table_size(bytes: &[u8], head: FrameHead, start: usize) -> Option<usize> {
    let frame = bytes.get(start..)?;
    let Some((begin, payload)) = frame.split_at_checked(head.to_bytes().len()) else { return Some(0) };
    match payload.get(..head.len) {
        Some(settings) if begin == head.to_bytes() => inbound::table_size(settings),
        _ => Some(0),
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for CountedIo<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.inner).poll_read(cx, buffer);
        let count = buffer.filled().len().saturating_sub(before);
        self.cluster.stats.upstream_cx_rx_bytes_total().add(count as u64);
        if count > 0 {
            let this = &mut *self;
            let (mut frames, stats) = (this.signs.frames.borrow_mut(), &this.cluster.http2_stats);
            let bytes = buffer.filled().get(before..).unwrap_or_default();
            let outbound = &this.signs.outbound;
            this.received.scan(bytes, |head, start| {
                frames.received(head, stats);
                if head.kind == kind::SETTINGS
                    && head.flags & 1 == 0
                    && let Some(size) = table_size(bytes, head, start)
                {
                    outbound.borrow_mut().set_table_size(size);
                }
            });
            drop(frames);
            if self.keeps_time {
                self.signs.received.set(Instant::now());
            }
        } else if result.is_ready() {
            self.signs.closed.set(true);
        }
        result
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for CountedIo<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.write(cx, Some(&[data]))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let pieces: SmallVec<[&[u8]; 8]> = data.iter().map(|piece| &**piece).collect();
        self.write(cx, Some(&pieces))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.write(cx, None))?;
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.write(cx, None))?;
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_looked_at_where_they_are_whole() {
        let head = FrameHead { len: 6, kind: kind::SETTINGS, flags: 0, stream: 0, code: 0 };
        let frame = [&head.to_bytes()[..], b"\0\x01\0\0\x02\0"].concat();
        assert_eq!(table_size(&frame, head, 0), Some(512));
        assert_eq!(table_size(&[b"before", &frame[..]].concat(), head, 6), Some(512));
        assert_eq!(table_size(&[&head.to_bytes()[..], b"\0\x03\0\0\x02\0"].concat(), head, 0), None);
        // The rest comes later, or the head came before.
        for part in [frame.get(..9), frame.get(..12), frame.get(4..)] {
            assert_eq!(table_size(part.unwrap_or_default(), head, 0), Some(0));
        }
    }
}
