//! The work list: what Envoy does by recursion is here a stack of small steps, each of which calls one filter at most.

use sandgate_http::{BodyBuffer, DataStatus, Direction, HeadersStatus, TrailersStatus};

use super::FilterManager;
use crate::Informational;
use crate::action::Action;

/// One step. `place` is a place in the order of `direction`; one past the last filter is the far end.
#[derive(Debug)]
pub(super) enum Task {
    /// Do what a filter asked for.
    Act(Action),
    /// Show 1xx headers to the filter there.
    Informational {
        place: usize,
    },
    AfterInformational {
        place: usize,
        status: Informational,
    },
    /// Show headers to the filter there.
    Headers(HeadersStep),
    AfterHeaders(HeadersStep, HeadersStatus),
    /// A piece of body enters the chain.
    Feed {
        direction: Direction,
        data: BodyBuffer,
        end_stream: bool,
    },
    /// Show body to the filter there.
    Data(DataStep),
    AfterData(DataStep, DataStatus),
    /// Show trailers to the filter there.
    Trailers {
        direction: Direction,
        place: usize,
    },
    AfterTrailers {
        direction: Direction,
        place: usize,
        status: TrailersStatus,
    },
    /// Go on after a stop there.
    Continue {
        direction: Direction,
        place: usize,
    },
    /// The part of that which follows the headers.
    ContinueBody {
        direction: Direction,
        place: usize,
    },
    /// The part of that which follows the body.
    ContinueTrailers {
        direction: Direction,
        place: usize,
    },
    /// The end of that.
    Continued {
        direction: Direction,
        place: usize,
    },
}

#[derive(Debug)]
pub(super) struct HeadersStep {
    pub(super) direction: Direction,
    pub(super) place: usize,
    /// Nothing but headers has come in (though a filter may have added a body).
    pub(super) end_stream: bool,
    /// The filter that added a body while headers passed it: that body follows the headers from there.
    pub(super) body_from: Option<usize>,
    /// The filter that was shown them last has added a body.
    pub(super) added: bool,
}

#[derive(Debug)]
pub(super) struct DataStep {
    pub(super) direction: Direction,
    pub(super) place: usize,
    pub(super) piece: BodyBuffer,
    /// A filter had held it back.
    pub(super) was_held: bool,
    /// The filter that was shown it last has added to what it holds back.
    pub(super) added: bool,
    pub(super) end_stream: bool,
    /// The filter that added trailers while this piece passed it.
    pub(super) trailers_from: Option<usize>,
}

impl FilterManager {
    /// Runs until nothing is left to do. It ends: every step but those of actions moves an event towards the far end or
    /// stops it, a stopped event moves only by an action, and each callback can queue each action once.
    ///
    /// An attempt pauses when something of the response has passed all filters: the client's chain sees headers before this
    /// one sees the body that was held back with them. [`Self::run_pending`] goes on.
    pub(super) fn run(&mut self) {
        self.run_to(self.stream.is_attempt());
    }

    /// Something comes in. What an attempt has left to do is done before that.
    pub(super) fn input(&mut self, task: Task) {
        if !self.tasks.is_empty() {
            self.run_to(false);
        }
        self.tasks.push(task);
        self.run();
    }

    fn run_to(&mut self, first_response: bool) {
        self.stream.running.set(true);
        loop {
            self.take_actions();
            let Some(task) = self.tasks.pop() else { break };
            let waiting = self.outputs.response_len();
            match task {
                Task::Act(action) => self.act(action),
                Task::Informational { place } => self.informational(place),
                Task::AfterInformational { place, status } => self.after_informational(place, status),
                Task::Headers(step) => self.headers(step),
                Task::AfterHeaders(step, status) => self.after_headers(step, status),
                Task::Feed { direction, data, end_stream } => self.feed(direction, data, end_stream),
                Task::Data(step) => self.data(step),
                Task::AfterData(step, status) => self.after_data(step, status),
                Task::Trailers { direction, place } => self.trailers(direction, place),
                Task::AfterTrailers { direction, place, status } => self.after_trailers(direction, place, status),
                Task::Continue { direction, place } => self.resume(direction, place),
                Task::ContinueBody { direction, place } => self.resume_body(direction, place),
                Task::ContinueTrailers { direction, place } => self.resume_trailers(direction, place),
                Task::Continued { direction, place } => self.resumed(direction, place),
            }
            if first_response && self.outputs.response_len() > waiting {
                break;
            }
        }
        self.stream.running.set(false);
    }

    /// What was asked for in the last callback comes next, in its order, and before the callback's status takes effect.
    fn take_actions(&mut self) {
        let mut actions = self.stream.actions.borrow_mut();
        if actions.is_empty() {
            return;
        }
        let first = self.tasks.len();
        while let Some(action) = actions.pop() {
            self.tasks.push(Task::Act(action));
        }
        if let Some(taken) = self.tasks.get_mut(first..) {
            taken.reverse();
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Continue { direction, filter } => {
                let place = self.slot_index(direction, filter);
                self.tasks.push(Task::Continue { direction, place });
            }
            Action::LocalReply { reply, filter, .. } => {
                if let Some(filter) = filter {
                    self.tell_local_reply_owner(filter);
                }
                self.send_local_reply(&reply);
            }
            Action::Data { direction, filter, data } => {
                let place = self.slot_index(direction, filter) + 1;
                let step = DataStep {
                    direction,
                    place,
                    piece: data,
                    was_held: false,
                    added: false,
                    end_stream: false,
                    trailers_from: None,
                };
                self.tasks.push(Task::Data(step));
            }
            Action::Reset => self.reset_now(),
        }
    }
}
