//! Connections that are passed on to a cluster's hosts as they are.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use sandgate_config::model::{self, RoutingPriority, TcpClusters};

use crate::accepted::AcceptedConnection;
use crate::cluster::LbContext;
use crate::pool::{Acquired, Lease, PoolKey, PoolProtocol};
use crate::stats::{StatsStore, TcpProxyStats};
use crate::transport::Transport;
use crate::worker::Worker;

/// The TCP proxy of one filter chain on one worker.
pub(crate) struct TcpProxy {
    config: model::TcpProxy,
    stats: TcpProxyStats,
}

/// A connection whose handshake may still go on.
pub(crate) struct TcpProxyStart {
    accepted: AcceptedConnection,
    proxy: Rc<TcpProxy>,
}

/// A connection that is passed on.
pub(crate) struct TcpProxyConnection {
    serving: Pin<Box<dyn Future<Output = ()>>>,
    worker: Rc<Worker>,
}

// === impl TcpProxy ===

impl TcpProxy {
    pub(crate) fn new(
        config: &model::TcpProxy,
        _listener: &model::Listener,
        _worker: &Worker,
        store: &StatsStore,
    ) -> Rc<Self> {
        Rc::new(Self { config: config.clone(), stats: TcpProxyStats::new(store, &config.stat_prefix) })
    }
}

// === impl TcpProxyStart ===

impl TcpProxyStart {
    pub(crate) fn new(accepted: AcceptedConnection, proxy: &Rc<TcpProxy>) -> Self {
        if let Some(handle) = &accepted.handle {
            handle.enable_half_close();
        }
        proxy.stats.downstream_cx_total().inc();
        Self { accepted, proxy: Rc::clone(proxy) }
    }

    pub(crate) fn accepted(&mut self) -> &mut AcceptedConnection {
        &mut self.accepted
    }

    pub(crate) fn open(self, transport: Transport) -> TcpProxyConnection {
        let Self { accepted, proxy } = self;
        TcpProxyConnection { worker: Rc::clone(&accepted.worker), serving: Box::pin(serve(accepted, proxy, transport)) }
    }
}

// === impl TcpProxyConnection ===

impl TcpProxyConnection {
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.worker.is_draining() {
            return Poll::Ready(());
        }
        self.serving.as_mut().poll(cx)
    }
}

async fn serve(accepted: AcceptedConnection, proxy: Rc<TcpProxy>, mut transport: Transport) {
    if let Transport::Filtered(filtered) = &mut transport {
        poll_fn(|cx| filtered.poll_initialized(cx)).await;
    }
    let TcpClusters::One(name) = &proxy.config.clusters else { return };
    let Some(cluster) = accepted.worker.clusters.get(name) else {
        proxy.stats.downstream_cx_no_route().inc();
        return;
    };
    let key = PoolKey { priority: RoutingPriority::Default, protocol: PoolProtocol::Tcp, names: None };
    let Some(pool) = cluster.choose(&mut LbContext::default(), key, Instant::now()) else { return };
    let lease = match poll_fn(|cx| Poll::Ready(pool.acquire(cx))).await {
        Acquired::Ready(lease) => lease,
        Acquired::Pending(mut pending) => match poll_fn(|cx| pending.poll(cx)).await {
            Ok(lease) => lease,
            Err(_) => return,
        },
        Acquired::Overflow => return,
    };
    let Lease::Http1(mut connection) = lease else { return };
    poll_fn(|cx| {
        accepted.register(cx.waker());
        Poll::Ready(())
    })
    .await;
    // Either side may end it in any way.
    let _ = tokio::io::copy_bidirectional(&mut transport, connection.socket.transport_mut()).await;
}
