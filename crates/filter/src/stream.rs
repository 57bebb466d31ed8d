//! One HTTP exchange as its filters see it.

mod ask;
mod attempt;

use std::cell::{Cell, Ref, RefCell, RefMut};
use std::rc::Rc;
use std::task::Waker;
use std::time::{Instant, SystemTime};

use sandgate_http::{Direction, HeaderMap};

use crate::action::{Action, Actions};
use crate::filter_state::FilterState;
use crate::held::Held;
use crate::local_reply::{LocalReplyHeaders, LocalReplyRewriter};
use crate::stream_info::{ConnectionInfo, StreamInfo};
use crate::stream_route::{RouteChooser, StreamRoute};

/// What a stream is made with.
#[derive(Clone, Debug)]
pub struct StreamOptions {
    /// The most body bytes the chain holds back per direction (`per_connection_buffer_limit_bytes`); 0 is no limit.
    pub buffer_limit: usize,
    /// `HTTP/1.1` and the like.
    pub protocol: Option<&'static str>,
    /// When the request began, as the world's clock says.
    pub start_time: SystemTime,
    /// The same moment on the monotonic clock.
    pub start: Instant,
}

/// One exchange: headers, trailers, held-back bodies, stream info, and what filters asked for.
///
/// Shared behind an `Rc` by the pump, the manager and the filters' callbacks. Borrows must be short: none may be held
/// while anything else of this crate is called.
#[derive(Debug)]
pub struct Stream {
    /// Of an attempt: the stream whose request it sends to a host.
    origin: Option<Rc<Self>>,
    connection: Rc<ConnectionInfo>,
    info: RefCell<StreamInfo>,
    request: Side,
    response: Side,
    pub(crate) actions: RefCell<Actions>,
    pub(crate) call: Cell<Option<Call>>,
    /// Set once nothing a filter asks for can have an effect any more.
    pub(crate) over: Cell<bool>,
    pub(crate) decode_aborted: Cell<bool>,
    pub(crate) encode_aborted: Cell<bool>,
    /// The manager is at work and will look at the actions itself.
    pub(crate) running: Cell<bool>,
    route_cleared: Cell<bool>,
    pub(crate) route: RefCell<Option<Rc<dyn StreamRoute>>>,
    pub(crate) route_chooser: RefCell<Option<Rc<dyn RouteChooser>>>,
    local_reply_headers: RefCell<Option<Rc<dyn LocalReplyHeaders>>>,
    local_reply_rewriter: RefCell<Option<Rc<dyn LocalReplyRewriter>>>,
    /// A 400 was made here.
    pub(crate) bad_request: Cell<bool>,
    /// Of an attempt: the request's trailers have come to it.
    pub(crate) trailers_came: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// One direction's share of a stream.
#[derive(Debug)]
pub(crate) struct Side {
    pub(crate) headers: RefCell<Option<HeaderMap>>,
    pub(crate) trailers: RefCell<Option<HeaderMap>>,
    pub(crate) held: RefCell<Held>,
    /// Whether what is held back may stay above the limit, the source being paused.
    pub(crate) streaming: Cell<bool>,
    /// A filter has added to what it holds back since a callback of this direction began.
    pub(crate) added: Cell<bool>,
}

/// Which callback of which filter runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) direction: Direction,
    pub(crate) phase: Phase,
    pub(crate) filter: usize,
    /// The event ends its direction (in a data callback also when trailers were added meanwhile).
    pub(crate) end_stream: bool,
    /// The filter was not stopped when it was called.
    pub(crate) iterating: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Informational,
    Headers,
    Data,
    Trailers,
}

// === impl Stream ===

impl Stream {
    /// A new stream of a connection.
    #[must_use]
    pub fn new(connection: Rc<ConnectionInfo>, options: &StreamOptions) -> Rc<Self> {
        Rc::new(Self::build(None, connection, options))
    }

    /// What is left to tell of a connection that was no HTTP.
    #[must_use]
    pub fn finished(connection: Rc<ConnectionInfo>, info: StreamInfo) -> Rc<Self> {
        let options = StreamOptions { buffer_limit: 0, protocol: None, start_time: info.start_time, start: info.start };
        let stream = Self::build(None, connection, &options);
        *stream.info.borrow_mut() = info;
        Rc::new(stream)
    }

    fn build(origin: Option<Rc<Self>>, connection: Rc<ConnectionInfo>, options: &StreamOptions) -> Self {
        let mut info = StreamInfo::new(options.protocol, options.start_time, options.start);
        info.filter_state = FilterState::of_stream(&connection.filter_state);
        Self {
            origin,
            connection,
            info: RefCell::new(info),
            request: Side::new(options.buffer_limit),
            response: Side::new(options.buffer_limit),
            actions: RefCell::default(),
            call: Cell::new(None),
            over: Cell::new(false),
            decode_aborted: Cell::new(false),
            encode_aborted: Cell::new(false),
            running: Cell::new(false),
            route_cleared: Cell::new(false),
            route: RefCell::new(None),
            route_chooser: RefCell::new(None),
            local_reply_headers: RefCell::new(None),
            local_reply_rewriter: RefCell::new(None),
            bad_request: Cell::new(false),
            trailers_came: Cell::new(false),
            waker: RefCell::new(None),
        }
    }

    /// Says what the route does to the headers of local replies; nothing by default.
    pub fn set_local_reply_headers(&self, route: Option<Rc<dyn LocalReplyHeaders>>) {
        *self.local_reply_headers.borrow_mut() = route;
    }

    /// Says what becomes of local replies; nothing by default.
    pub fn set_local_reply_rewriter(&self, rewriter: Rc<dyn LocalReplyRewriter>) {
        *self.local_reply_rewriter.borrow_mut() = Some(rewriter);
    }

