//! The bytes of a connection: plain TCP, or TLS over it.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustls::ConnectionCommon;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{client, server};

use crate::gathered::Gathered;
use crate::global_connections::CountedConnection;
use crate::network::Filtered;

/// A connected TCP socket that can be watched for its end while bytes wait in it.
#[derive(Debug)]
pub(crate) struct Tcp {
    stream: TcpStream,
    /// Bytes may wait although the readiness flag is off: it was cleared to be woken by a close.
    flag_cleared: bool,
    /// Bytes that go with the next ones.
    held: Gathered,
    /// What is written is held.
    holds: bool,
    /// As a client's.
    _counted: Option<CountedConnection>,
}

/// What is held at most.
const MOST_HELD: usize = 16 * 1024;

/// A connection's bytes in both directions.
#[derive(Debug)]
pub(crate) enum Transport {
    /// As they are.
    Tcp(Tcp),
    /// Encrypted; we are the server.
    TlsServer(Box<server::TlsStream<Tcp>>),
    /// Encrypted; we are the client.
    #[allow(dead_code, reason = "made by the handshake")]
    TlsClient(Box<client::TlsStream<Tcp>>),
    /// Behind network filters.
    Filtered(Box<Filtered>),
}

// === impl Tcp ===

impl Tcp {
    pub(crate) fn new(stream: TcpStream) -> Self {
        // Only a latency hint: a socket without it works.
        let _ = stream.set_nodelay(true);
        Self { stream, flag_cleared: false, held: Gathered::default(), holds: false, _counted: None }
    }

    /// A connection that was accepted: it has the options of the socket that listened.
    pub(crate) fn accepted(stream: TcpStream, counted: CountedConnection) -> Self {
        Self { stream, flag_cleared: false, held: Gathered::default(), holds: false, _counted: Some(counted) }
    }

    /// From now on, what is written waits for [`Tcp::poll_release`].
    pub(crate) fn hold(&mut self) {
        self.holds = true;
    }

    /// What is written from now on takes along what was held.
    pub(crate) fn stop_holding(&mut self) {
        self.holds = false;
    }

    /// Writes what is held.
    pub(crate) fn poll_release(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = &mut self.stream;
        self.held.poll_write(&[], |pieces| Pin::new(&mut *stream).poll_write_vectored(cx, pieces)).map_ok(|_| ())
    }

    /// The same, as far as it can be done at once.
    fn try_release(&mut self) {
        let stream = &self.stream;
        let _ = self.held.poll_write(&[], |pieces| Poll::Ready(stream.try_write_vectored(pieces)));
    }

