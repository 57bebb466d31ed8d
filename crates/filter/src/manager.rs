//! The filter manager: walks events through the chain.

mod data;
mod headers;
mod informational;
mod input;
mod lane;
mod output;
mod reply;
mod resume;
mod task;
mod trailers;

use std::fmt;
use std::rc::Rc;
use std::time::Instant;

use sandgate_http::{Direction, HeaderMap, LocalReply};
use smallvec::SmallVec;

use self::lane::Lane;
use self::output::Outputs;
use self::task::Task;
use crate::{FilterCallbacks, HttpFilter, RequestKind, Stream};

/// One stream's filter chain: Envoy's `FilterManager`.
///
/// Every input runs to its end: when it returns, each filter that could be called has been, and what came out is in
/// the two queues. Inputs that come too late (after the end of their direction, or of the stream) do nothing.
pub struct FilterManager {
    stream: Rc<Stream>,
    slots: SmallVec<[Slot; 4]>,
    request: Lane,
    response: Lane,
    /// What is left to do, the next thing last.
    tasks: Vec<Task>,
    outputs: Outputs,
    kind: RequestKind,
    /// Response headers have come.
    has_response: bool,
    /// A 1xx response has come; until it is out, its headers.
    has_informational: bool,
    informational: Option<HeaderMap>,
    /// Of an attempt: what its filters answer to the client.
    reply: Option<LocalReply>,
    logged: bool,
    destroyed: bool,
}

struct Slot {
    filter: Box<dyn HttpFilter>,
    callbacks: FilterCallbacks,
}

// === impl FilterManager ===

impl FilterManager {
    /// A chain over `stream`, in the order of the configuration, without the router: that is whoever takes the
    /// [`crate::DecodeEvent`]s.
    #[must_use]
    pub fn new(stream: Rc<Stream>, filters: impl IntoIterator<Item = Box<dyn HttpFilter>>) -> Self {
        let mut slots: SmallVec<[Slot; 4]> = filters
            .into_iter()
            .enumerate()
            .map(|(index, filter)| Slot { filter, callbacks: FilterCallbacks::new(Rc::clone(&stream), index) })
            .collect();
        for slot in &mut slots {
            slot.filter.on_created(&slot.callbacks);
        }
        let request = Lane::new(slots.len());
        let response = Lane::new(slots.len());
        Self {
            stream,
            slots,
            request,
            response,
            tasks: Vec::new(),
            outputs: Outputs::default(),
            kind: RequestKind::default(),
            has_response: false,
            has_informational: false,
            informational: None,
            reply: None,
            logged: false,
            destroyed: false,
        }
    }

    /// The stream.
    #[must_use]
    pub fn stream(&self) -> &Rc<Stream> {
        &self.stream
    }

    /// Whether more of the request should be read: neither the chain nor the queue for the router holds more than the
    /// buffer limit (and once above it, more than half of it).
    #[must_use]
    pub fn wants_request_data(&self) -> bool {
        self.decode_stopped() || self.wants_data(Direction::Request)
    }

    /// Whether more of the response should be read.
    #[must_use]
    pub fn wants_response_data(&self) -> bool {
        !self.encode_complete() && self.wants_data(Direction::Response)
    }

    /// Whether the request's end has been handed to the router's queue.
    #[must_use]
    pub fn decode_complete(&self) -> bool {
        self.request.complete
    }

    /// Whether nothing that comes from the client has an effect any more: the response's end has come, from the upstream
    /// or as a local reply. What still comes is dropped.
    #[must_use]
    pub fn decode_stopped(&self) -> bool {
        self.response.complete || self.response.observed_end || self.stream.decode_aborted.get()
    }

    /// Whether response headers have been handed to the codec's queue.
    #[must_use]
    pub fn response_started(&self) -> bool {
        self.response.headers_sent
    }

    /// Whether the response's end, or a reset, has been handed to the codec's queue.
    #[must_use]
    pub fn encode_complete(&self) -> bool {
        self.response.complete
    }

    /// The stream is over: calls every filter's `on_log`, in the order of the chain, once. The connection manager's
    /// access logs come after this and before [`Self::destroy`]. Filters of an attempt are not called (observed in Envoy 1.40).
    pub fn log(&mut self, now: Instant) {
        if self.stream.is_attempt() || std::mem::replace(&mut self.logged, true) {
            return;
        }
        self.end_stream();
        self.stream.info_mut().end.get_or_insert(now);
        for slot in &mut self.slots {
            slot.filter.on_log(&slot.callbacks);
        }
    }

    /// Calls every filter's `on_destroy`, in the order of the chain, once; nothing has an effect afterwards. Dropping
    /// the manager does so too, and logs if that was not done.
    pub fn destroy(&mut self) {
        if std::mem::replace(&mut self.destroyed, true) {
            return;
        }
        self.end_stream();
        for slot in &mut self.slots {
            slot.filter.on_destroy(&slot.callbacks);
        }
    }

    /// From now on what filters ask for is a no-op.
    fn end_stream(&mut self) {
        self.stream.over.set(true);
        self.stream.actions.borrow_mut().clear();
        self.request.complete = true;
        self.response.complete = true;
    }

    fn lane(&self, direction: Direction) -> &Lane {
        match direction {
            Direction::Request => &self.request,
            Direction::Response => &self.response,
        }
    }

    fn lane_mut(&mut self, direction: Direction) -> &mut Lane {
        match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        }
    }

    /// Whether nothing moves in this direction any more.
    fn is_dead(&self, direction: Direction) -> bool {
        match direction {
            Direction::Request => self.request.complete || self.decode_stopped(),
            Direction::Response => self.response.complete || self.stream.encode_aborted.get(),
        }
    }

    fn has_trailers(&self, direction: Direction) -> bool {
        self.stream.trailers(direction).is_some()
    }

    fn has_held(&self, direction: Direction) -> bool {
        self.stream.side(direction).held.borrow().begun
    }

    fn wants_data(&self, direction: Direction) -> bool {
        !self.stream.side(direction).held.borrow().is_above_high() && self.outputs.wants(direction)
    }

    /// The filter at a place in the order of a direction.
    fn slot_index(&self, direction: Direction, place: usize) -> usize {
        match direction {
            Direction::Request => place,
            Direction::Response => self.slots.len().saturating_sub(place + 1),
        }
    }
}

impl Drop for FilterManager {
    fn drop(&mut self) {
        if !self.logged {
            self.log(Instant::now());
        }
        self.destroy();
    }
}

impl fmt::Debug for FilterManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: SmallVec<[&str; 4]> = self.slots.iter().map(|slot| slot.filter.name()).collect();
        f.debug_struct("FilterManager")
            .field("filters", &names)
            .field("request", &self.request)
            .field("response", &self.response)
            .field("tasks", &self.tasks)
            .field("outputs", &self.outputs)
            .finish_non_exhaustive()
    }
}