    pub(crate) fn local_reply_rewriter(&self) -> Option<Rc<dyn LocalReplyRewriter>> {
        self.local_reply_rewriter.borrow().clone()
    }

    /// Whether the request was called bad by a reply made here: on HTTP/1 the connection then ends (observed in Envoy 1.40).
    #[must_use]
    pub fn is_bad_request(&self) -> bool {
        self.bad_request.get()
    }

    /// Whether a reply made here stands in for the upstream's.
    #[must_use]
    pub fn is_answered_here(&self) -> bool {
        self.decode_aborted.get()
    }

    pub(crate) fn local_reply_headers(&self) -> Option<Rc<dyn LocalReplyHeaders>> {
        self.local_reply_headers.borrow().clone()
    }

    /// The connection it came on.
    #[must_use]
    pub fn connection(&self) -> &Rc<ConnectionInfo> {
        &self.connection
    }

    /// What is known of the stream.
    #[must_use]
    pub fn info(&self) -> Ref<'_, StreamInfo> {
        self.home().info.borrow()
    }

    /// What is known of the stream, to add to it.
    #[must_use]
    pub fn info_mut(&self) -> RefMut<'_, StreamInfo> {
        self.home().info.borrow_mut()
    }

    /// The headers of a direction, if they have come.
    #[must_use]
    pub fn headers(&self, direction: Direction) -> Option<Ref<'_, HeaderMap>> {
        Ref::filter_map(self.headers_side(direction).headers.borrow(), Option::as_ref).ok()
    }

    /// The headers of a direction, to change them.
    #[must_use]
    pub fn headers_mut(&self, direction: Direction) -> Option<RefMut<'_, HeaderMap>> {
        RefMut::filter_map(self.headers_side(direction).headers.borrow_mut(), Option::as_mut).ok()
    }

    /// Puts headers in place: the request's before [`crate::FilterManager::decode_headers`].
    pub fn set_headers(&self, direction: Direction, headers: HeaderMap) {
        *self.headers_side(direction).headers.borrow_mut() = Some(headers);
    }

    /// Takes the headers of a direction, to pass them on to where they are somebody else's.
    #[must_use]
    pub fn take_headers(&self, direction: Direction) -> Option<HeaderMap> {
        self.headers_side(direction).headers.borrow_mut().take()
    }

    /// Takes the trailers of a direction, likewise.
    #[must_use]
    pub fn take_trailers(&self, direction: Direction) -> Option<HeaderMap> {
        self.trailers_side(direction).trailers.borrow_mut().take()
    }

    /// The trailers of a direction, if there are any by now.
    #[must_use]
    pub fn trailers(&self, direction: Direction) -> Option<Ref<'_, HeaderMap>> {
        Ref::filter_map(self.trailers_side(direction).trailers.borrow(), Option::as_ref).ok()
    }

    /// The trailers of a direction, to change them.
    #[must_use]
    pub fn trailers_mut(&self, direction: Direction) -> Option<RefMut<'_, HeaderMap>> {
        RefMut::filter_map(self.trailers_side(direction).trailers.borrow_mut(), Option::as_mut).ok()
    }

    /// Puts trailers in place, for who has no filters to walk them through.
    pub fn set_trailers(&self, direction: Direction, trailers: HeaderMap) {
        *self.side(direction).trailers.borrow_mut() = Some(trailers);
    }

    /// Wakes the pump: something that it waits for outside of the stream has moved.
    pub fn wake(&self) {
        if let Some(waker) = &*self.home().waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// Changes the buffer limit of both directions, as a route may.
    pub fn set_buffer_limit(&self, limit: usize) {
        self.request.held.borrow_mut().set_limit(limit);
        self.response.held.borrow_mut().set_limit(limit);
    }

    /// The buffer limit; 0 is none.
    #[must_use]
    pub fn buffer_limit(&self) -> usize {
        self.request.held.borrow().limit()
    }

    /// Who to wake when a filter asks for something outside of its callbacks; the pump sets it at each poll.
    pub fn register_waker(&self, waker: &Waker) {
        let mut slot = self.waker.borrow_mut();
        match &mut *slot {
            Some(old) => old.clone_from(waker),
            None => *slot = Some(waker.clone()),
        }
    }

    /// Whether [`crate::FilterManager::run_pending`] has something to do.
    #[must_use]
    pub fn has_pending(&self) -> bool {
        !self.actions.borrow().is_empty()
    }

    /// Forgets the chosen route; the router asks [`Stream::take_route_cleared`] and chooses again.
    pub fn clear_route_cache(&self) {
        self.route_cleared.set(true);
    }

    /// Whether the route was cleared since this was last asked.
    #[must_use]
    pub fn take_route_cleared(&self) -> bool {
        self.route_cleared.take()
    }

    pub(crate) fn side(&self, direction: Direction) -> &Side {
        match direction {
            Direction::Request => &self.request,
            Direction::Response => &self.response,
        }
    }

    /// Queues an action, unless the stream is over, and wakes the pump if the manager is not at work.
    pub(crate) fn push(&self, action: Action) {
        if self.over.get() {
            return;
        }
        self.actions.borrow_mut().push(action);
        if !self.running.get() {
            self.wake();
        }
    }
}

// === impl Side ===

impl Side {
    fn new(limit: usize) -> Self {
        Self {
            headers: RefCell::new(None),
            trailers: RefCell::new(None),
            held: RefCell::new(Held::new(limit)),
            streaming: Cell::new(false),
            added: Cell::new(false),
        }
    }
}
