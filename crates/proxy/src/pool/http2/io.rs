//! The socket under an HTTP/2 connection: counts what goes through it, and takes heads and trailers out of what comes.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use sandgate_config::model::UpstreamHttpOptions;
use smallvec::SmallVec;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frames::StreamFrames;
use super::responses::{Fault, Received, Responses};
use crate::cluster::WorkerCluster;
use crate::http2::PREFACE;
use crate::http2::inbound::Inbound;
use crate::http2::outbound::Outbound;

/// A socket whose bytes the cluster's stats hold.
pub(super) struct CountedIo<T> {
    inner: T,
    cluster: Rc<WorkerCluster>,
    signs: Rc<Signs>,
    /// Somebody asks when something last came.
    keeps_time: bool,
    received: Inbound,
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
    pub(super) responses: RefCell<Responses>,
}

// === impl Signs ===

impl Signs {
    pub(super) fn new(now: Instant, options: &UpstreamHttpOptions) -> Self {
        Self {
            closed: Cell::new(false),
            received: Cell::new(now),
            frames: RefCell::default(),
            outbound: RefCell::new(Outbound::new(PREFACE.len()).disown_connect()),
            responses: RefCell::new(Responses::new(options)),
        }
    }

    /// Why the connection cannot go on, if it cannot; nothing more is read of it then.
    pub(super) fn fault(&self) -> Option<Fault> {
        self.responses.borrow().fault
    }
}

// === impl CountedIo ===

impl<T> CountedIo<T> {
    pub(super) fn new(inner: T, cluster: &Rc<WorkerCluster>, signs: &Rc<Signs>) -> Self {
        let keeps_time = cluster.config.http.http2.connection_keepalive.is_some();
        Self { inner, cluster: Rc::clone(cluster), signs: Rc::clone(signs), keeps_time, received: Inbound::new(0) }
    }

    /// Takes what is decoded here out of what was just read; how much of it can be read as it is.
    fn look_at(&mut self, bytes: &[u8]) -> usize {
        let mut responses = self.signs.responses.borrow_mut();
        let mut frames = self.signs.frames.borrow_mut();
        let mut receiver =
            Received { responses: &mut responses, frames: &mut frames, stats: &self.cluster.http2_stats };
        let kept = self.received.pass(bytes, &mut receiver);
        if let Some(broken) = self.received.broken {
            responses.fault.get_or_insert(Fault::Frames(broken.text));
        }
        if let Some(size) = responses.take_table_size() {
            self.signs.outbound.borrow_mut().set_table_size(size);
        }
        kept
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
        let mut outbound = signs.outbound.borrow_mut();
        match pieces {
            None => outbound.poll_flush(write).map_ok(|()| 0),
            Some(pieces) => {
                let (mut frames, mut responses) = (signs.frames.borrow_mut(), signs.responses.borrow_mut());
                let sent = |head| {
                    frames.sent(head, &cluster.http2_stats);
                    responses.sent(head);
                    true
                };
                outbound.poll_write(pieces, sent, write)
            }
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for CountedIo<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.received.read(buffer) {
                return Poll::Ready(Ok(()));
            }
            if this.signs.fault().is_some() {
                // Who polls the connection looks at this next.
                return Poll::Pending;
            }
            let before = buffer.filled().len();
            ready!(Pin::new(&mut this.inner).poll_read(cx, buffer)).inspect_err(|_| this.signs.closed.set(true))?;
            let bytes = buffer.filled().get(before..).unwrap_or_default();
            if bytes.is_empty() {
                this.signs.closed.set(true);
                return Poll::Ready(Ok(()));
            }
            this.cluster.stats.upstream_cx_rx_bytes_total().add(bytes.len() as u64);
            let kept = this.look_at(bytes);
            buffer.set_filled(before + kept);
            if this.keeps_time {
                this.signs.received.set(Instant::now());
            }
            if kept > 0 {
                return Poll::Ready(Ok(()));
            }
        }
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
