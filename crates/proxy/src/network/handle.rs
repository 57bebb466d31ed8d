//! What filters know of their connection, and what they ask of it.

use std::cell::{Cell, RefCell, RefMut};
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::Waker;
use std::time::{Instant, SystemTime};

use bytes::BytesMut;
use sandgate_filter::{ConnectionInfo, FilterState, StreamInfo};

use super::CloseType;

/// A connection as its filters see it. What they ask for is done once the filter that asks has returned.
pub(crate) struct ConnectionHandle {
    info: RefCell<Rc<ConnectionInfo>>,
    stream_info: Rc<RefCell<StreamInfo>>,
    asked: RefCell<VecDeque<Asked>>,
    closing: Cell<Option<CloseType>>,
    half_close: Cell<bool>,
    read_disabled: Cell<bool>,
    waker: RefCell<Option<Waker>>,
    /// The connection's read buffer; empty while filters are shown what was in it.
    input: RefCell<BytesMut>,
    /// Written, and stopped by a filter.
    stopped: RefCell<BytesMut>,
}

/// What a filter has asked for.
pub(super) enum Asked {
    /// The filters behind that place go on.
    Continue(usize),
    /// To the client, through all filters.
    Write(BytesMut, bool),
    Close,
}

/// What one filter may ask for.
#[derive(Clone)]
pub(crate) struct NetworkCallbacks {
    connection: Rc<ConnectionHandle>,
    place: usize,
}

// === impl ConnectionHandle ===

impl ConnectionHandle {
    /// Of a connection that came just now.
    pub(crate) fn of(info: &Rc<ConnectionInfo>, now: Instant) -> Rc<Self> {
        let mut stream_info = StreamInfo::new(None, SystemTime::now(), now);
        stream_info.filter_state = FilterState::of_stream(&info.filter_state);
        Rc::new(Self {
            info: RefCell::new(Rc::clone(info)),
            stream_info: Rc::new(RefCell::new(stream_info)),
            asked: RefCell::default(),
            closing: Cell::new(None),
            half_close: Cell::new(false),
            read_disabled: Cell::new(false),
            waker: RefCell::default(),
            input: RefCell::default(),
            stopped: RefCell::default(),
        })
    }

    /// What it is known by; more after the handshake of TLS.
    pub(crate) fn info(&self) -> Rc<ConnectionInfo> {
        Rc::clone(&self.info.borrow())
    }

    /// More is known.
    pub(crate) fn set_info(&self, info: &Rc<ConnectionInfo>) {
        *self.info.borrow_mut() = Rc::clone(info);
    }

    /// What is told of the connection as a stream of bytes: filter state, metadata, flags.
    pub(crate) fn stream_info(&self) -> &Rc<RefCell<StreamInfo>> {
        &self.stream_info
    }

    /// Writes to the client, through all filters.
    pub(crate) fn write(&self, data: BytesMut, end_stream: bool) {
        self.ask(Asked::Write(data, end_stream));
    }

    /// Closes the connection; `reason` is `%DOWNSTREAM_LOCAL_CLOSE_REASON%`, if it is not empty.
    pub(crate) fn close(&self, kind: CloseType, reason: &str) {
        if !reason.is_empty() {
            // The last one counts (observed in Envoy 1.40).
            reason.clone_into(&mut self.stream_info.borrow_mut().local_close_reason);
        }
        if self.closing.get().is_some() {
            return;
        }
        self.closing.set(Some(kind));
        self.ask(Asked::Close);
    }

    /// How it is to be closed, if somebody has asked for that.
    pub(crate) fn close_kind(&self) -> Option<CloseType> {
        self.closing.get()
    }

    /// Whether nobody has closed it.
    pub(crate) fn is_open(&self) -> bool {
        self.closing.get().is_none()
    }

    /// A client that will send no more may still receive.
    pub(crate) fn enable_half_close(&self) {
        self.half_close.set(true);
    }

    /// Bytes have come from the client.
    pub(super) fn count_received(&self, count: usize) {
        let mut info = self.stream_info.borrow_mut();
        info.bytes_received += count as u64;
        info.bytes.wire_received += count as u64;
    }

    /// Bytes of the client that a filter has stopped, while none is shown them.
    pub(crate) fn stopped_input(&self) -> Option<RefMut<'_, BytesMut>> {
        self.input.try_borrow_mut().ok()
    }

    /// The same of bytes for the client.
    pub(crate) fn stopped_output(&self) -> Option<RefMut<'_, BytesMut>> {
        self.stopped.try_borrow_mut().ok()
    }

    /// The read buffer.
    pub(super) fn input(&self) -> RefMut<'_, BytesMut> {
        self.input.borrow_mut()
    }

    /// What is written and has not passed the filters.
    pub(super) fn written(&self) -> RefMut<'_, BytesMut> {
        self.stopped.borrow_mut()
    }

    /// Reads no more from the client; what it sends stays with the system.
    pub(crate) fn disable_reading(&self) {
        self.read_disabled.set(true);
    }

    pub(super) fn is_read_disabled(&self) -> bool {
        self.read_disabled.get()
    }

    pub(super) fn takes_half_close(&self) -> bool {
        self.half_close.get()
    }

    /// Tells how to wake the connection.
    pub(super) fn register(&self, waker: &Waker) {
        let mut kept = self.waker.borrow_mut();
        match &mut *kept {
            Some(kept) => kept.clone_from(waker),
            None => *kept = Some(waker.clone()),
        }
    }

    pub(super) fn next_asked(&self) -> Option<Asked> {
        self.asked.borrow_mut().pop_front()
    }

    fn ask(&self, what: Asked) {
        self.asked.borrow_mut().push_back(what);
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }
}

// === impl NetworkCallbacks ===

impl NetworkCallbacks {
    /// Of the filter at that place.
    pub(crate) fn new(connection: &Rc<ConnectionHandle>, place: usize) -> Self {
        Self { connection: Rc::clone(connection), place }
    }

    pub(crate) fn connection(&self) -> &Rc<ConnectionHandle> {
        &self.connection
    }

    /// The filters behind this one go on: with the new connection if they do not know it, and with the bytes that wait.
    pub(crate) fn continue_reading(&self) {
        self.connection.ask(Asked::Continue(self.place));
    }
}
