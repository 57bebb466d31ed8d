//! A TCP connection that can be read, written and, while it is not read, watched.

use std::cell::RefCell;
use std::future::Future as _;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use sandgate_http::WriteBuffer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::net::TcpStream;

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

/// A connected, non-blocking TCP socket.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    /// Bytes may wait although the readiness flag is off: it was cleared to be woken by a close.
    flag_cleared: bool,
    large_reads: bool,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream) -> Self {
        // Only a latency hint: a socket without it works.
        let _ = stream.set_nodelay(true);
        Self { stream, flag_cleared: false, large_reads: false }
    }

    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        self.stream.local_addr().ok()
    }

    /// Reads once, appending to `buffer`.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<ReadOutcome>> {
        if buffer.capacity() == 0 {
            *buffer = SHARED.take();
        }
        if self.flag_cleared {
            match self.read_untracked(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.flag_cleared = false,
                other => return Poll::Ready(other),
            }
        }
        let size = if self.large_reads { LARGE_READ_SIZE } else { READ_SIZE };
        buffer.reserve(size);
        let room = buffer.capacity() - buffer.len();
        // `read_buf` keeps nothing between polls: a new future each time is the same as one that is kept.
        let read = pin!(self.stream.read_buf(buffer)).poll(cx);
        read.map_ok(|count| self.outcome(count, room))
    }

    /// Reads without asking the readiness flag.
    fn read_untracked(&mut self, buffer: &mut BytesMut) -> io::Result<ReadOutcome> {
        let start = buffer.len();
        buffer.resize(start + LARGE_READ_SIZE, 0);
        let result = loop {
            let room = buffer.get_mut(start..).unwrap_or_default();
            match rustix::net::recv(&self.stream, room, rustix::net::RecvFlags::DONTWAIT) {
                Err(rustix::io::Errno::INTR) => {}
                other => break other,
            }
        };
        let count = result.as_ref().map_or(0, |(count, _)| *count);
        buffer.truncate(start + count);
        result?;
        let outcome = self.outcome(count, LARGE_READ_SIZE);
        if outcome == ReadOutcome::Drained(count) {
            self.flag_cleared = false;
        }
        Ok(outcome)
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
        loop {
            match self.stream.poll_read_ready(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(())) => {}
            }
            if let Poll::Ready(Ok(ready)) = pin!(self.stream.ready(Interest::READABLE)).poll(cx)
                && ready.is_read_closed()
            {
                return Poll::Ready(());
            }
            // There are only bytes. Readiness is edge-triggered: clear the flag without reading, so that the next
            // event, which may be the close, wakes us.
            let _ = self.stream.try_io(Interest::READABLE, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
            self.flag_cleared = true;
        }
    }

    /// Whether a connection that should be silent has bytes or was closed. `cx` is woken when that happens later.
    pub(crate) fn poll_stirred(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.stream.poll_read_ready(cx).map(|_| ())
    }

    /// Writes until `buffer` is empty. How many bytes went out is what is missing in it.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, buffer: &mut WriteBuffer) -> Poll<io::Result<()>> {
        while !buffer.is_empty() {
            match pin!(self.stream.write_buf(buffer)).poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(_)) => {}
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test may panic")]

    use std::future::poll_fn;
    use std::io::Write as _;

    use super::*;

    async fn pair() -> (std::net::TcpStream, Socket) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        (peer, Socket::new(TcpStream::from_std(stream).unwrap()))
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
        assert!(socket.flag_cleared);
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
