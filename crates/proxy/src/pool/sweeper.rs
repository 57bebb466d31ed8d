//! Who is told when an idle connection stirs or grows too old: one task of the worker for all its pools.

use std::cell::{Cell, RefCell};
use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::cluster::ClusterManager;

/// The sweeping task as pools see it.
#[derive(Debug, Default)]
pub(crate) struct Sweeper {
    waker: RefCell<Option<Waker>>,
    /// When the task wakes by itself.
    armed: Cell<Option<Instant>>,
}

impl Sweeper {
    /// Calls `poll` with a context that wakes the task.
    pub(crate) fn watch<R>(&self, poll: impl FnOnce(&mut Context<'_>) -> R) -> R {
        let waker = self.waker.borrow();
        poll(&mut Context::from_waker(waker.as_ref().unwrap_or(Waker::noop())))
    }

    /// Makes the task look at the pools at `deadline` at the latest.
    pub(crate) fn at(&self, deadline: Instant) {
        if self.armed.get().is_none_or(|armed| deadline < armed) {
            self.armed.set(Some(deadline));
            if let Some(waker) = &*self.waker.borrow() {
                waker.wake_by_ref();
            }
        }
    }

    /// The task. Never ends.
    pub(crate) async fn run(self: Rc<Self>, clusters: Rc<ClusterManager>) {
        let mut sleep = pin!(tokio::time::sleep(Duration::ZERO));
        poll_fn(|cx| {
            let known = self.waker.borrow().as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
            if !known {
                *self.waker.borrow_mut() = Some(cx.waker().clone());
            }
            let next = clusters.earliest(|cluster| cluster.sweep(cx, Instant::now()));
            self.armed.set(next);
            if let Some(next) = next {
                sleep.as_mut().reset(next.into());
                if sleep.as_mut().poll(cx).is_ready() {
                    cx.waker().wake_by_ref();
                }
            }
            Poll::<()>::Pending
        })
        .await;
    }
}
