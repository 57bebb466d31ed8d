//! A request that waits for its connection.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use tokio::net::TcpStream;

use super::connect::connect;
use super::connection::ConnectionCount;
use super::{CloseSide, HostPool, UpstreamConnection};
use crate::cluster::{HostStats, ResourceGuard, WorkerCluster};

type Connect = Pin<Box<dyn Future<Output = io::Result<TcpStream>>>>;

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ConnectFailure {
    /// Not within `connect_timeout`.
    Timeout,
    /// The system's word for it, such as `Connection refused`.
    Failed(String),
}

/// A connection that is being opened, or waited for.
pub(crate) struct PendingConnection {
    state: State,
    pool: Rc<HostPool>,
    cluster: Rc<WorkerCluster>,
    _pending: ResourceGuard,
}

enum State {
    Connecting { connect: Connect, deadline: Instant, count: Option<ConnectionCount> },
    Waiting(Rc<Waiter>),
    Done,
}

/// Where a waiting request gets its connection.
pub(super) struct Waiter(RefCell<Waiting>);

#[derive(Default)]
struct Waiting {
    given: Option<UpstreamConnection>,
    /// It may open a connection of its own now.
    permitted: bool,
    waker: Option<Waker>,
}

impl Waiter {
    pub(super) fn new() -> Rc<Self> {
        Rc::new(Self(RefCell::default()))
    }

    pub(super) fn give(&self, connection: UpstreamConnection) {
        self.0.borrow_mut().given = Some(connection);
        self.wake();
    }

    pub(super) fn permit(&self) {
        self.0.borrow_mut().permitted = true;
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = self.0.borrow_mut().waker.take() {
            waker.wake();
        }
    }
}

impl PendingConnection {
    pub(super) fn connect(
        pool: &Rc<HostPool>,
        cluster: &Rc<WorkerCluster>,
        slot: ResourceGuard,
        pending: ResourceGuard,
        now: Instant,
    ) -> Self {
        let state = State::connecting(pool, cluster, slot, now);
        Self { state, pool: Rc::clone(pool), cluster: Rc::clone(cluster), _pending: pending }
    }

    pub(super) fn wait(
        pool: &Rc<HostPool>,
        cluster: &Rc<WorkerCluster>,
        waiter: Rc<Waiter>,
        pending: ResourceGuard,
    ) -> Self {
        let state = State::Waiting(waiter);
        Self { state, pool: Rc::clone(pool), cluster: Rc::clone(cluster), _pending: pending }
    }

    /// When to poll again at the latest.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Connecting { deadline, .. } => Some(*deadline),
            State::Waiting(_) | State::Done => None,
        }
    }

    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
    ) -> Poll<Result<UpstreamConnection, ConnectFailure>> {
        loop {
            match &mut self.state {
                State::Connecting { connect, deadline, count } => {
                    let result = match connect.as_mut().poll(cx) {
                        Poll::Ready(result) => result.map_err(|error| ConnectFailure::Failed(reason(&error))),
                        Poll::Pending if now >= *deadline => Err(ConnectFailure::Timeout),
                        Poll::Pending => return Poll::Pending,
                    };
                    let count = count.take();
                    self.state = State::Done;
                    return Poll::Ready(self.finish(result, count, now));
                }
                State::Waiting(waiter) => {
                    let slot = {
                        let mut waiting = waiter.0.borrow_mut();
                        if let Some(connection) = waiting.given.take() {
                            drop(waiting);
                            self.state = State::Done;
                            return Poll::Ready(Ok(connection));
                        }
                        waiting.waker = Some(cx.waker().clone());
                        std::mem::take(&mut waiting.permitted).then(|| self.pool.connection_slot(&self.cluster))
                    };
                    match slot.flatten() {
                        Some(slot) => self.state = State::connecting(&self.pool, &self.cluster, slot, now),
                        None => {
                            let waiter = Rc::downgrade(waiter);
                            let mut waiters = self.pool.waiters.borrow_mut();
                            if !waiters.iter().any(|known| known.ptr_eq(&waiter)) {
                                waiters.push_front(waiter);
                            }
                            return Poll::Pending;
                        }
                    }
                }
                State::Done => return Poll::Pending,
            }
        }
    }

    fn finish(
        &self,
        result: Result<TcpStream, ConnectFailure>,
        count: Option<ConnectionCount>,
        now: Instant,
    ) -> Result<UpstreamConnection, ConnectFailure> {
        let stats = &self.cluster.stats;
        match (result, count) {
            (Ok(stream), Some(count)) => Ok(UpstreamConnection::new(stream, count, now)),
            (Ok(_), None) => Err(ConnectFailure::Timeout),
            (Err(failure), count) => {
                stats.upstream_cx_connect_fail().inc();
                HostStats::inc(&self.pool.host().stats.cx_connect_fail);
                stats.upstream_rq_pending_failure_eject().inc();
                if failure == ConnectFailure::Timeout {
                    stats.upstream_cx_connect_timeout().inc();
                } else if let Some(mut count) = count {
                    count.close_side = CloseSide::Remote;
                }
                Err(failure)
            }
        }
    }
}

impl State {
    fn connecting(pool: &Rc<HostPool>, cluster: &Rc<WorkerCluster>, slot: ResourceGuard, now: Instant) -> Self {
        Self::Connecting {
            connect: Box::pin(connect(pool.host().address(), cluster.config.socket.clone())),
            deadline: now + cluster.config.connect_timeout,
            count: Some(ConnectionCount::new(pool, cluster, slot)),
        }
    }
}

impl Drop for PendingConnection {
    fn drop(&mut self) {
        self.cluster.stats.upstream_rq_pending_active().dec();
        if let State::Waiting(waiter) = &self.state {
            let given = waiter.0.borrow_mut().given.take();
            if let Some(connection) = given {
                self.pool.release(connection, Instant::now());
            } else if waiter.0.borrow().permitted
                && let Some(next) = self.pool.next_waiter()
            {
                next.permit();
            }
        }
    }
}

/// What `strerror` says: the system's text without Rust's `(os error 111)`.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error").map_or(text.as_str(), |(text, _)| text).to_owned()
}
