//! A 1xx response on its way through the chain.

use sandgate_http::Direction;

use super::FilterManager;
use super::lane::Iteration;
use super::task::Task;
use crate::stream::{Call, Phase};
use crate::{EncodeEvent, Informational};

impl FilterManager {
    pub(super) fn informational(&mut self, at: usize) {
        if self.is_dead(Direction::Response) {
            return;
        }
        let Some(headers) = &mut self.informational else { return };
        let direction = Direction::Response;
        let index = self.slots.len().checked_sub(at + 1);
        let Some(slot) = index.and_then(|index| self.slots.get_mut(index)) else {
            if let Some(headers) = self.informational.take() {
                self.outputs.push_encode(EncodeEvent::Informational(headers));
            }
            return;
        };
        let filter = index.unwrap_or_default();
        self.stream.enter(Call { direction, phase: Phase::Informational, filter, end_stream: false, iterating: true });
        let status = slot.filter.encode_1xx(&slot.callbacks, headers);
        self.stream.leave();
        self.tasks.push(Task::AfterInformational { place: at, status });
    }

    pub(super) fn after_informational(&mut self, at: usize, status: Informational) {
        let Some(place) = self.response.places.get_mut(at) else { return };
        match status {
            Informational::Continue => {
                if !std::mem::replace(&mut place.informational_continued, true) {
                    self.tasks.push(Task::Informational { place: at + 1 });
                }
            }
            Informational::StopIteration => place.iteration = Iteration::StopSingle,
        }
    }
}
