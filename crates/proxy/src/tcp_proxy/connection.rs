//! A connection that is passed on: bytes of both directions until both sides have ended.

use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::BytesMut;
use sandgate_filter::response_flag;
use sandgate_formatter::AccessLogType;
use sandgate_http::WriteBuffer;

use super::TcpProxy;
use super::relay::{Buffers, Flow, RelayError};
use super::session::{Session, Upstream};
use super::timers::Timers;
use crate::accepted::AcceptedConnection;
use crate::network::CloseType;
use crate::pool::CloseSide;
use crate::socket::Socket;
use crate::transport::Transport;

/// A connection whose handshake may still go on.
pub(crate) struct TcpProxyStart {
    session: Session,
    upstream: Option<Box<Upstream>>,
}

/// A connection that is passed on.
pub(crate) struct TcpProxyConnection {
    session: Session,
    upstream: Option<Box<Upstream>>,
    client: Socket,
    /// Bytes of the host that are not passed on yet.
    output: WriteBuffer,
    /// What the client sends is read into it.
    input: BytesMut,
    up: Flow,
    down: Flow,
    /// What the stats of buffered bytes hold of this connection.
    unwritten: u64,
}

// === impl TcpProxyStart ===

impl TcpProxyStart {
    pub(crate) fn new(accepted: AcceptedConnection, proxy: &Rc<TcpProxy>) -> Self {
        Self { session: Session::new(accepted, proxy), upstream: None }
    }

    pub(crate) fn accepted(&mut self) -> &mut AcceptedConnection {
        &mut self.session.accepted
    }

    /// Connects to a host while the client's handshake goes on; whether the connection has failed.
    pub(crate) fn poll_meanwhile(&mut self, cx: &mut Context<'_>) -> bool {
        let now = Instant::now();
        if self.upstream.is_none()
            && let Poll::Ready(outcome) = self.session.poll_connect(cx, now)
        {
            match outcome {
                Ok(upstream) => self.upstream = Some(upstream),
                Err(_) => return true,
            }
        }
        let over = self.session.on_timers(now);
        self.session.timers.arm(cx, now);
        over
    }

    pub(crate) fn open(self, transport: Transport) -> TcpProxyConnection {
        let Self { session, upstream } = self;
        TcpProxyConnection {
            session,
            upstream,
            client: Socket::new(transport),
            output: WriteBuffer::new(),
            input: BytesMut::new(),
            up: Flow::default(),
            down: Flow::default(),
            unwritten: 0,
        }
    }
}

// === impl TcpProxyConnection ===

