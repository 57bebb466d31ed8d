//! A connection that can be read, written and, while it is not read, watched.

use std::cell::RefCell;
use std::future::Future as _;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use sandgate_http::WriteBuffer;
use tokio::io::{AsyncRead as _, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};

use crate::transport::{Tcp, Transport};

/// What is asked of the system at once.
const READ_SIZE: usize = 16 * 1024;
/// The same, once a read has filled that.
const LARGE_READ_SIZE: usize = 64 * 1024;

/// What a read found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadOutcome {
    /// So many bytes, and there may be more.
    More(usize),
    /// So many bytes, and the system has no more for now.
    Drained(usize),
    /// The peer has closed its half.
    Closed,
}

thread_local! {
    /// The buffer that connections of this thread read into in turn, so that an idle one needs none.
    static SHARED: RefCell<BytesMut> = RefCell::default();
}

/// Pieces of a body below this size are copied out of the buffer they were read into. A piece that is held back would
/// otherwise hold the whole buffer, so that a peer which sends byte by byte could take thousands of times what it sends.
const OWN_LIMIT: usize = 8 * 1024;

/// A piece of a body that holds on to little more memory than its size.
pub(crate) fn owned(piece: Bytes) -> Bytes {
    if piece.len() < OWN_LIMIT { Bytes::copy_from_slice(&piece) } else { piece }
}

/// Gives the buffer of a connection back to its thread once everything in it has been used.
pub(crate) fn recycle(buffer: &mut BytesMut) {
    if buffer.is_empty() && buffer.capacity() > 0 {
        SHARED.replace(std::mem::take(buffer));
    }
}

/// A connection that is read and written in buffers: TCP, or TLS over it.
#[derive(Debug)]
pub(crate) struct Socket {
    transport: Transport,
    large_reads: bool,
    /// The transport holds encrypted bytes back that the system did not take.
    unflushed: bool,
}

impl Socket {
    pub(crate) fn new(transport: Transport) -> Self {
        Self { transport, large_reads: false, unflushed: false }
    }

    #[allow(dead_code, reason = "asked of encrypted connections")]
    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    /// The bytes themselves, to be read and written otherwise.
    pub(crate) fn transport_mut(&mut self) -> &mut Transport {
        &mut self.transport
    }

    /// The bytes themselves, for who reads them otherwise. What was read already is the caller's.
    #[allow(dead_code, reason = "connections that turn out to speak HTTP/2")]
    pub(crate) fn into_transport(self) -> Transport {
        self.transport
    }

    /// Reads once, appending to `buffer`.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<ReadOutcome>> {
        if buffer.capacity() == 0 {
            *buffer = SHARED.take();
        }
        let size = if self.large_reads { LARGE_READ_SIZE } else { READ_SIZE };
        let tcp = match &mut self.transport {
            Transport::Tcp(tcp) => tcp,
            tls => {
                buffer.reserve(size);
                // There may be more in the next record, which nothing would wake us for.
                return pin!(tls.read_buf(buffer)).poll(cx).map_ok(|count| match count {
                    0 => ReadOutcome::Closed,
                    count => ReadOutcome::More(count),
                });
            }
        };
        if tcp.is_flag_cleared() {
            match read_untracked(tcp, buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => tcp.trust_flag(),
                other => return Poll::Ready(other.map(|count| self.outcome(count, LARGE_READ_SIZE))),
            }
        }
        buffer.reserve(size);
        let room = buffer.capacity() - buffer.len();
        // `read_buf` keeps nothing between polls: a new future each time is the same as one that is kept.
        let read = pin!(tcp.stream().read_buf(buffer)).poll(cx);
        read.map_ok(|count| self.outcome(count, room))
    }

    fn outcome(&mut self, count: usize, room: usize) -> ReadOutcome {
        self.large_reads = count >= READ_SIZE;
        match count {
            0 => ReadOutcome::Closed,
            _ if count < room => ReadOutcome::Drained(count),
            _ => ReadOutcome::More(count),
        }
    }

    /// Ready once the peer has closed or reset the connection, without reading what it sent before.
    pub(crate) fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.transport.poll_closed(cx)
    }

    /// Reads once, for a codec that has its own buffer and never watches a connection without reading it.
    pub(crate) fn poll_read_bytes(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_read(cx, buffer)
    }

    /// Writes several pieces at once; how many bytes went out.
    pub(crate) fn poll_write_pieces(
        &mut self,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.transport).poll_write_vectored(cx, pieces)
    }

    /// Writes what the transport holds back.
    pub(crate) fn poll_flush_bytes(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_flush(cx)
    }

    /// Whether a connection that should be silent has bytes or was closed; its bytes are lost then. `cx` is woken when that
    /// happens later.
    pub(crate) fn poll_stirred(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.transport.poll_stirred(cx)
    }

    /// Says that nothing more will be written.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        pin!(self.transport.shutdown()).poll(cx)
    }

    /// Whether [`Self::poll_write`] has something to do although nothing is left in the buffer.
    pub(crate) fn holds_back(&self) -> bool {
        self.unflushed
    }

    /// Writes until `buffer` is empty. How many bytes went out is what is missing in it.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, buffer: &mut WriteBuffer) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Tcp(tcp) => write_all(tcp.stream(), cx, buffer),
            tls => {
                self.unflushed = true;
                let written = match write_all(tls, cx, buffer) {
                    Poll::Ready(Ok(())) => pin!(tls.flush()).poll(cx),
                    other => other,
                };
                self.unflushed = written.is_pending();
                written
            }
        }
    }
}

