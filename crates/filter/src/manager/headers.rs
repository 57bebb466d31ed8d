//! Headers on their way through the chain.

use sandgate_http::{Direction, HeadersStatus};

use super::FilterManager;
use super::lane::Iteration;
use super::task::{HeadersStep, Task};
use crate::stream::{Call, Phase};

impl FilterManager {
    pub(super) fn headers(&mut self, mut step: HeadersStep) {
        let direction = step.direction;
        if self.is_dead(direction) {
            return;
        }
        let end_stream = step.end_stream && step.body_from.is_none();
        let index = self.slot_index(direction, step.place);
        let Some(place) = self.lane_mut(direction).places.get_mut(step.place) else {
            self.headers_at_end(&step, end_stream);
            return;
        };
        if std::mem::replace(&mut place.headers_called, true) {
            return;
        }
        place.end_stream = end_stream;
        place.end_arrived = end_stream;
        let call = Call { direction, phase: Phase::Headers, filter: index, end_stream, iterating: true };
        let Some(slot) = self.slots.get_mut(index) else { return };
        self.stream.enter(call);
        let status = match direction {
            Direction::Request => slot.filter.decode_headers(&slot.callbacks, end_stream),
            Direction::Response => slot.filter.encode_headers(&slot.callbacks, end_stream),
        };
        step.added = self.stream.leave();
        self.tasks.push(Task::AfterHeaders(step, status));
    }

    pub(super) fn after_headers(&mut self, step: HeadersStep, status: HeadersStatus) {
        let HeadersStep { direction, place: at, end_stream, mut body_from, added } = step;
        if self.is_dead(direction) {
            return;
        }
        let Some(place) = self.lane_mut(direction).places.get_mut(at) else { return };
        match status {
            HeadersStatus::Continue => {
                // Continued from within the callback: the headers are further on already.
                if std::mem::replace(&mut place.headers_continued, true) {
                    return;
                }
                if body_from.is_none() && (added || (end_stream && self.has_held(direction))) {
                    body_from = Some(at);
                }
                self.tasks.push(Task::Headers(HeadersStep {
                    direction,
                    place: at + 1,
                    end_stream,
                    body_from,
                    added: false,
                }));
            }
            HeadersStatus::StopIteration => place.iteration = Iteration::StopSingle,
            HeadersStatus::StopAllIterationAndBuffer => place.iteration = Iteration::StopAllBuffer,
            HeadersStatus::StopAllIterationAndWatermark => place.iteration = Iteration::StopAllWatermark,
        }
        if status != HeadersStatus::Continue {
            self.continue_added_body(direction, body_from);
        }
    }

    /// Headers have passed all filters.
    fn headers_at_end(&mut self, step: &HeadersStep, end_stream: bool) {
        if step.direction == Direction::Response && !self.check_response_headers() {
            return;
        }
        self.continue_added_body(step.direction, step.body_from);
        self.emit_headers(step.direction, end_stream);
    }

    /// The body that a filter added to headers follows them from there on.
    fn continue_added_body(&mut self, direction: Direction, from: Option<usize>) {
        let Some(at) = from else { return };
        if let Some(place) = self.lane_mut(direction).places.get_mut(at) {
            place.iteration = Iteration::StopSingle;
            self.tasks.push(Task::Continue { direction, place: at });
        }
    }
}