impl TcpProxyConnection {
    /// Serves it as far as it goes now; ready when it is over.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.session.accepted.register(cx.waker());
        if self.session.accepted.worker.is_draining() {
            return Poll::Ready(());
        }
        if self.upstream.is_none()
            && let Transport::Filtered(filtered) = self.client.transport_mut()
            && !ready!(filtered.poll_initialized(cx))
        {
            return Poll::Ready(());
        }
        if !self.session.handle.is_open() {
            // A filter in front has closed it.
            return Poll::Ready(());
        }
        let now = Instant::now();
        if self.session.on_timers(now) {
            return Poll::Ready(());
        }
        if self.upstream.is_none() {
            match self.session.poll_connect(cx, now) {
                Poll::Ready(Ok(upstream)) => self.upstream = Some(upstream),
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => {
                    self.session.timers.arm(cx, now);
                    return Poll::Pending;
                }
            }
        }
        if self.relay(cx, now) {
            return Poll::Ready(());
        }
        if self.up.more || self.down.more {
            cx.waker().wake_by_ref();
        }
        self.session.timers.arm(cx, now);
        Poll::Pending
    }

    /// Moves bytes in both directions; whether that was the last.
    fn relay(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let Some(upstream) = &mut self.upstream else { return true };
        let proxy = Rc::clone(&self.session.proxy);
        // Filters in front see more, or less, than is passed on: who reads and writes counts then.
        let filtered = matches!(self.client.transport(), Transport::Filtered(_));
        let connection = &mut upstream.connection;
        let buffers = Buffers {
            input: &mut self.input,
            output: &mut connection.output,
            limit: upstream.cluster.config.per_connection_buffer_limit_bytes as usize,
        };
        let (moved, up) = self.up.relay(cx, &mut self.client, &mut connection.socket, buffers);
        if moved.read > 0 || moved.written > 0 {
            self.session.timers.active = Some(now);
            connection.count_sent(moved.written);
            let mut info = self.session.info();
            // Filters in front count before they see them.
            if !filtered {
                info.bytes_received += moved.read as u64;
                info.bytes.wire_received += moved.read as u64;
            }
            info.upstream.bytes.wire_sent += moved.read as u64;
        }
        match moved.pause {
            Some(true) => proxy.stats.downstream_flow_control_paused_reading_total().inc(),
            Some(false) => proxy.stats.downstream_flow_control_resumed_reading_total().inc(),
            None => {}
        }
        let buffers = Buffers { input: &mut connection.input, output: &mut self.output, limit: proxy.buffer_limit };
        let (moved, down) = self.down.relay(cx, &mut connection.socket, &mut self.client, buffers);
        if moved.read > 0 || moved.written > 0 {
            self.session.timers.active = Some(now);
            connection.count_received(moved.read);
            proxy.stats.downstream_cx_tx_bytes_buffered().change(&mut self.unwritten, self.output.len());
            let mut info = self.session.info();
            if !filtered {
                info.bytes_sent += moved.read as u64;
            }
            info.bytes.wire_sent += moved.read as u64;
            info.upstream.bytes.wire_received += moved.read as u64;
        }
        self.session.count_bytes();
        let stats = &upstream.cluster.stats;
        match moved.pause {
            Some(true) => stats.upstream_flow_control_paused_reading_total().inc(),
            Some(false) => stats.upstream_flow_control_resumed_reading_total().inc(),
            None => {}
        }
        let failed = match (up, down) {
            (Err(RelayError::Read(error)), _) | (_, Err(RelayError::Write(error))) => self.client_failed(&error),
            (Err(RelayError::Write(error)), _) | (_, Err(RelayError::Read(error))) => self.host_failed(&error),
            (Ok(()), Ok(())) => false,
        };
        let stops_end = |client: &mut Socket| match client.transport_mut() {
            Transport::Filtered(filtered) => filtered.stops_end(),
            _ => false,
        };
        // The host has closed its connection, whether or not the client is to know.
        let down_over = self.down.is_over() || self.down.read_end && stops_end(&mut self.client);
        if self.up.is_over() && down_over {
            self.closed_by(CloseSide::Remote);
            return true;
        }
        failed
    }

    /// The client's connection is broken: so is the host's.
    fn client_failed(&mut self, error: &io::Error) -> bool {
        log::debug!(target: "connection", "[C{}] {error}", self.session.accepted.info.id);
        if is_reset(error)
            && let Some(upstream) = &self.upstream
        {
            upstream.connection.socket.transport().reset_on_close();
        }
        true
    }

    /// The host's connection is broken: what it sent is still passed on.
    fn host_failed(&mut self, error: &io::Error) -> bool {
        log::debug!(target: "upstream", "[C{}] {error}", self.session.accepted.info.id);
        self.closed_by(CloseSide::Remote);
        if is_reset(error) {
            self.session.info().set_response_flag(response_flag::UPSTREAM_REMOTE_RESET);
            self.client.transport().reset_on_close();
        }
        true
    }

    fn closed_by(&mut self, side: CloseSide) {
        if let Some(upstream) = &mut self.upstream {
            upstream.connection.closed_by(side);
        }
    }

    /// It is over: what is still counted is not any more.
    pub(crate) fn end(&mut self) {
        self.session.proxy.stats.downstream_cx_tx_bytes_buffered().change(&mut self.unwritten, 0);
    }
}

fn is_reset(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::ConnectionReset
}

// === impl Session ===

impl Session {
    /// Acts on what has become due; whether the connection is to be closed.
    fn on_timers(&mut self, now: Instant) -> bool {
        if Timers::take(&mut self.timers.log, now) {
            self.timers.log = self.proxy.access_logs.interval().map(|interval| now + interval);
            self.log(AccessLogType::TcpPeriodic, now);
        }
        if Timers::take(&mut self.timers.too_old, now) {
            self.info().set_response_flag(response_flag::DURATION_TIMEOUT);
            self.handle.close(CloseType::NoFlush, "max_connection_duration_reached");
            self.proxy.stats.max_downstream_connection_duration().inc();
            return true;
        }
        let idle = self.timers.idle_at().is_some_and(|deadline| deadline <= now);
        if idle {
            self.proxy.stats.idle_timeout().inc();
            self.handle.close(CloseType::NoFlush, "tcp_session_idle_timeout");
        }
        idle
    }

    /// Counts what went over the client's connection since this was last asked.
    fn count_bytes(&mut self) {
        let (received, sent) = {
            let info = self.handle.stream_info().borrow();
            (info.bytes_received, info.bytes_sent)
        };
        let stats = &self.proxy.stats;
        stats.downstream_cx_rx_bytes_total().add(received.saturating_sub(self.received));
        stats.downstream_cx_tx_bytes_total().add(sent.saturating_sub(self.sent));
        (self.received, self.sent) = (received, sent);
    }
}
