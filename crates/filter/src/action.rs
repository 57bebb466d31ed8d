//! What filters asked for and the manager has yet to do.

use std::collections::VecDeque;

use sandgate_http::{BodyBuffer, Direction, LocalReply};

/// One request of a filter.
#[derive(Debug)]
pub(crate) enum Action {
    /// Go on at this filter.
    Continue { direction: Direction, filter: usize },
    /// Answer instead of the upstream. One asked for in a request callback is deferred: it is sent when everything else
    /// that the callback asked for is done.
    LocalReply { reply: LocalReply, deferred: bool, filter: Option<usize> },
    /// Body added in a trailers callback: to pass through the filters behind, before the trailers.
    Data { direction: Direction, filter: usize, data: BodyBuffer },
    /// End the stream.
    Reset,
}

/// First in, first out. Bounded by what it holds: a continue per filter and direction, one reply, one reset, and the
/// data of one callback each.
#[derive(Debug, Default)]
pub(crate) struct Actions {
    queue: VecDeque<Action>,
}

impl Actions {
    /// Queues `action` unless its like is already queued, in which case it would do nothing.
    pub(crate) fn push(&mut self, action: Action) {
        let repeated = match &action {
            Action::Continue { direction, filter } => self
                .queue
                .iter()
                .any(|a| matches!(a, Action::Continue { direction: d, filter: f } if d == direction && f == filter)),
            Action::LocalReply { .. } => self.queue.iter().any(|a| matches!(a, Action::LocalReply { .. })),
            Action::Reset => self.queue.iter().any(|a| matches!(a, Action::Reset)),
            Action::Data { .. } => false,
        };
        if !repeated {
            self.queue.push_back(action);
        }
    }

    pub(crate) fn pop(&mut self) -> Option<Action> {
        let deferred =
            self.queue.front().is_some_and(|action| matches!(action, Action::LocalReply { deferred: true, .. }));
        if deferred && self.queue.len() > 1 { self.queue.remove(1) } else { self.queue.pop_front() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.queue.clear();
    }
}