/// Reads without asking the readiness flag.
fn read_untracked(tcp: &mut Tcp, buffer: &mut BytesMut) -> io::Result<usize> {
    let start = buffer.len();
    buffer.resize(start + LARGE_READ_SIZE, 0);
    let result = tcp.read_untracked(buffer.get_mut(start..).unwrap_or_default());
    let count = result.as_ref().map_or(0, |count| *count);
    buffer.truncate(start + count);
    if result.is_ok() && count > 0 && count < LARGE_READ_SIZE {
        tcp.trust_flag();
    }
    result
}

fn write_all<W: AsyncWrite + Unpin>(
    stream: &mut W,
    cx: &mut Context<'_>,
    buffer: &mut WriteBuffer,
) -> Poll<io::Result<()>> {
    while !buffer.is_empty() {
        match pin!(stream.write_buf(buffer)).poll(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Poll::Ready(Ok(_)) => {}
        }
    }
    Poll::Ready(Ok(()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test may panic")]

    use std::future::poll_fn;
    use std::io::Write as _;

    use tokio::net::TcpStream;

    use super::*;

    async fn pair() -> (std::net::TcpStream, Socket) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        (peer, Socket::new(Transport::tcp(TcpStream::from_std(stream).unwrap())))
    }

    #[tokio::test]
    async fn close_is_seen_behind_unread_bytes() {
        let (mut peer, mut socket) = pair().await;
        peer.write_all(b"unread").unwrap();
        let mut watched = false;
        // Bytes alone do not end the watch.
        poll_fn(|cx| {
            if socket.poll_closed(cx).is_ready() {
                watched = true;
            }
            Poll::Ready(())
        })
        .await;
        assert!(!watched);
        drop(peer);
        poll_fn(|cx| socket.poll_closed(cx)).await;
    }

    #[tokio::test]
    async fn bytes_survive_a_watch() {
        let (mut peer, mut socket) = pair().await;
        peer.write_all(b"first").unwrap();
        let mut buffer = BytesMut::new();
        // Wait until the bytes are there, watched but not read.
        poll_fn(|cx| socket.poll_stirred(cx)).await;
        poll_fn(|cx| {
            assert!(socket.poll_closed(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        assert!(socket.transport().socket().unwrap().is_flag_cleared());
        let outcome = poll_fn(|cx| socket.poll_read(cx, &mut buffer)).await.unwrap();
        assert_eq!((outcome, &buffer[..]), (ReadOutcome::Drained(5), &b"first"[..]));
        peer.write_all(b" second").unwrap();
        poll_fn(|cx| socket.poll_read(cx, &mut buffer)).await.unwrap();
        assert_eq!(&buffer[..], b"first second");
        drop(peer);
        let outcome = poll_fn(|cx| socket.poll_read(cx, &mut buffer)).await.unwrap();
        assert_eq!(outcome, ReadOutcome::Closed);
    }
}
