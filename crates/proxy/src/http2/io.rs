//! The bytes of an HTTP/2 connection between its socket and the `h2` crate, watched frame by frame on their way.

use std::cell::{Ref, RefCell, RefMut};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use sandgate_filter::ByteMeter;
use sandgate_http::HeaderMap;
use smallvec::SmallVec;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use h2::Reason;

use super::frame_head::kind;
use super::frames::{Fault, Frames};
use super::inbound::Inbound;
use super::outbound::Outbound;
use super::requests::{Received, Requests};
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
    sent: Outbound,
    /// Frames of our own, to be written between those of the `h2` crate.
    own: BytesMut,
    remote_closed: bool,
    pub(super) frames: Frames,
}

// === impl SharedIo ===

impl SharedIo {
    pub(super) fn new(hcm: &Rc<Hcm>, socket: Socket, prefix: BytesMut) -> Self {
        let sent = Outbound::new(0);
        let sent = if hcm.config.http2.allow_connect { sent } else { sent.disown_connect() };
        Self(Rc::new(RefCell::new(Http2Io {
            hcm: Rc::clone(hcm),
            socket,
            prefix,
            received: Inbound::new(PREFACE.len()),
            requests: Requests::new(hcm),
            sent,
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

    /// The next HEADERS of the stream have these fields.
    pub(super) fn queue(&mut self, stream: u32, fields: HeaderMap) {
        self.sent.queue(stream, fields);
    }

    /// The stream is over; its bytes.
    pub(super) fn forget(&mut self, stream: u32) -> ByteMeter {
        self.sent.forget(stream);
        self.frames.forget(stream)
    }

    fn put_own(&mut self) {
        if self.sent.at_boundary() && !self.own.is_empty() {
            self.sent.put(&self.own.split());
        }
    }

    /// Writes frames of our own, if there are any and it is their turn, and what was taken before.
    fn poll_write_own(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.put_own();
        let (socket, stats) = (&mut self.socket, &self.hcm.stats);
        let written = self.sent.poll_flush(|pieces| {
            let count = ready!(socket.poll_write_pieces(cx, pieces))?;
            stats.downstream_cx_tx_bytes_total().add(count as u64);
            Poll::Ready(Ok(count))
        });
        if let Poll::Ready(Ok(())) = written {
            self.frames.written();
        }
        written
    }

    /// Writes all that waits: to be called whenever the connection has been polled.
    pub(super) fn poll_write_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_write_own(cx))?;
        self.socket.poll_flush_bytes(cx)
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
            if let Some(size) = self.requests.take_table_size() {
                self.sent.set_table_size(size);
            }
            if let Some(broken) = self.received.broken {
                self.frames.fault.get_or_insert(Fault::Broken(broken.reason, broken.text));
            }
            if kept > 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, pieces: &[&[u8]]) -> Poll<io::Result<usize>> {
        self.put_own();
        let (socket, stats, frames) = (&mut self.socket, &self.hcm.stats, &mut self.frames);
        let write = |pieces: &[IoSlice<'_>]| {
            let count = ready!(socket.poll_write_pieces(cx, pieces))?;
            stats.downstream_cx_tx_bytes_total().add(count as u64);
            Poll::Ready(Ok(count))
        };
        self.sent.poll_write(pieces, |head| frames.sent(head), write)
    }
}

impl AsyncRead for SharedIo {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.get_mut().0.borrow_mut().poll_read(cx, buffer)
    }
}

impl AsyncWrite for SharedIo {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().0.borrow_mut().poll_write(cx, &[bytes])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let pieces: SmallVec<[&[u8]; 8]> = pieces.iter().map(|piece| &**piece).collect();
        self.get_mut().0.borrow_mut().poll_write(cx, &pieces)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// The `h2` crate flushes after each DATA frame: it is [`Http2Io::poll_write_out`] that does.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// The socket is closed later: first the client gets time to read.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().poll_write_out(cx)
    }
}
