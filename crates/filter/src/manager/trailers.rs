//! Trailers on their way through the chain.

use sandgate_http::{Direction, TrailersStatus};

use super::FilterManager;
use super::lane::Iteration;
use super::task::Task;
use crate::stream::{Call, Phase};

impl FilterManager {
    pub(super) fn trailers(&mut self, direction: Direction, at: usize) {
        if self.is_dead(direction) {
            return;
        }
        let index = self.slot_index(direction, at);
        let Some(place) = self.lane_mut(direction).places.get_mut(at) else {
            self.emit_trailers(direction);
            return;
        };
        place.trailers_arrived = true;
        place.end_arrived = true;
        if place.stopped_all() || std::mem::replace(&mut place.trailers_called, true) {
            return;
        }
        place.end_stream = true;
        let iterating = place.can_iterate();
        let call = Call { direction, phase: Phase::Trailers, filter: index, end_stream: true, iterating };
        let Some(slot) = self.slots.get_mut(index) else { return };
        self.stream.enter(call);
        let status = match direction {
            Direction::Request => slot.filter.decode_trailers(&slot.callbacks),
            Direction::Response => slot.filter.encode_trailers(&slot.callbacks),
        };
        self.stream.leave();
        self.tasks.push(Task::AfterTrailers { direction, place: at, status });
    }

    pub(super) fn after_trailers(&mut self, direction: Direction, at: usize, status: TrailersStatus) {
        if self.is_dead(direction) {
            return;
        }
        let Some(place) = self.lane_mut(direction).places.get_mut(at) else { return };
        match (status, place.iteration) {
            (TrailersStatus::Continue, Iteration::Continue) => {
                self.tasks.push(Task::Trailers { direction, place: at + 1 });
            }
            (TrailersStatus::Continue, _) => self.tasks.push(Task::Continue { direction, place: at }),
            (TrailersStatus::StopIteration, Iteration::Continue) => place.iteration = Iteration::StopSingle,
            (TrailersStatus::StopIteration, _) => {}
        }
    }
}
