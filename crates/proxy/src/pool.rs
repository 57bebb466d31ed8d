//! One worker's connections to one host.

mod active_request;
mod connect;
mod connection;
mod http2;
mod key;
mod lease;
mod opening;
mod pending;
mod streams;
mod sweeper;

use std::cell::{Cell, Ref, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::Instant;

pub(crate) use active_request::ActiveRequest;
pub(crate) use connection::{CloseSide, UpstreamConnection};
pub(crate) use http2::{Http2Connection, StreamLease};
pub(crate) use key::{PoolKey, PoolProtocol, TlsNames};
pub(crate) use lease::Lease;
pub(crate) use pending::{ConnectFailure, PendingConnection};
pub(crate) use sweeper::Sweeper;

use crate::cluster::{Host, ResourceGuard, Resources, WorkerCluster};
use pending::Waiter;

/// The connections of one worker to one host. An HTTP/1 connection serves one request at a time, and the one that was used
/// last is used first, as in Envoy; an HTTP/2 connection serves as many as it may.
pub(crate) struct HostPool {
    cluster: Weak<WorkerCluster>,
    host: RefCell<Arc<Host>>,
    idle: RefCell<Vec<Idle>>,
    /// All of HTTP/2, busy or not; the last one with room is used first.
    http2: RefCell<Vec<Rc<Http2Connection>>>,
    /// Requests without a connection, in order; some may have been given up.
    waiters: RefCell<VecDeque<Weak<Waiter>>>,
    /// How many there are.
    waiting: Cell<usize>,
    /// How many requests the connections that are being opened can serve at once.
    opening: Cell<usize>,
    key: PoolKey,
    /// Open and opening connections.
    connections: Cell<usize>,
    /// The right to be: held while there are connections.
    slot: RefCell<Option<ResourceGuard>>,
    /// The host is gone: connections are not kept.
    retired: Cell<bool>,
    /// Connections opened until then take no more requests: the host was found unhealthy.
    drained: Cell<Option<Instant>>,
}

struct Idle {
    connection: UpstreamConnection,
    since: Instant,
}

/// How a request comes to its connection.
#[allow(clippy::large_enum_variant, reason = "it is taken apart at once; a box would be an allocation per request")]
pub(crate) enum Acquired {
    /// At once.
    Ready(Lease),
    /// Later.
    Pending(PendingConnection),
    /// Never: the circuit breaker is open.
    Overflow,
}

impl HostPool {
    pub(crate) fn new(cluster: Weak<WorkerCluster>, host: Arc<Host>, key: PoolKey) -> Rc<Self> {
        Rc::new(Self {
            cluster,
            host: RefCell::new(host),
            idle: RefCell::default(),
            http2: RefCell::default(),
            waiters: RefCell::default(),
            waiting: Cell::new(0),
            opening: Cell::new(0),
            key,
            connections: Cell::new(0),
            slot: RefCell::default(),
            retired: Cell::new(false),
            drained: Cell::new(None),
        })
    }

    pub(crate) fn key(&self) -> &PoolKey {
        &self.key
    }

    /// Whether it has connections, or somebody waits for one.
    pub(crate) fn is_in_use(&self) -> bool {
        self.connections.get() > 0 || self.waiting.get() > 0
    }

    /// The host, as it was last told.
    pub(crate) fn host(&self) -> Ref<'_, Arc<Host>> {
        self.host.borrow()
    }

    /// There is another version of the host.
    pub(crate) fn set_host(&self, host: &Arc<Host>) {
        *self.host.borrow_mut() = Arc::clone(host);
    }

    /// What requests of this pool use, over all workers.
    pub(crate) fn resources<'a>(&self, cluster: &'a WorkerCluster) -> &'a Resources {
        cluster.resources(self.key.priority)
    }

    /// Whether there may be such a pool.
    pub(crate) fn reserve(&self, cluster: &WorkerCluster) -> bool {
        let mut slot = self.slot.borrow_mut();
        if slot.is_none() {
            *slot = self.resources(cluster).pools.acquire();
        }
        slot.is_some()
    }

    /// The host has left the cluster.
    pub(crate) fn retire(&self) {
        self.retired.set(true);
        let idle = std::mem::take(&mut *self.idle.borrow_mut());
        drop(idle);
        self.drain_streams();
    }

    /// The host was found unhealthy: the connections that there are serve what they serve now, and nothing after that. New ones
    /// may be opened.
    pub(crate) fn drain(&self, now: Instant) {
        self.drained.set(Some(now));
        let idle = std::mem::take(&mut *self.idle.borrow_mut());
        drop(idle);
        self.drain_streams();
    }

    /// A connection for a request whose task is `cx`'s.
    pub(crate) fn acquire(self: &Rc<Self>, cx: &mut Context<'_>) -> Acquired {
        let Some(cluster) = self.cluster.upgrade() else { return Acquired::Overflow };
        while let Some(idle) = self.pop_idle() {
            let mut connection = idle.connection;
            // Bytes or a close on an idle connection: the host is done with it.
            if connection.poll_stirred(cx).is_ready() {
                connection.closed_by(CloseSide::Remote);
                continue;
            }
            return Acquired::Ready(Lease::Http1(connection));
        }
        if let Some(stream) = self.lease_stream() {
            return Acquired::Ready(Lease::Http2(stream));
        }
        let stats = &cluster.stats;
        let Some(pending) = self.resources(&cluster).pending_requests.acquire() else {
            stats.upstream_rq_pending_overflow().inc();
            self.end_if_unused();
            return Acquired::Overflow;
        };
        stats.upstream_rq_pending_total().inc();
        stats.upstream_rq_pending_active().inc();
        let waiter = Rc::<Waiter>::default();
        self.waiters.borrow_mut().push_back(Rc::downgrade(&waiter));
        self.waiting.set(self.waiting.get() + 1);
        self.open_more(&cluster);
        Acquired::Pending(PendingConnection::new(self, &cluster, waiter, pending))
    }

    /// The right to open a connection. A host without any gets one whatever the limit, since nothing else could ever
    /// serve its requests (as in Envoy).
    fn connection_slot(&self, cluster: &WorkerCluster) -> Option<ResourceGuard> {
        let connections = &self.resources(cluster).connections;
        let slot = if self.host_is_full(cluster) { None } else { connections.acquire() };
        if slot.is_none() {
            cluster.stats.upstream_cx_overflow().inc();
            if self.connections.get() == 0 {
                return Some(connections.acquire_over_limit());
            }
        }
        slot
    }

    fn host_is_full(&self, cluster: &WorkerCluster) -> bool {
        let limit = cluster.config.circuit_breakers.per_host(self.key.priority);
        limit.is_some_and(|limit| self.host().stats.cx_active.load(Relaxed) >= limit.into())
    }

    fn pop_idle(&self) -> Option<Idle> {
        self.idle.borrow_mut().pop()
    }

    /// Takes back what a request did not use.
    pub(crate) fn give_back(self: &Rc<Self>, lease: Lease, now: Instant) {
        match lease {
            Lease::Http1(connection) => self.release(connection, now),
            Lease::Http2(stream) => drop(stream),
        }
    }

    /// Takes a connection back that can serve another request.
    pub(crate) fn release(self: &Rc<Self>, mut connection: UpstreamConnection, now: Instant) {
        let Some(cluster) = self.cluster.upgrade() else { return };
        connection.set_active(false);
        let drained = self.drained.get().is_some_and(|drained| connection.opened() <= drained);
        if drained || self.retired.get() || connection.is_spent(&cluster.config.http, now, &cluster.stats) {
            return;
        }
        if let Some(waiter) = self.next_waiter() {
            waiter.give(Ok(Lease::Http1(connection)));
            return;
        }
        if self.key.protocol == PoolProtocol::Tcp {
            // Nobody has it yet, and nobody wants it any more.
            return;
        }
        let sweeper = cluster.sweeper();
        if sweeper.watch(|cx| connection.poll_stirred(cx)) == Poll::Ready(()) {
            connection.closed_by(CloseSide::Remote);
            return;
        }
        if let Some(timeout) = cluster.config.http.idle_timeout {
            sweeper.at(now + timeout);
        }
        if let Some(too_old) = connection.too_old_at(&cluster.config.http) {
            sweeper.at(too_old);
        }
        self.idle.borrow_mut().push(Idle { connection, since: now });
    }

    fn next_waiter(&self) -> Option<Rc<Waiter>> {
        let mut waiters = self.waiters.borrow_mut();
        let waiter = std::iter::from_fn(|| waiters.pop_front()).find_map(|waiter| waiter.upgrade())?;
        self.waiter_gone();
        Some(waiter)
    }

    /// One request less waits.
    fn waiter_gone(&self) {
        self.waiting.set(self.waiting.get().saturating_sub(1));
    }

    /// A pool without connections is none.
    fn end_if_unused(&self) {
        if self.connections.get() == 0 {
            self.slot.take();
        }
    }

    /// A connection of this pool is gone.
    fn connection_gone(&self) {
        self.connections.set(self.connections.get().saturating_sub(1));
        self.end_if_unused();
        self.permit_next();
    }

    /// Lets the first who waits see to it that there are connections: this may not be a task, nor a pool of the cluster any more.
    fn permit_next(&self) {
        let waiter = self.waiters.borrow().iter().find_map(Weak::upgrade);
        if let Some(waiter) = waiter {
            waiter.permit();
        }
    }

    /// Closes idle connections that are closed by the host or too old; when to look again.
    pub(crate) fn sweep(&self, cx: &mut Context<'_>, now: Instant) -> Option<Instant> {
        let cluster = self.cluster.upgrade()?;
        let options = &cluster.config.http;
        let mut gone = Vec::new();
        let mut next = None;
        {
            let mut idle = self.idle.borrow_mut();
            let mut index = 0;
            while let Some(entry) = idle.get_mut(index) {
                let expires = options.idle_timeout.map(|timeout| entry.since + timeout);
                let too_old = entry.connection.too_old_at(options);
                if entry.connection.poll_stirred(cx).is_ready() {
                    entry.connection.closed_by(CloseSide::Remote);
                    gone.push(idle.remove(index));
                } else if expires.is_some_and(|expires| expires <= now) {
                    entry.connection.idle_timeout();
                    gone.push(idle.remove(index));
                } else if too_old.is_some_and(|too_old| too_old <= now) {
                    cluster.stats.upstream_cx_max_duration_reached().inc();
                    gone.push(idle.remove(index));
                } else {
                    next = next.into_iter().chain(expires).chain(too_old).min();
                    index += 1;
                }
            }
        }
        // Outside of the borrow: a connection that goes may wake a waiter.
        drop(gone);
        next.into_iter().chain(self.sweep_streams(&cluster, now)).min()
    }
}

#[cfg(test)]
mod tests;
