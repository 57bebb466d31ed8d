//! One connection's way to a host: the cluster, the attempts to connect, what is told of it.

use std::cell::RefMut;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use sandgate_config::model::RoutingPriority;
use sandgate_filter::{AttemptedHost, StreamInfo, response_flag};
use sandgate_formatter::AccessLogType;
use sandgate_load_balancing::OutlierResult;

use super::timers::Timers;
use super::{TcpProxy, route};
use crate::accepted::AcceptedConnection;
use crate::cluster::{LbContext, ResourceGuard, WorkerCluster, subset_criteria};
use crate::network::{CloseType, ConnectionHandle};
use crate::pool::{
    Acquired, ActiveRequest, ConnectFailure, HostPool, Lease, PendingConnection, PoolKey, PoolProtocol, TlsNames,
    UpstreamConnection,
};
use crate::router::BackOffState;

/// A connection of a client with what is known of its host.
pub(super) struct Session {
    pub(super) accepted: AcceptedConnection,
    pub(super) proxy: Rc<TcpProxy>,
    pub(super) handle: Rc<ConnectionHandle>,
    pub(super) timers: Timers,
    /// Bytes of the client's connection that the stats know.
    pub(super) received: u64,
    pub(super) sent: u64,
    begun: bool,
    cluster: Option<Rc<WorkerCluster>>,
    connecting: Option<Connecting>,
    attempts: u32,
    back_off: Option<BackOffState>,
}

struct Connecting {
    cluster: Rc<WorkerCluster>,
    pool: Rc<HostPool>,
    pending: PendingConnection,
    slot: ResourceGuard,
    since: Instant,
}

/// A connection to a host, which counts as a request of the cluster.
pub(super) struct Upstream {
    pub(super) connection: UpstreamConnection,
    pub(super) cluster: Rc<WorkerCluster>,
    _active: ActiveRequest,
}

/// How the search for a host ended without one: the client's connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoUpstream;

// === impl Session ===

impl Session {
    pub(super) fn new(accepted: AcceptedConnection, proxy: &Rc<TcpProxy>) -> Self {
        let handle = match &accepted.handle {
            Some(handle) => Rc::clone(handle),
            None => ConnectionHandle::of(&accepted.info, accepted.opened),
        };
        handle.enable_half_close();
        proxy.stats.downstream_cx_total().inc();
        Self {
            accepted,
            proxy: Rc::clone(proxy),
            handle,
            timers: Timers::default(),
            received: 0,
            sent: 0,
            begun: false,
            cluster: None,
            connecting: None,
            attempts: 0,
            back_off: None,
        }
    }

