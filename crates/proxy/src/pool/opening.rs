//! Opening connections: as many as there are requests that wait, each on a task of its own.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use super::connect::connect;
use super::connection::{ConnectionCount, TlsFacts};
use super::{CloseSide, ConnectFailure, HostPool, PoolProtocol, UpstreamConnection, http2};
use crate::cluster::{HostStats, WorkerCluster};
use crate::transport::Transport;
use crate::upstream_tls::{Handshake, alpn};
use crate::worker::guarded;

/// Connections that one event may begin, as in Envoy.
const AT_ONCE: usize = 3;

impl HostPool {
    /// Opens connections, if more requests wait than connections are being opened. Only within a task.
    pub(super) fn open_more(self: &Rc<Self>, cluster: &Rc<WorkerCluster>) {
        for _ in 0..AT_ONCE {
            if self.waiting.get() <= self.opening.get() {
                return;
            }
            let Some(slot) = self.connection_slot(cluster) else { return };
            let room = self.room_of_one(cluster);
            self.opening.set(self.opening.get() + room);
            let count = ConnectionCount::new(self, cluster, slot);
            let opening = Rc::clone(self).open(Rc::clone(cluster), count, room);
            tokio::task::spawn_local(guarded("upstream connect", opening));
        }
    }

    /// How many requests a new connection can serve at once.
    fn room_of_one(&self, cluster: &WorkerCluster) -> usize {
        match self.key.protocol {
            PoolProtocol::Http1 | PoolProtocol::Tcp => 1,
            PoolProtocol::Http2 | PoolProtocol::Auto => http2::stream_limit(&cluster.config.http) as usize,
        }
    }

    async fn open(self: Rc<Self>, cluster: Rc<WorkerCluster>, mut count: ConnectionCount, room: usize) {
        let connecting = self.transport(&cluster, &mut count);
        let result = tokio::time::timeout(cluster.config.connect_timeout, connecting).await;
        self.opening.set(self.opening.get().saturating_sub(room));
        let now = Instant::now();
        match result {
            Ok(Ok(transport)) => self.connected(&cluster, transport, count, now).await,
            Ok(Err(why)) => self.failed(&cluster, count, ConnectFailure::Failed(why)),
            Err(_) => self.failed(&cluster, count, ConnectFailure::Timeout),
        }
    }

    /// Connects, and encrypts the connection if that is configured; or why not, in Envoy's words.
    async fn transport(&self, cluster: &WorkerCluster, count: &mut ConnectionCount) -> Result<Transport, String> {
        let (names, host) = (self.key.names.as_deref(), Arc::clone(&self.host()));
        let address = names.and_then(|names| names.proxy).unwrap_or_else(|| host.address());
        let stream = connect(address, cluster.config.socket.clone()).await;
        let stream = stream.map_err(|error| format!("delayed connect error: {}", reason(&error)))?;
        let Some(tls) = &cluster.tls else { return Ok(Transport::tcp(stream)) };
        let connected = Instant::now();
        let handshake = Handshake { peer: address, hostname: &host.hostname, names, alpn: alpn(self.key.protocol) };
        let secured = tls.handshake(stream, handshake).await.map_err(|failure| failure.reason)?;
        count.tls = Some(TlsFacts { connected, complete: secured.complete, info: secured.info });
        Ok(secured.transport)
    }

    /// The connection stands: who waits gets it, or its streams.
    async fn connected(
        self: &Rc<Self>,
        cluster: &Rc<WorkerCluster>,
        transport: Transport,
        count: ConnectionCount,
        now: Instant,
    ) {
        let http2 = match self.key.protocol {
            PoolProtocol::Http1 | PoolProtocol::Tcp => false,
            PoolProtocol::Http2 => true,
            PoolProtocol::Auto => transport.alpn_protocol() == Some(b"h2"),
        };
        if self.key.protocol == PoolProtocol::Auto {
            if http2 { cluster.count_http2_connection() } else { cluster.count_http1_connection() }
        }
        if !http2 {
            return self.release(UpstreamConnection::new(transport, count, now), now);
        }
        match http2::open(transport, cluster, now).await {
            Ok(opened) => self.add_streams(http2::start(opened, count)),
            Err(error) => self.failed(cluster, count, ConnectFailure::Failed(error.to_string())),
        }
        // There may be more who wait than it has room for.
        self.permit_next();
    }

    /// A connection could not be opened: so it is for everybody who waits.
    fn failed(&self, cluster: &WorkerCluster, mut count: ConnectionCount, failure: ConnectFailure) {
        let stats = &cluster.stats;
        stats.upstream_cx_connect_fail().inc();
        HostStats::inc(&self.host().stats.cx_connect_fail);
        if failure == ConnectFailure::Timeout {
            stats.upstream_cx_connect_timeout().inc();
        } else {
            count.close_side = CloseSide::Remote;
        }
        let waiters = std::mem::take(&mut *self.waiters.borrow_mut());
        for waiter in waiters.iter().filter_map(|waiter| waiter.upgrade()) {
            self.waiter_gone();
            stats.upstream_rq_pending_failure_eject().inc();
            waiter.give(Err(failure.clone()));
        }
    }
}

/// What `strerror` says: the system's text without Rust's `(os error 111)`.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error").map_or(text.as_str(), |(text, _)| text).to_owned()
}
