//! An HTTP/1 connection to an upstream host.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::BytesMut;
use sandgate_config::model::UpstreamHttpOptions;
use sandgate_filter::{TlsInfo, UpstreamInfo};
use sandgate_http::WriteBuffer;
use sandgate_http::h1::ResponseDecoder;

use super::{HostPool, PoolProtocol};
use crate::cluster::{HostStats, ResourceGuard, WorkerCluster};
use crate::connection_id::next_connection_id;
use crate::socket::Socket;
use crate::stats::{ClusterStats, milliseconds};
use crate::transport::Transport;

/// Who ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CloseSide {
    Local,
    Remote,
}

/// Counts a connection from the first attempt to its end.
pub(super) struct ConnectionCount {
    pub(super) pool: Rc<HostPool>,
    pub(super) cluster: Rc<WorkerCluster>,
    pub(super) close_side: CloseSide,
    /// A request is on it.
    pub(super) active: bool,
    began: Instant,
    /// Nothing for plain text.
    pub(super) tls: Option<TlsFacts>,
    _slot: ResourceGuard,
}

/// What is known of a connection's TLS.
pub(super) struct TlsFacts {
    /// When the connection under it stood.
    pub(super) connected: Instant,
    pub(super) complete: Instant,
    pub(super) info: Arc<TlsInfo>,
}

/// A connected upstream connection: its socket and codec state.
pub(crate) struct UpstreamConnection {
    pub(crate) socket: Socket,
    pub(crate) decoder: ResponseDecoder,
    pub(crate) input: BytesMut,
    pub(crate) output: WriteBuffer,
    id: u64,
    local_address: Option<SocketAddr>,
    remote_address: Option<SocketAddr>,
    requests: u32,
    opened: Instant,
    /// What the stats of buffered bytes hold of this connection.
    unread: u64,
    unwritten: u64,
    count: ConnectionCount,
}

impl ConnectionCount {
    /// When it began to be opened.
    pub(super) fn began(&self) -> Instant {
        self.began
    }

    pub(super) fn new(pool: &Rc<HostPool>, cluster: &Rc<WorkerCluster>, slot: ResourceGuard) -> Self {
        pool.connections.set(pool.connections.get() + 1);
        let stats = &cluster.stats;
        stats.upstream_cx_total().inc();
        match pool.key().protocol {
            PoolProtocol::Http1 => cluster.count_http1_connection(),
            PoolProtocol::Http2 => cluster.count_http2_connection(),
            // It is counted when the host has chosen.
            PoolProtocol::Auto | PoolProtocol::Tcp => {}
        }
        stats.upstream_cx_active().inc();
        HostStats::inc(&pool.host().stats.cx_total);
        HostStats::inc(&pool.host().stats.cx_active);
        Self {
            pool: Rc::clone(pool),
            cluster: Rc::clone(cluster),
            close_side: CloseSide::Local,
            active: false,
            began: Instant::now(),
            tls: None,
            _slot: slot,
        }
    }

    /// What the stream's info tells of TLS.
    pub(super) fn note_tls(&self, info: &mut UpstreamInfo) {
        if let Some(tls) = &self.tls {
            info.tls = Some(Arc::clone(&tls.info));
            info.connect_end = Some(tls.connected);
            info.handshake_complete = Some(tls.complete);
        }
    }
}

impl Drop for ConnectionCount {
    fn drop(&mut self) {
        let stats = &self.cluster.stats;
        stats.upstream_cx_active().dec();
        HostStats::dec(&self.pool.host().stats.cx_active);
        stats.upstream_cx_length_ms().record(milliseconds(self.began.elapsed()));
        stats.upstream_cx_destroy().inc();
        match self.close_side {
            CloseSide::Local => stats.upstream_cx_destroy_local().inc(),
            CloseSide::Remote => stats.upstream_cx_destroy_remote().inc(),
        }
        if self.active {
            stats.upstream_cx_destroy_with_active_rq().inc();
            match self.close_side {
                CloseSide::Local => stats.upstream_cx_destroy_local_with_active_rq().inc(),
                CloseSide::Remote => stats.upstream_cx_destroy_remote_with_active_rq().inc(),
            }
        }
        self.pool.connection_gone();
    }
}

