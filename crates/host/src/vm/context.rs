//! Root contexts and those of streams and connections: what a guest knows by an id.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use bytes::Bytes;
use sandgate_attributes::{AttributeSource, Declaration};
use sandgate_http::{BodyBuffer, Direction};

use super::callouts::CalloutStatus;
use super::connection::ConnectionState;
use super::expressions::Expressions;
use super::timers::TimerKey;
use crate::meter::Meter;
use crate::{HttpStream, NetworkStream, Plugin};

/// A context of one VM. Owned by its user and by the VM's table; knows nothing of the VM.
pub(crate) struct Context {
    pub(crate) id: u32,
    pub(crate) plugin: Arc<Plugin>,
    pub(crate) kind: ContextKind,
    /// What properties were declared to be; for streams, those of their root count.
    pub(crate) declared: RefCell<HashMap<Box<[u8]>, Declaration>>,
    /// CPU time of a stream's callbacks, in nanoseconds, if it is bounded; all ones once that was told.
    pub(crate) cpu_ns: Cell<u64>,
}

pub(crate) enum ContextKind {
    Root(RootState),
    Stream(StreamState),
    Connection(ConnectionState),
}

/// What only a root context has.
pub(crate) struct RootState {
    /// Counts what this context and its streams do.
    pub(crate) meter: Arc<Meter>,
    /// The guest runs the creation of this context or `proxy_on_configure`: it may read the plugin's configuration.
    pub(crate) configuring: Cell<bool>,
    /// 0 for no timer.
    pub(crate) tick_period_ms: Cell<u32>,
    pub(crate) timer: Cell<Option<TimerKey>>,
    /// `proxy_on_done` answered false; `proxy_done` ends the wait.
    pub(crate) pending_done: Cell<bool>,
    /// `proxy_on_done` has been called or is about to be.
    pub(crate) ending: Cell<bool>,
    /// How the last callout ended that did not end well.
    pub(crate) callout_status: RefCell<CalloutStatus>,
    /// The finished stream of which `proxy_on_log` tells, for an access log.
    pub(crate) logged: RefCell<Option<Rc<dyn AttributeSource>>>,
    /// What the last callback that has data of its own was given; it stays when the callback is over (as in Envoy).
    pub(crate) call_data: RefCell<Bytes>,
    /// What `expr_create` made for this context and its streams.
    pub(crate) expressions: RefCell<Expressions>,
}

/// What only a stream context has.
pub(crate) struct StreamState {
    pub(crate) root: Rc<Context>,
    /// Weak, so that no context keeps a stream alive.
    stream: Weak<dyn HttpStream>,
    pub(crate) phase: Cell<Phase>,
    /// What the guest may see now.
    access: Cell<Access>,
    /// The last headers or body shown were the end of their half.
    pub(crate) end_of_stream: Cell<bool>,
    /// The guest answered "stop and buffer" to the last piece of body.
    pub(crate) buffering_request: Cell<bool>,
    pub(crate) buffering_response: Cell<bool>,
    /// The guest stopped this half and has not let it go on.
    pub(crate) stopped_request: Cell<bool>,
    pub(crate) stopped_response: Cell<bool>,
    /// The stream was told that its plugin has failed; once.
    pub(crate) failed: Cell<bool>,
    /// The piece of body that the guest is being shown, and of which half.
    pub(crate) chunk: RefCell<BodyBuffer>,
    pub(crate) showing: Cell<Option<Direction>>,
    /// Bytes of properties that the guest has set.
    pub(crate) property_bytes: Cell<usize>,
}

/// Where in its life a stream context is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The guest has not heard of it.
    New,
    /// Between headers and the end.
    Open,
    /// In `proxy_on_log`: all maps can be read.
    Log,
    /// In `proxy_on_done` or `proxy_on_delete`: nothing moves the stream any more.
    Ending,
    /// The guest has forgotten it.
    Ended,
}

/// A set of the things that come and go with the phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Access(u8);

impl Access {
    pub(crate) const REQUEST_HEADERS: Self = Self(1);
    pub(crate) const REQUEST_BODY: Self = Self(2);
    pub(crate) const REQUEST_TRAILERS: Self = Self(4);
    pub(crate) const RESPONSE_HEADERS: Self = Self(8);
    pub(crate) const RESPONSE_BODY: Self = Self(16);
    pub(crate) const RESPONSE_TRAILERS: Self = Self(32);
    const REQUEST: Self = Self(7);

    pub(crate) const fn headers(direction: Direction) -> Self {
        match direction {
            Direction::Request => Self::REQUEST_HEADERS,
            Direction::Response => Self::RESPONSE_HEADERS,
        }
    }

    pub(crate) const fn body(direction: Direction) -> Self {
        match direction {
            Direction::Request => Self::REQUEST_BODY,
            Direction::Response => Self::RESPONSE_BODY,
        }
    }

    pub(crate) const fn trailers(direction: Direction) -> Self {
        match direction {
            Direction::Request => Self::REQUEST_TRAILERS,
            Direction::Response => Self::RESPONSE_TRAILERS,
        }
    }
}

// === impl RootState ===

impl RootState {
    fn new(meter: Arc<Meter>) -> Self {
        Self {
            meter,
            configuring: Cell::new(false),
            tick_period_ms: Cell::new(0),
            timer: Cell::new(None),
            pending_done: Cell::new(false),
            ending: Cell::new(false),
            callout_status: RefCell::default(),
            logged: RefCell::new(None),
            call_data: RefCell::default(),
            expressions: RefCell::default(),
        }
    }
}

// === impl Context ===

