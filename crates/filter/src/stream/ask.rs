//! What filters ask of their stream that has a synchronous part.

use std::cell::RefMut;

use sandgate_http::{BodyBuffer, Direction, HeaderMap, HeaderMapKind, LocalReply};

use super::{Call, Phase, Stream};
use crate::action::Action;

impl Stream {
    /// `filter` is who asks for it, if it is a filter of the chain.
    pub(crate) fn request_local_reply(&self, reply: LocalReply, filter: Option<usize>) {
        if self.over.get() {
            return;
        }
        self.info_mut().response_code_details = Some(one_word(&reply.details));
        // The running callback's direction is over, whatever the callback answers.
        let direction = self.call.get().map(|call| call.direction);
        match direction {
            Some(Direction::Request) => self.decode_aborted.set(true),
            Some(Direction::Response) => self.encode_aborted.set(true),
            None => {}
        }
        self.push(Action::LocalReply { reply, deferred: direction == Some(Direction::Request), filter });
    }

    pub(crate) fn request_reset(&self, details: &str) {
        if self.over.get() {
            return;
        }
        self.info_mut().response_code_details.get_or_insert_with(|| details.to_owned());
        self.push(Action::Reset);
    }

    pub(crate) fn add_data(&self, filter: usize, direction: Direction, data: &mut BodyBuffer, streaming: bool) -> bool {
        if self.over.get() {
            return false;
        }
        if let Some(call) = self.call.get()
            && call.phase == Phase::Trailers
            && call.direction == direction
            && call.iterating
        {
            let data = std::mem::take(data);
            self.push(Action::Data { direction, filter, data });
            return true;
        }
        let side = self.side(direction);
        side.streaming.set(streaming);
        side.added.set(true);
        self.keep(filter, direction, data)
    }

    /// A callback begins.
    pub(crate) fn enter(&self, call: Call) {
        self.call.set(Some(call));
        self.side(call.direction).added.set(false);
    }

    /// The callback has returned; whether it added to what its filter holds back in its direction.
    pub(crate) fn leave(&self) -> bool {
        self.call.take().is_some_and(|call| self.side(call.direction).added.take())
    }

    /// What a filter holds back.
    pub(crate) fn held(&self, filter: usize, direction: Direction) -> Option<RefMut<'_, BodyBuffer>> {
        RefMut::filter_map(self.side(direction).held.borrow_mut(), |held| held.part(filter)).ok()
    }

    /// Takes what a filter holds back, to pass it on.
    pub(crate) fn release(&self, filter: usize, direction: Direction) -> BodyBuffer {
        self.side(direction).held.borrow_mut().release(filter)
    }

    /// Moves `data` behind what a filter holds back; `false` if that took the chain over a limit that must not be
    /// exceeded.
    pub(crate) fn keep(&self, filter: usize, direction: Direction, data: &mut BodyBuffer) -> bool {
        let side = self.side(direction);
        let overflow = side.held.borrow_mut().keep(filter, data);
        if overflow && !side.streaming.get() {
            let reply = match direction {
                Direction::Request => reply(413, "Payload Too Large", "request_payload_too_large"),
                Direction::Response => reply(500, "Internal Server Error", "response_payload_too_large"),
            };
            self.request_local_reply(reply, None);
            return false;
        }
        true
    }

    pub(crate) fn add_trailers(&self, direction: Direction) -> bool {
        let at_the_end = self
            .call
            .get()
            .is_some_and(|call| call.direction == direction && call.phase == Phase::Data && call.end_stream);
        if !at_the_end || self.trailers(direction).is_some() {
            return false;
        }
        *self.side(direction).trailers.borrow_mut() = Some(HeaderMap::with_kind(match direction {
            Direction::Request => HeaderMapKind::Plain,
            Direction::Response => HeaderMapKind::ResponseTrailers,
        }));
        true
    }
}

/// Response code details have no white space.
fn one_word(details: &str) -> String {
    details.chars().map(|c| if c.is_ascii_whitespace() { '_' } else { c }).collect()
}

fn reply(status: u32, body: &str, details: &str) -> LocalReply {
    LocalReply { status, body: body.into(), details: details.to_owned(), ..LocalReply::default() }
}
