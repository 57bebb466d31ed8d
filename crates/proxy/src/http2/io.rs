//! The bytes of an HTTP/2 connection between its socket and the `h2` crate, watched frame by frame on their way.

use std::cell::{Ref, RefCell, RefMut};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use h2::Reason;

use super::frames::{Fault, Frames};
use super::inbound::Inbound;
use super::requests::{Received, Requests};
use super::scanner::{FrameHead, FrameScanner, kind};
use crate::hcm::Hcm;
use crate::socket::Socket;

/// What a client sends before its first frame (RFC 9113 §3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The connection's socket, shared by the `h2` crate and who watches it.
#[derive(Clone)]
pub(super) struct SharedIo(Rc<RefCell<Http2Io>>);

/// The socket and what is known of its frames.
pub(super) struct Http2Io {
    hcm: Rc<Hcm>,
    socket: Socket,
    /// What was read before it was known to be HTTP/2.
    prefix: BytesMut,
    received: Inbound,
    requests: Requests,
    sent: FrameScanner,
    /// Bytes that were scanned and that the socket did not take: they come again.
    ahead: usize,
    /// Nothing more is written.
    cut: bool,
    /// Frames of our own, to be written between those of the `h2` crate.
    own: BytesMut,
    remote_closed: bool,
    pub(super) frames: Frames,
}

// === impl SharedIo ===

impl SharedIo {
    pub(super) fn new(hcm: &Rc<Hcm>, socket: Socket, prefix: BytesMut) -> Self {
        Self(Rc::new(RefCell::new(Http2Io {
            hcm: Rc::clone(hcm),
            socket,
            prefix,
            received: Inbound::new(PREFACE.len()),
            requests: Requests::new(hcm),
            sent: FrameScanner::new(0),
            ahead: 0,
            cut: false,
            own: BytesMut::new(),
            remote_closed: false,
            frames: Frames::new(&hcm.config.http2, hcm.config.max_request_headers_kb),
        })))
    }

    pub(super) fn get(&self) -> Ref<'_, Http2Io> {
        self.0.borrow()
    }

    pub(super) fn get_mut(&self) -> RefMut<'_, Http2Io> {
        self.0.borrow_mut()
    }
}

// === impl Http2Io ===

impl Http2Io {
    /// Whether the client has closed or reset the connection.
    pub(super) fn remote_closed(&self) -> bool {
        self.remote_closed
    }

