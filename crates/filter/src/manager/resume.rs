//! Going on after a stop: Envoy's `commonContinue`.

use sandgate_http::Direction;

use super::FilterManager;
use super::lane::Iteration;
use super::task::{DataStep, HeadersStep, Task};

impl FilterManager {
    /// Goes on at a filter. Does nothing if the filter has not stopped anything, and it has not if it was never called.
    pub(super) fn resume(&mut self, direction: Direction, at: usize) {
        if self.is_dead(direction) {
            return;
        }
        let holds_informational = direction == Direction::Response && self.has_informational;
        let has_response = direction == Direction::Request || self.has_response;
        let nothing_follows = !self.has_held(direction) && !self.has_trailers(direction);
        let Some(place) = self.lane_mut(direction).places.get_mut(at) else { return };
        let holds_headers = place.headers_called && !place.headers_continued;
        if place.can_iterate() && !holds_headers {
            return;
        }
        let end_stream = place.end_arrived && !place.in_flight && nothing_follows;
        place.iterate_from_current = place.stopped_all();
        place.iteration = Iteration::Continue;

        let continue_informational =
            holds_informational && !std::mem::replace(&mut place.informational_continued, true);
        if has_response {
            let continue_headers = !std::mem::replace(&mut place.headers_continued, true);
            self.tasks.push(Task::Continued { direction, place: at });
            self.tasks.push(Task::ContinueBody { direction, place: at });
            if continue_headers {
                let step = HeadersStep { direction, place: at + 1, end_stream, body_from: None, added: false };
                self.tasks.push(Task::Headers(step));
            }
        }
        if continue_informational {
            self.tasks.push(Task::Informational { place: at + 1 });
        }
    }

    /// Headers are on their way: now what is held back. Trailers follow if they had come before that.
    pub(super) fn resume_body(&mut self, direction: Direction, at: usize) {
        if self.is_dead(direction) {
            return;
        }
        let had_trailers = self.has_trailers(direction);
        let Some(place) = self.lane(direction).places.get(at) else { return };
        let end_stream = place.end_arrived && !place.in_flight && !had_trailers;
        // Trailers that an earlier filter has just added are still to come here by themselves.
        if had_trailers && place.trailers_arrived {
            self.tasks.push(Task::ContinueTrailers { direction, place: at });
        }
        if self.has_held(direction) {
            let place = self.first_after(direction, at);
            let piece = self.stream.release(self.slot_index(direction, at), direction);
            self.tasks.push(Task::Data(DataStep {
                direction,
                place,
                piece,
                was_held: true,
                added: false,
                end_stream,
                trailers_from: None,
            }));
        }
    }

    pub(super) fn resume_trailers(&mut self, direction: Direction, at: usize) {
        let place = self.first_after(direction, at);
        self.tasks.push(Task::Trailers { direction, place });
    }

    pub(super) fn resumed(&mut self, direction: Direction, at: usize) {
        if let Some(place) = self.lane_mut(direction).places.get_mut(at) {
            place.iterate_from_current = false;
        }
    }

    /// Where body and trailers go on from a filter: at the next one, or at itself if it stopped everything and so has
    /// not seen them.
    pub(super) fn first_after(&self, direction: Direction, at: usize) -> usize {
        let from_current = self.lane(direction).places.get(at).is_some_and(|place| place.iterate_from_current);
        if from_current { at } else { at + 1 }
    }
}