impl Context {
    pub(crate) fn root(id: u32, plugin: Arc<Plugin>, meter: Arc<Meter>) -> Rc<Self> {
        Rc::new(Self {
            id,
            plugin,
            kind: ContextKind::Root(RootState::new(meter)),
            declared: RefCell::default(),
            cpu_ns: Cell::default(),
        })
    }

    /// Counts what it does.
    pub(crate) fn meter(&self) -> Option<&Meter> {
        match &self.kind {
            ContextKind::Root(root) => Some(&root.meter),
            ContextKind::Stream(stream) => stream.root.as_root().map(|root| &*root.meter),
            ContextKind::Connection(connection) => connection.root.as_root().map(|root| &*root.meter),
        }
    }

    pub(crate) fn stream(id: u32, plugin: Arc<Plugin>, root: Rc<Self>, stream: Weak<dyn HttpStream>) -> Rc<Self> {
        Rc::new(Self {
            id,
            plugin,
            kind: ContextKind::Stream(StreamState::new(root, stream)),
            declared: RefCell::default(),
            cpu_ns: Cell::default(),
        })
    }

    pub(crate) fn connection(
        id: u32,
        plugin: Arc<Plugin>,
        root: Rc<Self>,
        stream: Weak<dyn NetworkStream>,
    ) -> Rc<Self> {
        let kind = ContextKind::Connection(ConnectionState::new(root, stream));
        Rc::new(Self { id, plugin, declared: RefCell::default(), cpu_ns: Cell::default(), kind })
    }

    pub(crate) fn as_root(&self) -> Option<&RootState> {
        match &self.kind {
            ContextKind::Root(root) => Some(root),
            ContextKind::Stream(_) | ContextKind::Connection(_) => None,
        }
    }

    pub(crate) fn as_stream(&self) -> Option<&StreamState> {
        match &self.kind {
            ContextKind::Stream(stream) => Some(stream),
            ContextKind::Root(_) | ContextKind::Connection(_) => None,
        }
    }

    pub(crate) fn as_connection(&self) -> Option<&ConnectionState> {
        match &self.kind {
            ContextKind::Connection(connection) => Some(connection),
            ContextKind::Root(_) | ContextKind::Stream(_) => None,
        }
    }

    /// What it is a context of, and is not over, as properties see it.
    pub(crate) fn attributes(&self) -> Option<Rc<dyn AttributeSource>> {
        match &self.kind {
            ContextKind::Root(root) => root.logged.borrow().clone(),
            ContextKind::Stream(stream) => stream.stream().map(|stream| stream as _),
            ContextKind::Connection(connection) => connection.stream().map(|stream| stream as _),
        }
    }

    /// The finished stream that an access log tells this root context of.
    pub(crate) fn logged(&self) -> Option<Rc<dyn AttributeSource>> {
        self.as_root()?.logged.borrow().clone()
    }

    /// Whether it is in `proxy_on_log`, where it can read all header maps that there are.
    pub(crate) fn is_logging(&self) -> bool {
        match &self.kind {
            ContextKind::Root(root) => root.logged.borrow().is_some(),
            ContextKind::Stream(stream) => stream.phase.get() == Phase::Log,
            ContextKind::Connection(_) => false,
        }
    }

    /// The context itself, or the root that it belongs to.
    pub(crate) fn root_of(self: &Rc<Self>) -> Rc<Self> {
        match &self.kind {
            ContextKind::Root(_) => Rc::clone(self),
            ContextKind::Stream(stream) => Rc::clone(&stream.root),
            ContextKind::Connection(connection) => Rc::clone(&connection.root),
        }
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("id", &self.id).field("plugin", &self.plugin.name()).finish_non_exhaustive()
    }
}

// === impl StreamState ===

impl StreamState {
    fn new(root: Rc<Context>, stream: Weak<dyn HttpStream>) -> Self {
        Self {
            root,
            stream,
            phase: Cell::new(Phase::New),
            access: Cell::default(),
            end_of_stream: Cell::new(false),
            buffering_request: Cell::new(false),
            buffering_response: Cell::new(false),
            stopped_request: Cell::new(false),
            stopped_response: Cell::new(false),
            failed: Cell::new(false),
            chunk: RefCell::default(),
            showing: Cell::new(None),
            property_bytes: Cell::new(0),
        }
    }

    /// The stream, unless it is over.
    pub(crate) fn stream(&self) -> Option<Rc<dyn HttpStream>> {
        if self.phase.get() == Phase::Ended { None } else { self.stream.upgrade() }
    }

    pub(crate) fn allow(&self, what: Access) {
        self.access.set(Access(self.access.get().0 | what.0));
    }

    pub(crate) fn forbid(&self, what: Access) {
        self.access.set(Access(self.access.get().0 & !what.0));
    }

    pub(crate) fn allows(&self, what: Access) -> bool {
        self.access.get().0 & what.0 != 0
    }

    /// What `proxy_continue_stream` takes from the guest, whichever half it names (observed in Envoy 1.40).
    pub(crate) fn forbid_request(&self) {
        self.forbid(Access::REQUEST);
    }

    pub(crate) fn stopped(&self, direction: Direction) -> &Cell<bool> {
        match direction {
            Direction::Request => &self.stopped_request,
            Direction::Response => &self.stopped_response,
        }
    }

    pub(crate) fn buffering(&self, direction: Direction) -> &Cell<bool> {
        match direction {
            Direction::Request => &self.buffering_request,
            Direction::Response => &self.buffering_response,
        }
    }

    /// Whether nothing moves the stream on but the guest.
    pub(crate) fn waits(&self) -> bool {
        self.stopped_request.get() || self.stopped_response.get()
    }

    /// The stream has its answer, or its end: it waits for the guest only if the guest stops it once more.
    pub(crate) fn waits_no_more(&self) {
        self.stopped_request.set(false);
        self.stopped_response.set(false);
    }
}
