//! The HTTP/2 connections of a pool.

use std::rc::Rc;
use std::time::Instant;

use super::http2::{Http2Connection, StreamLease};
use super::{HostPool, Lease};
use crate::cluster::WorkerCluster;

impl HostPool {
    /// A stream of a connection with room.
    pub(super) fn lease_stream(&self) -> Option<StreamLease> {
        self.http2.borrow().iter().rev().find_map(Http2Connection::lease)
    }

    /// A connection stands: who waits gets its streams.
    pub(super) fn add_streams(self: &Rc<Self>, connection: Rc<Http2Connection>) {
        let Some(cluster) = self.cluster.upgrade() else { return connection.close() };
        self.http2.borrow_mut().push(Rc::clone(&connection));
        self.serve_waiters(&connection);
        if self.retired.get() {
            connection.drain();
        } else {
            self.watch(&cluster, &connection);
        }
    }

    /// A stream of `connection` is over.
    pub(super) fn stream_ended(self: &Rc<Self>, connection: &Rc<Http2Connection>) {
        self.serve_waiters(connection);
        if connection.is_idle()
            && let Some(cluster) = self.cluster.upgrade()
        {
            self.watch(&cluster, connection);
        }
    }

    fn serve_waiters(&self, connection: &Rc<Http2Connection>) {
        while connection.has_room()
            && let Some(waiter) = self.next_waiter()
        {
            let Some(stream) = connection.lease() else { return };
            waiter.give(Ok(Lease::Http2(stream)));
        }
    }

    /// Has the sweeper look at the connection in time.
    fn watch(&self, cluster: &WorkerCluster, connection: &Http2Connection) {
        let expires = connection.idle_since().zip(cluster.config.http.idle_timeout).map(|(since, after)| since + after);
        for deadline in expires.into_iter().chain(connection.too_old_at()) {
            cluster.sweeper().at(deadline);
        }
    }

    /// Connections take no more requests.
    pub(super) fn drain_streams(&self) {
        let connections = self.http2.borrow().clone();
        connections.iter().for_each(|connection| connection.drain());
    }

    /// A connection is closed.
    pub(super) fn forget(&self, connection: &Rc<Http2Connection>) {
        self.http2.borrow_mut().retain(|other| !Rc::ptr_eq(other, connection));
    }

    /// Ends connections that are idle for too long or too old; when to look again.
    pub(super) fn sweep_streams(&self, cluster: &WorkerCluster, now: Instant) -> Option<Instant> {
        if self.http2.borrow().is_empty() {
            return None;
        }
        let (connections, stats) = (self.http2.borrow().clone(), &cluster.stats);
        let mut next = None;
        for connection in &connections {
            let idle_timeout = cluster.config.http.idle_timeout;
            let expires = connection.idle_since().zip(idle_timeout).map(|(since, after)| since + after);
            let too_old = connection.too_old_at();
            if expires.is_some_and(|expires| expires <= now) {
                stats.upstream_cx_idle_timeout().inc();
                connection.close();
            } else if too_old.is_some_and(|too_old| too_old <= now) {
                stats.upstream_cx_max_duration_reached().inc();
                connection.drain();
            } else {
                next = next.into_iter().chain(expires).chain(too_old).min();
            }
        }
        next
    }
}
