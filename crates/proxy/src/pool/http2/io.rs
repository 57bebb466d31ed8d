//! The socket under an HTTP/2 connection: counts what goes through it.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frames::StreamFrames;
use crate::cluster::WorkerCluster;
use crate::http2::PREFACE;
use crate::http2::scanner::FrameScanner;

/// A socket whose bytes the cluster's stats hold.
pub(super) struct CountedIo<T> {
    inner: T,
    cluster: Rc<WorkerCluster>,
    signs: Rc<Signs>,
    /// Somebody asks when something last came.
    keeps_time: bool,
    received: FrameScanner,
    sent: FrameScanner,
}

/// Signs of life of the host.
pub(super) struct Signs {
    /// What comes has ended.
    pub(super) closed: Cell<bool>,
    /// When something last came, if somebody asks.
    pub(super) received: Cell<Instant>,
    pub(super) frames: RefCell<StreamFrames>,
}

// === impl Signs ===

impl Signs {
    pub(super) fn new(now: Instant) -> Self {
        Self { closed: Cell::new(false), received: Cell::new(now), frames: RefCell::default() }
    }
}

// === impl CountedIo ===

impl<T> CountedIo<T> {
    pub(super) fn new(inner: T, cluster: &Rc<WorkerCluster>, signs: &Rc<Signs>) -> Self {
        let keeps_time = cluster.config.http.http2.connection_keepalive.is_some();
        Self {
            inner,
            cluster: Rc::clone(cluster),
            signs: Rc::clone(signs),
            keeps_time,
            received: FrameScanner::new(0),
            sent: FrameScanner::new(PREFACE.len()),
        }
    }

    /// What came of writing these pieces.
    fn wrote<'a>(
        &mut self,
        result: Poll<io::Result<usize>>,
        pieces: impl Iterator<Item = &'a [u8]>,
    ) -> Poll<io::Result<usize>> {
        match &result {
            Poll::Ready(Err(_)) => self.signs.closed.set(true),
            Poll::Ready(Ok(count)) => {
                self.cluster.stats.upstream_cx_tx_bytes_total().add(*count as u64);
                let (mut left, stats) = (*count, &self.cluster.http2_stats);
                let mut frames = self.signs.frames.borrow_mut();
                for piece in pieces {
                    let written = piece.get(..left.min(piece.len())).unwrap_or_default();
                    left -= written.len();
                    self.sent.scan(written, |head, _| frames.sent(head, stats));
                }
            }
            Poll::Pending => {}
        }
        result
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
            this.received.scan(bytes, |head, _| frames.received(head, stats));
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
        let result = Pin::new(&mut self.inner).poll_write(cx, data);
        self.wrote(result, std::iter::once(data))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write_vectored(cx, data);
        self.wrote(result, data.iter().map(|piece| &**piece))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