impl UpstreamConnection {
    pub(super) fn new(transport: Transport, count: ConnectionCount, now: Instant) -> Self {
        let took = now.saturating_duration_since(count.began);
        count.cluster.stats.upstream_cx_connect_ms().record(milliseconds(took));
        Self {
            id: next_connection_id(),
            local_address: transport.local_addr(),
            remote_address: transport.peer_addr(),
            socket: Socket::new(transport),
            decoder: ResponseDecoder::new(count.cluster.response_options.clone()),
            input: BytesMut::new(),
            output: WriteBuffer::new(),
            requests: 0,
            opened: now,
            unread: 0,
            unwritten: 0,
            count,
        }
    }

    pub(crate) fn pool(&self) -> Rc<HostPool> {
        Rc::clone(&self.count.pool)
    }

    /// What the stream's info tells of the connection.
    pub(crate) fn note(&self, info: &mut UpstreamInfo) {
        info.connection_id = Some(self.id);
        info.local_address = self.local_address;
        info.remote_address = self.remote_address;
        info.protocol = (self.count.pool.key().protocol != PoolProtocol::Tcp).then_some("HTTP/1.1");
        info.connect_start = Some(self.count.began);
        info.connect_end = Some(self.opened);
        self.count.note_tls(info);
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// When it was connected.
    pub(super) fn opened(&self) -> Instant {
        self.opened
    }

    /// A request begins or has ended.
    pub(crate) fn set_active(&mut self, active: bool) {
        self.count.active = active;
        self.requests = self.requests.saturating_add(u32::from(active));
    }

    pub(crate) fn count_sent(&mut self, bytes: usize) {
        let stats = &self.count.cluster.stats;
        stats.upstream_cx_tx_bytes_total().add(bytes as u64);
        stats.upstream_cx_tx_bytes_buffered().change(&mut self.unwritten, self.output.len());
    }

    pub(crate) fn count_received(&mut self, bytes: usize) {
        let stats = &self.count.cluster.stats;
        stats.upstream_cx_rx_bytes_total().add(bytes as u64);
        stats.upstream_cx_rx_bytes_buffered().change(&mut self.unread, self.input.len());
    }

    pub(crate) fn count_protocol_error(&self) {
        self.count.cluster.stats.upstream_cx_protocol_error().inc();
    }

    /// Who closed, for the stats of its end; us, unless somebody says otherwise.
    pub(crate) fn closed_by(&mut self, side: CloseSide) {
        self.count.close_side = side;
    }

    /// Ready if the connection, which should be silent, has bytes or was closed.
    pub(crate) fn poll_stirred(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.socket.poll_stirred(cx)
    }

    pub(super) fn idle_timeout(&mut self) {
        self.count.cluster.stats.upstream_cx_idle_timeout().inc();
    }

    /// Whether it must not serve another request.
    pub(super) fn is_spent(&self, options: &UpstreamHttpOptions, now: Instant, stats: &ClusterStats) -> bool {
        if options.max_requests_per_connection.is_some_and(|max| max > 0 && self.requests >= max) {
            stats.upstream_cx_max_requests().inc();
            return true;
        }
        let too_old = self.too_old_at(options).is_some_and(|too_old| too_old <= now);
        if too_old {
            stats.upstream_cx_max_duration_reached().inc();
        }
        too_old
    }

    /// When it has lived as long as it may.
    pub(super) fn too_old_at(&self, options: &UpstreamHttpOptions) -> Option<Instant> {
        options.max_connection_duration.map(|max| self.opened + max)
    }
}

impl Drop for UpstreamConnection {
    fn drop(&mut self) {
        let stats = &self.count.cluster.stats;
        stats.upstream_rq_per_cx().record(self.requests.into());
        stats.upstream_cx_rx_bytes_buffered().change(&mut self.unread, 0);
        stats.upstream_cx_tx_bytes_buffered().change(&mut self.unwritten, 0);
    }
}
