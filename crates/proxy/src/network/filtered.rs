//! A connection behind network filters.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};

use super::{CloseType, ConnectionEvent, FilterManager};
use crate::transport::Transport;
use crate::worker::guarded;

/// What is asked of the transport at once.
const READ_SIZE: usize = 16 * 1024;

/// A transport whose bytes pass network filters in both directions. To who uses it, a connection that a filter closes has
/// ended.
pub(crate) struct Filtered {
    /// Gone once it is dropped.
    transport: Option<Transport>,
    manager: FilterManager,
    /// Above so many bytes nothing is read or taken for writing; 0 is no limit.
    limit: usize,
    /// The client will send no more.
    read_end: bool,
    /// Nothing more will be written.
    write_end: bool,
    ended: bool,
}

// === impl Filtered ===

impl std::fmt::Debug for Filtered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Filtered").field("transport", &self.transport).finish_non_exhaustive()
    }
}

impl Filtered {
    pub(crate) fn new(transport: Transport, manager: FilterManager, limit: usize) -> Self {
        Self { transport: Some(transport), manager, limit, read_end: false, write_end: false, ended: false }
    }

    /// What is underneath.
    pub(crate) fn inner(&self) -> Option<&Transport> {
        self.transport.as_ref()
    }

    /// Ready once all filters have let the connection pass, or it is over; whether it is not. Nothing is read meanwhile.
    pub(crate) fn poll_initialized(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        self.enter(cx);
        if self.manager.is_initialized() || !self.is_open() {
            return Poll::Ready(self.is_open());
        }
        Poll::Pending
    }

    /// Whether a filter has stopped the end of what is written. Nothing lets it go on.
    pub(crate) fn stops_end(&mut self) -> bool {
        self.write_end && !self.manager.output().1
    }

    /// Ready once the client has closed the connection, or a filter has.
    pub(crate) fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.enter(cx);
        if !self.is_open() {
            return Poll::Ready(());
        }
        let closed = self.transport.as_mut().map_or(Poll::Ready(()), |transport| transport.poll_closed(cx));
        if closed.is_ready() {
            self.end(ConnectionEvent::RemoteClose);
        }
        closed
    }

    /// The task of `cx` is the connection's; what filters asked for since is done.
    fn enter(&mut self, cx: &mut Context<'_>) {
        self.manager.register(cx);
        self.manager.initialize();
    }

    fn is_open(&self) -> bool {
        !self.ended && self.manager.handle().is_open()
    }

    fn end(&mut self, event: ConnectionEvent) {
        self.ended = true;
        self.manager.raise(event);
    }

    /// Reads once and shows it to the filters; whether there may be more.
    fn fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let limit = self.limit;
        if self.read_end {
            // A filter has stopped the end: that wakes us.
            return Poll::Pending;
        }
        let Some(transport) = &mut self.transport else { return Poll::Ready(Ok(false)) };
        if limit > 0 && self.manager.input().len() >= limit || self.manager.handle().is_read_disabled() {
            // The filter that stops them has to go on first. That the client has gone is to be noticed all the same.
            return self.poll_closed(cx).map(|()| Ok(false));
        }
        let read = {
            let mut input = self.manager.input();
            input.reserve(READ_SIZE);
            std::pin::pin!(transport.read_buf(&mut *input)).poll(cx)
        };
        match ready!(read) {
            Ok(0) if self.manager.handle().takes_half_close() => {
                self.read_end = true;
                self.manager.on_read(true);
                let (output, output_end) = self.manager.output();
                if output_end && output.is_empty() {
                    // Our end has gone before: theirs is the last.
                    self.end(ConnectionEvent::RemoteClose);
                }
                Poll::Ready(Ok(true))
            }
            Ok(0) => {
                self.end(ConnectionEvent::RemoteClose);
                Poll::Ready(Ok(false))
            }
            Ok(count) => {
                self.manager.handle().count_received(count);
                self.manager.on_read(false);
                Poll::Ready(Ok(true))
            }
            Err(error) => {
                self.end(ConnectionEvent::RemoteClose);
                Poll::Ready(Err(error))
            }
        }
    }

    /// Writes what has passed the filters.
    fn poll_output(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(transport) = &mut self.transport else { return Poll::Ready(Ok(())) };
        let (output, _) = self.manager.output();
        while !output.is_empty() {
            let written = ready!(Pin::new(&mut *transport).poll_write(cx, output));
            match written {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(count) => output.advance(count),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Filtered {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.enter(cx);
        loop {
            // What filters have written does not wait for the next write.
            if let Poll::Ready(Err(error)) = this.poll_output(cx) {
                return Poll::Ready(Err(error));
            }
            let (passed, end) = this.manager.passed();
            if !passed.is_empty() {
                let count = passed.len().min(buf.remaining());
                buf.put_slice(passed.get(..count).unwrap_or_default());
                passed.advance(count);
                return Poll::Ready(Ok(()));
            }
            if end || !this.is_open() {
                return Poll::Ready(Ok(()));
            }
            if !ready!(this.fill(cx))? && !this.is_open() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for Filtered {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(buf)])
    }

    /// Everything that is written at once is one event for the filters.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.enter(cx);
        if !this.is_open() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let held = this.manager.written().len();
        let (output, _) = this.manager.output();
        let full = this.limit > 0 && held.max(output.len()) >= this.limit;
        if full {
            ready!(this.poll_output(cx))?;
            if held >= this.limit {
                // A filter stops it; that wakes us.
                return Poll::Pending;
            }
        }
        bufs.iter().for_each(|piece| this.manager.written().extend_from_slice(piece));
        this.manager.write(false);
        if let Poll::Ready(Err(error)) = this.poll_output(cx) {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(bufs.iter().map(|piece| piece.len()).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.enter(cx);
        ready!(this.poll_output(cx))?;
        this.transport.as_mut().map_or(Poll::Ready(Ok(())), |transport| Pin::new(transport).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.enter(cx);
        if this.is_open() && !std::mem::replace(&mut this.write_end, true) {
            this.manager.write(true);
        }
        ready!(this.poll_output(cx))?;
        if this.is_open() && !this.manager.output().1 {
            // A filter stops it.
            return Poll::Pending;
        }
        this.transport.as_mut().map_or(Poll::Ready(Ok(())), |transport| Pin::new(transport).poll_shutdown(cx))
    }
}

impl Drop for Filtered {
    /// The filters learn of the end. What they have let pass goes out, if they did not want it otherwise.
    fn drop(&mut self) {
        self.manager.settle();
        if !self.ended {
            self.end(ConnectionEvent::LocalClose);
        }
        let Some(mut transport) = self.transport.take() else { return };
        match self.manager.handle().close_kind() {
            Some(CloseType::NoFlush) => {}
            None | Some(CloseType::FlushWrite) => {
                let output = std::mem::take(self.manager.output().0);
                if !output.is_empty() {
                    tokio::task::spawn_local(guarded("closing connection", async move {
                        if transport.write_all(&output).await.is_ok() {
                            // The client finds out by itself.
                            let _ = transport.flush().await;
                        }
                    }));
                }
            }
        }
    }
}
