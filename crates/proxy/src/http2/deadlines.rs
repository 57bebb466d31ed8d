//! When the streams of a connection want to be woken: they share the connection's one timer.

use std::cell::{Cell, RefCell};
use std::task::Waker;
use std::time::Instant;

use slab::Slab;

/// The streams' wakers and deadlines.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    streams: RefCell<Slab<(Option<Instant>, Waker)>>,
    /// The earliest there was since the connection last looked; later ones do not move it.
    next: Cell<Option<Instant>>,
}

impl Deadlines {
    pub(super) fn insert(&self) -> usize {
        self.streams.borrow_mut().insert((None, Waker::noop().clone()))
    }

    pub(super) fn remove(&self, key: usize) {
        let _ = self.streams.borrow_mut().try_remove(key);
    }

    /// A stream's next deadline; whether that is earlier than what the connection waits for.
    pub(super) fn set(&self, key: usize, deadline: Option<Instant>, waker: &Waker) -> bool {
        if let Some(stream) = self.streams.borrow_mut().get_mut(key) {
            stream.0 = deadline;
            stream.1.clone_from(waker);
        }
        let earlier = deadline.is_some_and(|deadline| self.next.get().is_none_or(|next| deadline < next));
        if earlier {
            self.next.set(deadline);
        }
        earlier
    }

    /// Wakes the streams whose deadline has passed; the next one.
    pub(super) fn wake_due(&self, now: Instant) -> Option<Instant> {
        if self.next.get().is_none_or(|next| next > now) {
            return self.next.get();
        }
        let streams = self.streams.borrow();
        streams
            .iter()
            .filter(|(_, (at, _))| at.is_some_and(|at| at <= now))
            .for_each(|(_, (_, waker))| waker.wake_by_ref());
        let next = streams.iter().filter_map(|(_, (at, _))| at.filter(|at| *at > now)).min();
        self.next.set(next);
        next
    }

    pub(super) fn wake_all(&self) {
        self.streams.borrow().iter().for_each(|(_, (_, waker))| waker.wake_by_ref());
    }
}
