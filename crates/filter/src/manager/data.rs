//! Body on its way through the chain.

use sandgate_http::{BodyBuffer, DataStatus, Direction};

use super::FilterManager;
use super::lane::Iteration;
use super::task::{DataStep, Task};
use crate::stream::{Call, Phase};

impl FilterManager {
    /// A piece enters the chain.
    pub(super) fn feed(&mut self, direction: Direction, piece: BodyBuffer, end_stream: bool) {
        if self.is_dead(direction) || self.lane(direction).observed_end {
            return;
        }
        self.lane_mut(direction).observed_end = end_stream;
        self.tasks.push(Task::Data(DataStep {
            direction,
            place: 0,
            piece,
            was_held: false,
            added: false,
            end_stream,
            trailers_from: None,
        }));
    }

    pub(super) fn data(&mut self, mut step: DataStep) {
        let direction = step.direction;
        if self.is_dead(direction) {
            return;
        }
        let has_trailers = self.has_trailers(direction);
        let index = self.slot_index(direction, step.place);
        let Some(place) = self.lane_mut(direction).places.get_mut(step.place) else {
            self.data_at_end(step);
            return;
        };
        place.end_arrived |= step.end_stream;
        if place.stopped_all() {
            let streaming = place.iteration == Iteration::StopAllWatermark;
            self.trailers_after_stop(&step);
            self.keep(step, streaming);
            return;
        }
        // The filter has seen the end; what comes here is an empty piece of an event that has passed already.
        if place.end_stream || (place.trailers_called && step.piece.is_empty()) {
            return;
        }
        place.end_stream = step.end_stream && !has_trailers;
        let (end_stream, iterating) = (place.end_stream, place.can_iterate());
        let call = Call { direction, phase: Phase::Data, filter: index, end_stream: step.end_stream, iterating };
        let Some(slot) = self.slots.get_mut(index) else { return };
        self.stream.enter(call);
        let status = match direction {
            Direction::Request => slot.filter.decode_data(&slot.callbacks, &mut step.piece, end_stream),
            Direction::Response => slot.filter.encode_data(&slot.callbacks, &mut step.piece, end_stream),
        };
        step.added = self.stream.leave();
        let added_trailers = !has_trailers && self.has_trailers(direction);
        if let Some(place) = self.lane_mut(direction).places.get_mut(step.place) {
            place.in_flight = !step.piece.is_empty();
            if added_trailers {
                step.end_stream = false;
                step.trailers_from = Some(step.place);
                place.end_stream = false;
                // What a filter adds is not shown to itself, unless it has just gone on after stopping everything.
                place.trailers_arrived |= !place.iterate_from_current;
                place.trailers_called |= !place.iterate_from_current;
            }
        }
        self.tasks.push(Task::AfterData(step, status));
    }

    pub(super) fn after_data(&mut self, mut step: DataStep, status: DataStatus) {
        let direction = step.direction;
        if self.is_dead(direction) {
            return;
        }
        let has_trailers = self.has_trailers(direction);
        let Some(place) = self.lane_mut(direction).places.get_mut(step.place) else { return };
        place.in_flight = false;
        let stopped_before = place.iteration == Iteration::StopSingle;
        if status != DataStatus::Continue || stopped_before || step.added {
            place.iteration = Iteration::StopSingle;
        }
        match status {
            DataStatus::Continue if stopped_before || step.added => {
                let (streaming, place) = (self.stream.side(direction).streaming.get(), step.place);
                self.trailers_after_stop(&step);
                self.tasks.push(Task::Continue { direction, place });
                self.keep(step, streaming);
            }
            DataStatus::Continue => {
                step.place += 1;
                self.tasks.push(Task::Data(step));
            }
            DataStatus::StopIterationAndBuffer | DataStatus::StopIterationAndWatermark => {
                self.trailers_after_stop(&step);
                self.keep(step, status == DataStatus::StopIterationAndWatermark);
            }
            DataStatus::StopIterationNoBuffer => {
                self.trailers_after_stop(&step);
                // As in Envoy, where what was held back stays in the buffer unless the filter has drained it.
                if step.was_held {
                    let streaming = self.stream.side(direction).streaming.get();
                    self.keep(step, streaming);
                } else if self.lane(direction).observed_end && !has_trailers {
                    // So that going on passes on an empty piece, which carries the end.
                    self.stream.side(direction).held.borrow_mut().begun = true;
                }
            }
        }
    }

    /// A piece has passed all filters.
    fn data_at_end(&mut self, step: DataStep) {
        let direction = step.direction;
        if let Some(from) = step.trailers_from {
            let place = self.first_after(direction, from);
            self.tasks.push(Task::Trailers { direction, place });
        }
        let end_stream = step.end_stream && !self.has_trailers(direction);
        self.emit_data(direction, step.piece, end_stream);
    }

    /// The piece stays in the chain, but trailers that were added before it got here come up to where it is.
    fn trailers_after_stop(&mut self, step: &DataStep) {
        let Some(from) = step.trailers_from else { return };
        let place = self.first_after(step.direction, from);
        if place <= step.place {
            self.tasks.push(Task::Trailers { direction: step.direction, place });
        }
    }

    /// Holds a piece back where it is.
    fn keep(&mut self, mut step: DataStep, streaming: bool) {
        let direction = step.direction;
        let filter = self.slot_index(direction, step.place);
        // What an earlier filter held back was under the limit, or allowed to be above it.
        self.stream.side(direction).streaming.set(streaming || step.was_held);
        self.stream.keep(filter, direction, &mut step.piece);
        self.stream.side(direction).streaming.set(streaming);
    }
}
