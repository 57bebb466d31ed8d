//! What only the context of a connection has.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use bytes::BytesMut;

use super::context::{Context, Phase};
use crate::{NetworkSide, NetworkStream};

/// State of a network filter's context.
pub(crate) struct ConnectionState {
    pub(crate) root: Rc<Context>,
    /// Weak, so that no context keeps a connection alive.
    stream: Weak<dyn NetworkStream>,
    pub(crate) phase: Cell<Phase>,
    /// The guest has stopped the beginning or the client's data, and has not let it go on.
    pub(crate) waits: Cell<bool>,
    /// The connection was told that its plugin has failed; once.
    pub(crate) failed: Cell<bool>,
    downstream: Shown,
    upstream: Shown,
    /// Bytes of properties that the guest has set.
    pub(crate) property_bytes: Cell<usize>,
}

/// What the guest may see of one side.
#[derive(Default)]
struct Shown {
    /// The side's callback runs: here is its data.
    running: Cell<bool>,
    data: RefCell<BytesMut>,
    /// The guest stopped it, so that it can still see what the connection keeps.
    stopped: Cell<bool>,
}

impl ConnectionState {
    pub(crate) fn new(root: Rc<Context>, stream: Weak<dyn NetworkStream>) -> Self {
        Self {
            root,
            stream,
            phase: Cell::new(Phase::New),
            waits: Cell::new(false),
            failed: Cell::new(false),
            downstream: Shown::default(),
            upstream: Shown::default(),
            property_bytes: Cell::new(0),
        }
    }

    /// The connection, unless it is over.
    pub(crate) fn stream(&self) -> Option<Rc<dyn NetworkStream>> {
        if self.phase.get() == Phase::Ended { None } else { self.stream.upgrade() }
    }

    /// Runs the callback of one side with `data` in the guest's reach.
    pub(crate) fn showing<T>(&self, side: NetworkSide, data: &mut BytesMut, callback: impl FnOnce() -> T) -> T {
        let shown = self.shown(side);
        std::mem::swap(&mut *shown.data.borrow_mut(), data);
        shown.running.set(true);
        let result = callback();
        shown.running.set(false);
        std::mem::swap(&mut *shown.data.borrow_mut(), data);
        result
    }

    /// Whether the guest stopped the side's data in its last callback.
    pub(crate) fn set_stopped(&self, side: NetworkSide, stopped: bool) {
        self.shown(side).stopped.set(stopped);
    }

    /// The data of one side, if the guest may see it now.
    pub(crate) fn with_data<T>(&self, side: NetworkSide, change: impl FnOnce(&mut BytesMut) -> T) -> Option<T> {
        let shown = self.shown(side);
        if shown.running.get() {
            return Some(change(&mut shown.data.borrow_mut()));
        }
        if !shown.stopped.get() {
            return None;
        }
        let stream = self.stream()?;
        let mut data = stream.stopped_data(side)?;
        Some(change(&mut data))
    }

    fn shown(&self, side: NetworkSide) -> &Shown {
        match side {
            NetworkSide::Downstream => &self.downstream,
            NetworkSide::Upstream => &self.upstream,
        }
    }
}
