//! A request that waits for its connection.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use super::{HostPool, Lease};
use crate::cluster::{ResourceGuard, WorkerCluster};

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ConnectFailure {
    /// Not within `connect_timeout`.
    Timeout,
    /// Why, in Envoy's words, such as `delayed connect error: Connection refused`.
    Failed(String),
}

/// A request's place in the queue of its pool: the first connection that becomes free is the first request's, whether it
/// was opened for it or not. A connection that cannot be opened fails all who wait, as in Envoy.
pub(crate) struct PendingConnection {
    waiter: Rc<Waiter>,
    pool: Rc<HostPool>,
    cluster: Rc<WorkerCluster>,
    served: bool,
    _pending: ResourceGuard,
}

/// Where a waiting request gets its connection.
#[derive(Default)]
pub(super) struct Waiter(RefCell<Waiting>);

#[derive(Default)]
struct Waiting {
    outcome: Option<Result<Lease, ConnectFailure>>,
    /// It is to open connections, if they are needed.
    permitted: bool,
    waker: Option<Waker>,
}

// === impl Waiter ===

impl Waiter {
    pub(super) fn give(&self, outcome: Result<Lease, ConnectFailure>) {
        self.0.borrow_mut().outcome = Some(outcome);
        self.wake();
    }

    pub(super) fn permit(&self) {
        self.0.borrow_mut().permitted = true;
        self.wake();
    }

    fn wake(&self) {
        let waker = self.0.borrow_mut().waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

// === impl PendingConnection ===

impl PendingConnection {
    pub(super) fn new(
        pool: &Rc<HostPool>,
        cluster: &Rc<WorkerCluster>,
        waiter: Rc<Waiter>,
        pending: ResourceGuard,
    ) -> Self {
        Self { waiter, pool: Rc::clone(pool), cluster: Rc::clone(cluster), served: false, _pending: pending }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Lease, ConnectFailure>> {
        let mut waiting = self.waiter.0.borrow_mut();
        if let Some(outcome) = waiting.outcome.take() {
            self.served = true;
            return Poll::Ready(outcome);
        }
        waiting.waker = Some(cx.waker().clone());
        let permitted = std::mem::take(&mut waiting.permitted);
        drop(waiting);
        if permitted {
            self.pool.open_more(&self.cluster);
        }
        Poll::Pending
    }
}

impl Drop for PendingConnection {
    fn drop(&mut self) {
        self.cluster.stats.upstream_rq_pending_active().dec();
        let outcome = self.waiter.0.borrow_mut().outcome.take();
        match outcome {
            // It was too late for this one; another may have it.
            Some(Ok(lease)) => self.pool.give_back(lease, Instant::now()),
            Some(Err(_)) => {}
            // A connection that is being opened for it will be somebody else's.
            None if !self.served => {
                self.pool.waiter_gone();
                if self.waiter.0.borrow().permitted {
                    self.pool.waiters.borrow_mut().retain(|waiter| !waiter.ptr_eq(&Rc::downgrade(&self.waiter)));
                    self.pool.permit_next();
                }
            }
            None => {}
        }
    }
}