    /// Ready once the client has closed the connection that we do not read any more.
    pub(super) fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.remote_closed {
            return Poll::Ready(());
        }
        self.socket.poll_closed(cx)
    }

    /// Writes a GOAWAY without an error as soon as no other frame is under way.
    pub(super) fn go_away(&mut self, last_stream: u32) {
        self.go_away_for(last_stream, Reason::NO_ERROR, "");
    }

    /// Writes a GOAWAY for this reason, with a text for people of at most 247 bytes.
    pub(super) fn go_away_for(&mut self, last_stream: u32, reason: Reason, text: &str) {
        self.own.extend_from_slice(&[0, 0, 8 + text.len() as u8, kind::GOAWAY, 0, 0, 0, 0, 0]);
        self.own.extend_from_slice(&last_stream.to_be_bytes());
        self.own.extend_from_slice(&u32::from(reason).to_be_bytes());
        self.own.extend_from_slice(text.as_bytes());
    }

    /// Writes frames of our own, if there are any and it is their turn.
    pub(super) fn poll_write_own(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.own.is_empty() && self.ahead == 0 && self.sent.at_boundary() && !self.cut {
            let count = ready!(self.socket.poll_write_bytes(cx, &self.own))?;
            self.count_written(count);
            self.own.advance(count);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.received.read(buffer) {
                return Poll::Ready(Ok(()));
            }
            if self.frames.fault.is_some() {
                // Who polls the connection looks at this next.
                return Poll::Pending;
            }
            let before = buffer.filled().len();
            if self.prefix.is_empty() {
                ready!(self.socket.poll_read_bytes(cx, buffer)).inspect_err(|_| self.remote_closed = true)?;
                let count = buffer.filled().len() - before;
                self.hcm.stats.downstream_cx_rx_bytes_total().add(count as u64);
                if count == 0 {
                    self.remote_closed = true;
                    return Poll::Ready(Ok(()));
                }
            } else {
                let count = self.prefix.len().min(buffer.remaining());
                buffer.put_slice(&self.prefix.split_to(count));
            }
            let mut received = Received { requests: &mut self.requests, frames: &mut self.frames };
            let bytes = buffer.filled().get(before..).unwrap_or_default();
            let kept = self.received.pass(bytes, &mut received);
            buffer.set_filled(before + kept);
            if let Some(broken) = self.received.broken {
                self.frames.fault.get_or_insert(Fault::Broken(broken.reason, broken.text));
            }
            if kept > 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Looks at what is about to be written; how much of it may be.
    fn look(&mut self, bytes: &[u8]) -> usize {
        if self.cut {
            return 0;
        }
        let known = self.ahead.min(bytes.len());
        let (frames, mut allowed) = (&mut self.frames, None);
        let next = bytes.get(known..).unwrap_or_default();
        self.sent.scan(next, |head: FrameHead, start| {
            if allowed.is_none() && !frames.sent(head) {
                allowed = Some(known + start);
            }
        });
        self.ahead = self.ahead.max(bytes.len());
        match allowed {
            Some(allowed) => {
                self.cut = true;
                allowed
            }
            None => bytes.len(),
        }
    }

    fn count_written(&mut self, count: usize) {
        self.hcm.stats.downstream_cx_tx_bytes_total().add(count as u64);
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.cut {
            return Poll::Ready(Ok(bytes.len()));
        }
        ready!(self.poll_write_own(cx))?;
        let allowed = self.look(bytes);
        if allowed == 0 {
            return Poll::Ready(Ok(bytes.len()));
        }
        let count = ready!(self.socket.poll_write_bytes(cx, bytes.get(..allowed).unwrap_or_default()))?;
        self.count_written(count);
        self.ahead -= count.min(self.ahead);
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if self.cut {
            return Poll::Ready(Ok(pieces.iter().map(|piece| piece.len()).sum()));
        }
        ready!(self.poll_write_own(cx))?;
        let mut known = std::mem::take(&mut self.ahead);
        let mut total = 0;
        for piece in pieces {
            // Each piece is looked at as if it came alone.
            self.ahead = known.min(piece.len());
            known -= self.ahead;
            let allowed = self.look(piece);
            total += piece.len();
            if self.cut {
                self.ahead = 0;
                let before = total - piece.len();
                return self.poll_write_last(cx, pieces, before + allowed);
            }
        }
        self.ahead = total + known;
        let count = ready!(self.socket.poll_write_pieces(cx, pieces))?;
        self.count_written(count);
        self.ahead -= count.min(self.ahead);
        Poll::Ready(Ok(count))
    }

    /// Writes what came before the frame that must not go out, as far as the socket takes it at once.
    fn poll_write_last(
        &mut self,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
        mut allowed: usize,
    ) -> Poll<io::Result<usize>> {
        let mut total = 0;
        for piece in pieces {
            total += piece.len();
            let part = piece.get(..allowed.min(piece.len())).unwrap_or_default();
            allowed -= part.len();
            if !part.is_empty()
                && let Poll::Ready(count) = self.socket.poll_write_bytes(cx, part)
            {
                self.count_written(count?);
            }
        }
        Poll::Ready(Ok(total))
    }
}

impl AsyncRead for SharedIo {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.get_mut().0.borrow_mut().poll_read(cx, buffer)
    }
}

impl AsyncWrite for SharedIo {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().0.borrow_mut().poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().0.borrow_mut().poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut io = self.0.borrow_mut();
        ready!(io.poll_write_own(cx))?;
        io.socket.poll_flush_bytes(cx)
    }

    /// The socket is closed later: first the client gets time to read.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}
