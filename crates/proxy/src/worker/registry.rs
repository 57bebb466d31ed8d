//! The connections of a worker, to wake and to wait for.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::Waker;

use slab::Slab;
use tokio::sync::Notify;

use super::Worker;

/// Every connection's waker.
#[derive(Debug, Default)]
pub(super) struct Registry {
    wakers: RefCell<Slab<Waker>>,
    emptied: Notify,
}

/// A connection's place in the registry.
pub(crate) struct ConnectionSlot {
    worker: Rc<Worker>,
    key: usize,
}

impl Registry {
    pub(super) fn wake_all(&self) {
        self.wakers.borrow().iter().for_each(|(_, waker)| waker.wake_by_ref());
    }

    pub(super) async fn empty(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.wakers.borrow().is_empty() {
                return;
            }
            emptied.await;
        }
    }
}

impl ConnectionSlot {
    pub(crate) fn new(worker: &Rc<Worker>) -> Self {
        let key = worker.connections.wakers.borrow_mut().insert(Waker::noop().clone());
        Self { worker: Rc::clone(worker), key }
    }

    /// Tells how to wake the connection.
    pub(crate) fn register(&self, waker: &Waker) {
        if let Some(slot) = self.worker.connections.wakers.borrow_mut().get_mut(self.key) {
            slot.clone_from(waker);
        }
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut wakers = self.worker.connections.wakers.borrow_mut();
        let _ = wakers.try_remove(self.key);
        if wakers.is_empty() {
            self.worker.connections.emptied.notify_waiters();
        }
    }
}
