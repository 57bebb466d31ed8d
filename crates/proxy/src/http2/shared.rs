//! What a connection and its streams share.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Waker;
use std::time::Instant;

use sandgate_filter::ConnectionInfo;

use super::deadlines::Deadlines;
use super::io::SharedIo;
use crate::active_stream::ActiveStream;
use crate::hcm::Hcm;
use crate::worker::Worker;

/// Envoy's drain state of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Drain {
    #[default]
    No,
    /// The client was told that the end is near (GOAWAY with the greatest stream id), and may still open streams.
    Draining,
    /// The client was told which stream is the last.
    Closing,
}

/// A stream whose end has been handed to the `h2` crate and may not be written yet.
pub(super) struct Finished {
    pub(super) id: u32,
    pub(super) active: Box<ActiveStream>,
    pub(super) began: Instant,
}

/// Shared by a connection and its streams.
pub(super) struct Shared {
    pub(super) worker: Rc<Worker>,
    pub(super) hcm: Rc<Hcm>,
    pub(super) info: Rc<ConnectionInfo>,
    pub(super) io: SharedIo,
    pub(super) drain: Cell<Drain>,
    /// A response wants the connection to drain.
    pub(super) drain_wanted: Cell<bool>,
    pub(super) deadlines: Deadlines,
    /// Streams whose task runs.
    pub(super) streams: Cell<usize>,
    pub(super) finished: RefCell<Vec<Finished>>,
    /// The connection has ended: streams end with it.
    pub(super) closed: Cell<bool>,
    /// Streams that clients reset soon after they had opened them, and all that are over.
    pub(super) premature_resets: Cell<u64>,
    pub(super) destroyed: Cell<u64>,
    /// The client broke the protocol, in these words of Envoy's.
    pub(super) broken: Cell<Option<&'static str>>,
    /// A stream found something that the connection must not survive.
    pub(super) invalid: Cell<bool>,
    waker: RefCell<Waker>,
}

impl Shared {
    pub(super) fn new(worker: &Rc<Worker>, hcm: &Rc<Hcm>, info: &Rc<ConnectionInfo>, io: SharedIo) -> Rc<Self> {
        Rc::new(Self {
            worker: Rc::clone(worker),
            hcm: Rc::clone(hcm),
            info: Rc::clone(info),
            io,
            drain: Cell::default(),
            drain_wanted: Cell::default(),
            deadlines: Deadlines::default(),
            streams: Cell::default(),
            finished: RefCell::default(),
            closed: Cell::default(),
            premature_resets: Cell::default(),
            destroyed: Cell::default(),
            broken: Cell::default(),
            invalid: Cell::default(),
            waker: RefCell::new(Waker::noop().clone()),
        })
    }

    /// Tells how to wake the connection.
    pub(super) fn register(&self, waker: &Waker) {
        self.waker.borrow_mut().clone_from(waker);
    }

    pub(super) fn wake_connection(&self) {
        self.waker.borrow().wake_by_ref();
    }

    /// Streams that are not over.
    pub(super) fn open_streams(&self) -> usize {
        self.streams.get() + self.finished.borrow().len()
    }
}