    pub(super) fn info(&self) -> RefMut<'_, StreamInfo> {
        self.handle.stream_info().borrow_mut()
    }

    /// Goes on with the way to a host. To be called once the connection has passed the filters in front.
    pub(super) fn poll_connect(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
    ) -> Poll<Result<Box<Upstream>, NoUpstream>> {
        if !std::mem::replace(&mut self.begun, true) {
            self.begin(now);
            self.attempt(cx, now)?;
        }
        loop {
            if let Some(connecting) = &mut self.connecting {
                let Poll::Ready(outcome) = connecting.pending.poll(cx) else { return Poll::Pending };
                let Some(connecting) = self.connecting.take() else { return Poll::Pending };
                match outcome {
                    Ok(Lease::Http1(connection)) => {
                        return Poll::Ready(Ok(self.connected(connecting, connection, now)));
                    }
                    // A pool of such connections has no others.
                    Ok(Lease::Http2(_)) => return Poll::Ready(Err(NoUpstream)),
                    Err(failure) => self.failed(&connecting, &failure, now)?,
                }
            } else if Timers::take(&mut self.timers.retry, now) {
                self.attempt(cx, now)?;
            } else {
                return Poll::Pending;
            }
        }
    }

    fn begin(&mut self, now: Instant) {
        let config = &self.proxy.config;
        self.timers.idle_timeout = match route::own_idle_timeout(&self.accepted.info) {
            Some(own) => Some(own),
            None => config.idle_timeout,
        };
        self.timers.active = Some(now);
        self.timers.too_old = config.max_connection_duration.map(|max| now + max);
        self.timers.log = self.proxy.access_logs.interval().map(|interval| now + interval);
        if self.proxy.access_logs.on_new_request() {
            self.log(AccessLogType::TcpConnectionStart, now);
        }
    }

    /// Finds a host and begins to connect to it.
    fn attempt(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), NoUpstream> {
        let connection = Rc::clone(&self.accepted.info);
        let config = &self.proxy.config;
        let (name, of_route) = route::cluster(config, &connection.filter_state.borrow(), fastrand::u64(..));
        let Some(cluster) = self.accepted.worker.clusters.get(&name) else {
            self.proxy.stats.downstream_cx_no_route().inc();
            return self.refuse(response_flag::NO_CLUSTER_FOUND, "tcp_initializion_failure:3");
        };
        self.cluster = Some(Rc::clone(&cluster));
        {
            let mut info = self.info();
            info.cluster_name = Some(Arc::clone(&cluster.name));
            info.cluster_alt_name.clone_from(&cluster.alt_name);
            info.upstream.cluster_metadata = cluster.metadata.clone();
            info.upstream.cluster_endpoints = Some(cluster.host_count() as u64);
        }
        let resources = cluster.resources(RoutingPriority::Default);
        if !resources.connections.has_room() {
            cluster.stats.upstream_cx_overflow().inc();
            return self.refuse(response_flag::UPSTREAM_OVERFLOW, "tcp_initializion_failure:2");
        }
        let names = TlsNames::of(&connection.filter_state.borrow());
        let key = PoolKey { priority: RoutingPriority::Default, protocol: PoolProtocol::Tcp, names };
        let hash = route::hash(&config.hash_policies, &connection);
        let criteria = match cluster.has_subsets() {
            true => subset_criteria(of_route, &[&self.info().dynamic_metadata]),
            false => None,
        };
        let criteria = criteria.as_deref();
        let Some(pool) = cluster.choose(&mut LbContext { hash, criteria, ..LbContext::default() }, key, now) else {
            return self.refuse(response_flag::NO_HEALTHY_UPSTREAM, "tcp_initializion_failure:1");
        };
        self.attempts += 1;
        let host = Arc::clone(&pool.host());
        {
            let mut info = self.info();
            info.upstream.attempt_count = self.attempts;
            info.hosts_attempted.push(AttemptedHost { address: host.address(), name: Arc::clone(&host.hostname) });
            info.upstream.address = Some(host.address());
            info.upstream.host_name = Some(Arc::clone(&host.hostname));
            info.upstream.host_metadata = host.metadata.clone();
            info.upstream.locality = host.locality_message.clone();
            info.upstream.locality_metadata = host.locality_metadata.clone();
        }
        let slot = pool.resources(&cluster).requests.acquire_over_limit();
        match pool.acquire(cx) {
            Acquired::Pending(pending) => {
                self.connecting = Some(Connecting { cluster, pool, pending, slot, since: now });
                Ok(())
            }
            // The pool's connections serve one client, and are never given back.
            Acquired::Ready(_) | Acquired::Overflow => self.retry(now),
        }
    }

    fn connected(&mut self, connecting: Connecting, connection: UpstreamConnection, now: Instant) -> Box<Upstream> {
        let Connecting { cluster, pool, slot, since, .. } = connecting;
        {
            let mut info = self.info();
            connection.note(&mut info.upstream);
            info.upstream.pool_ready = Some(now.saturating_duration_since(since));
            info.connection_ids_attempted.push(connection.id());
        }
        pool.host().outlier().put_result(OutlierResult::LocalOriginConnectSuccessFinal, None);
        self.timers.active = Some(now);
        if self.proxy.access_logs.on_tunnel() {
            self.log(AccessLogType::TcpUpstreamConnected, now);
        }
        let mut connection = connection;
        connection.set_active(true);
        let active = ActiveRequest::new(&cluster, &pool.host(), slot);
        Box::new(Upstream { connection, cluster, _active: active })
    }

    fn failed(&mut self, connecting: &Connecting, failure: &ConnectFailure, now: Instant) -> Result<(), NoUpstream> {
        self.info().upstream.pool_ready = Some(now.saturating_duration_since(connecting.since));
        let outlier = match failure {
            ConnectFailure::Timeout => OutlierResult::LocalOriginTimeout,
            ConnectFailure::Failed(why) => {
                self.info().upstream.transport_failure_reason.clone_from(why);
                OutlierResult::LocalOriginConnectFailed
            }
        };
        connecting.pool.host().outlier().put_result(outlier, None);
        self.info().set_response_flag(response_flag::UPSTREAM_CONNECTION_FAILURE);
        self.retry(now)
    }

    /// Another attempt, if there may be one.
    fn retry(&mut self, now: Instant) -> Result<(), NoUpstream> {
        let config = &self.proxy.config;
        if self.attempts >= config.max_connect_attempts {
            if let Some(cluster) = &self.cluster {
                cluster.stats.upstream_cx_connect_attempts_exceeded().inc();
            }
            return self.refuse(response_flag::UPSTREAM_RETRY_LIMIT_EXCEEDED, "tcp_initializion_failure:0");
        }
        let wait = match &config.back_off {
            None => Duration::ZERO,
            Some(config) => {
                let runtime = &self.accepted.worker.runtime;
                self.back_off.get_or_insert_with(|| BackOffState::new(Some(config), runtime)).next().0
            }
        };
        self.timers.retry = Some(now + wait);
        Ok(())
    }

    /// The client's connection is closed; the reason is told in Envoy's spelling.
    fn refuse(&self, flag: u64, reason: &str) -> Result<(), NoUpstream> {
        self.info().set_response_flag(flag);
        self.handle.close(CloseType::NoFlush, reason);
        Err(NoUpstream)
    }

    /// Writes to the access logs.
    pub(super) fn log(&self, kind: AccessLogType, now: Instant) {
        if !self.proxy.access_logs.is_empty() {
            let info = self.handle.stream_info().borrow();
            self.proxy.access_logs.log_connection(&info, &self.accepted.info, kind, now);
        }
    }
}

impl Drop for Session {
    /// The connection is over, and told of once.
    fn drop(&mut self) {
        let now = Instant::now();
        self.info().end = Some(now);
        self.log(AccessLogType::TcpConnectionEnd, now);
    }
}