    /// The socket, to be read with the readiness flag; only while it is not [cleared](Self::is_flag_cleared).
    pub(crate) fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        self.stream.local_addr().ok()
    }

    pub(crate) fn peer_addr(&self) -> Option<SocketAddr> {
        self.stream.peer_addr().ok()
    }

    /// Returns once something can be read, or the connection is over.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.stream.readable().await
    }

    /// Reads and writes what can be read and written at once.
    pub(crate) fn try_io(&self) -> TryIo<'_> {
        TryIo(&self.stream)
    }

    /// Whether bytes may wait although the readiness flag is off: [`Self::read_untracked`] finds them.
    pub(crate) fn is_flag_cleared(&self) -> bool {
        self.flag_cleared
    }

    /// Looks at what has come, once it is more than `known` bytes; they stay in the socket. Nothing if the peer has closed the
    /// connection: then no more will come.
    pub(crate) async fn peek_more(&mut self, room: &mut [u8], known: usize) -> io::Result<usize> {
        use rustix::net::RecvFlags;
        loop {
            let ready = self.stream.ready(Interest::READABLE).await?;
            self.flag_cleared = false;
            match rustix::net::recv(&self.stream, &mut *room, RecvFlags::PEEK | RecvFlags::DONTWAIT) {
                Ok((0, _)) => return Ok(0),
                Ok((count, _)) if count > known => return Ok(count),
                Ok(_) if ready.is_read_closed() => return Ok(0),
                Ok(_) => {
                    // The flag goes off without a read, as in `poll_closed`.
                    let _ = self.stream.try_io(Interest::READABLE, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
                    self.flag_cleared = true;
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => {
                    let _ = self.stream.try_io(Interest::READABLE, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Takes away bytes that have come.
    pub(crate) fn discard(&mut self, mut count: usize) -> io::Result<()> {
        let mut room = [0; 1024];
        while count > 0 {
            let most = count.min(room.len());
            match self.read_untracked(room.get_mut(..most).unwrap_or_default())? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                taken => count -= taken,
            }
        }
        Ok(())
    }

    /// The address that the peer connected to, if it was redirected here.
    pub(crate) fn original_dst(&self) -> Option<SocketAddr> {
        let socket = socket2::SockRef::from(&self.stream);
        let local = self.local_addr()?;
        let original = if local.is_ipv4() { socket.original_dst_v4() } else { socket.original_dst_v6() };
        original.ok()?.as_socket().filter(|original| *original != local)
    }

    /// What is readable is known to the readiness flag again.
    pub(crate) fn trust_flag(&mut self) {
        self.flag_cleared = false;
    }

    /// Reads without asking the readiness flag.
    pub(crate) fn read_untracked(&self, room: &mut [u8]) -> io::Result<usize> {
        loop {
            match rustix::net::recv(&self.stream, &mut *room, rustix::net::RecvFlags::DONTWAIT) {
                Err(rustix::io::Errno::INTR) => {}
                other => return Ok(other?.0),
            }
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
            let mut ready = std::pin::pin!(self.stream.ready(Interest::READABLE));
            if let Poll::Ready(Ok(ready)) = ready.as_mut().poll(cx)
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
}

impl AsyncRead for Tcp {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.flag_cleared {
            let room = buf.initialize_unfilled();
            let size = room.len();
            match this.read_untracked(room) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => this.flag_cleared = false,
                Err(error) => return Poll::Ready(Err(error)),
                Ok(count) => {
                    buf.advance(count);
                    // What did not fill the room was all there was.
                    this.flag_cleared = count == size;
                    return Poll::Ready(Ok(()));
                }
            }
        }
        Pin::new(&mut this.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.holds || !this.held.is_empty() {
            return Pin::new(this).poll_write_vectored(cx, &[io::IoSlice::new(buf)]);
        }
        Pin::new(&mut this.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let count: usize = bufs.iter().map(|piece| piece.len()).sum();
        if this.holds && this.held.len() + count <= MOST_HELD {
            bufs.iter().for_each(|piece| this.held.push(piece));
            return Poll::Ready(Ok(count));
        }
        let stream = &mut this.stream;
        this.held.poll_write(bufs, |pieces| Pin::new(&mut *stream).poll_write_vectored(cx, pieces))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.holds { Poll::Ready(Ok(())) } else { this.poll_release(cx) }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_release(cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}

impl Drop for Tcp {
    /// What was held is not lost, if it can be written without waiting: it may say why a handshake failed.
    fn drop(&mut self) {
        if !self.held.is_empty() {
            self.try_release();
        }
    }
}

// === impl Transport ===

impl Transport {
    /// A connection without TLS.
    pub(crate) fn tcp(stream: TcpStream) -> Self {
        Self::Tcp(Tcp::new(stream))
    }

    /// The socket underneath.
    pub(crate) fn socket(&self) -> Option<&Tcp> {
        match self {
            Self::Tcp(tcp) => Some(tcp),
            Self::TlsServer(stream) => Some(stream.get_ref().0),
            Self::TlsClient(stream) => Some(stream.get_ref().0),
            Self::Filtered(filtered) => filtered.inner()?.socket(),
        }
    }

    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        self.socket()?.local_addr()
    }

    pub(crate) fn peer_addr(&self) -> Option<SocketAddr> {
        self.socket()?.peer_addr()
    }

    /// What is not written yet is lost, and the peer gets a reset, once this is dropped.
    pub(crate) fn reset_on_close(&self) {
        if let Some(tcp) = self.socket() {
            // The connection ends in any case.
            let _ = socket2::SockRef::from(&tcp.stream).set_linger(Some(std::time::Duration::ZERO));
        }
    }

    #[allow(dead_code, reason = "asked of encrypted connections")]
    pub(crate) fn is_tls(&self) -> bool {
        match self {
            Self::Tcp(_) => false,
            Self::TlsServer(_) | Self::TlsClient(_) => true,
            Self::Filtered(filtered) => filtered.inner().is_some_and(Self::is_tls),
        }
    }

    /// The protocol that both sides have agreed on by ALPN.
    #[allow(dead_code, reason = "asked of encrypted connections")]
    pub(crate) fn alpn_protocol(&self) -> Option<&[u8]> {
        match self {
            Self::Tcp(_) => None,
            Self::TlsServer(stream) => stream.get_ref().1.alpn_protocol(),
            Self::TlsClient(stream) => stream.get_ref().1.alpn_protocol(),
            Self::Filtered(filtered) => filtered.inner()?.alpn_protocol(),
        }
    }

    /// Ready once the peer has closed or reset the connection, without reading what it sent before. With TLS, too, it is the
    /// end of the TCP connection that counts: the alert before it would have to be read.
    pub(crate) fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Tcp(tcp) => tcp.poll_closed(cx),
            Self::TlsServer(stream) => stream.get_mut().0.poll_closed(cx),
            Self::TlsClient(stream) => stream.get_mut().0.poll_closed(cx),
            Self::Filtered(filtered) => filtered.poll_closed(cx),
        }
    }

    /// Whether a connection that should be silent has bytes or was closed; its bytes are lost then. `cx` is woken when that
    /// happens later. With TLS, what is of the protocol alone (session tickets come late) is taken in and is no stir.
    pub(crate) fn poll_stirred(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Self::Tcp(tcp) = self {
            return tcp.stream.poll_read_ready(cx).map(|_| ());
        }
        let mut byte = [0];
        Pin::new(self).poll_read(cx, &mut ReadBuf::new(&mut byte)).map(|_| ())
    }
}

impl Drop for Transport {
    /// Tells the peer of a TLS connection that no more comes (`close_notify`), if that can be had without waiting.
    fn drop(&mut self) {
        fn goodbye<D>(tcp: &mut Tcp, session: &mut ConnectionCommon<D>) {
            if session.is_handshaking() {
                return;
            }
            tcp.try_release();
            if !tcp.held.is_empty() {
                return;
            }
            session.send_close_notify();
            while session.wants_write() {
                if session.write_tls(&mut TryIo(&tcp.stream)).map_or(true, |count| count == 0) {
                    return;
                }
            }
        }
        match self {
            Self::Tcp(_) | Self::Filtered(_) => {}
            Self::TlsServer(stream) => {
                let (tcp, session) = stream.get_mut();
                goodbye(tcp, session);
            }
            Self::TlsClient(stream) => {
                let (tcp, session) = stream.get_mut();
                goodbye(tcp, session);
            }
        }
    }
}

/// Reads and writes what can be read and written at once.
pub(crate) struct TryIo<'a>(&'a TcpStream);

impl io::Read for TryIo<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(bytes)
    }
}

impl io::Write for TryIo<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Calls a method of whichever stream it is.
macro_rules! delegate {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Transport::Tcp(stream) => {
                let $stream = Pin::new(stream);
                $call
            }
            Transport::TlsServer(stream) => {
                let $stream = Pin::new(&mut **stream);
                $call
            }
            Transport::TlsClient(stream) => {
                let $stream = Pin::new(&mut **stream);
                $call
            }
            Transport::Filtered(stream) => {
                let $stream = Pin::new(&mut **stream);
                $call
            }
        }
    };
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        delegate!(self, stream => stream.poll_read(cx, buf))
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        delegate!(self, stream => stream.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        delegate!(self, stream => stream.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            Self::TlsServer(stream) => stream.is_write_vectored(),
            Self::TlsClient(stream) => stream.is_write_vectored(),
            Self::Filtered(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, stream => stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, stream => stream.poll_shutdown(cx))
    }
}
