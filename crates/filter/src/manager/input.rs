//! What the pump brings.

use sandgate_http::{BodyBuffer, Direction, HeaderMap, LocalReply};

use super::FilterManager;
use super::task::{HeadersStep, Task};
use crate::{RequestKind, grpc};

impl FilterManager {
    /// The request's headers have come and are in the stream. Without them nothing happens.
    pub fn decode_headers(&mut self, end_stream: bool) {
        let Some(kind) = self.stream.headers(Direction::Request).map(|headers| RequestKind {
            is_head: headers.get(b":method") == Some(b"HEAD"),
            is_grpc: grpc::is_grpc_request(&headers),
        }) else {
            return;
        };
        self.kind = kind;
        self.request.observed_end |= end_stream;
        self.start_headers(Direction::Request, end_stream);
    }

    /// A piece of the request's body.
    pub fn decode_data(&mut self, data: BodyBuffer, end_stream: bool) {
        if self.logged || self.destroyed {
            return;
        }
        if !self.stream.is_attempt() {
            self.stream.info_mut().bytes_received += data.len() as u64;
        }
        self.input(Task::Feed { direction: Direction::Request, data, end_stream });
    }

    /// The request's trailers; the end.
    pub fn decode_trailers(&mut self, trailers: HeaderMap) {
        self.start_trailers(Direction::Request, Some(trailers));
    }

    /// Of an attempt: the request's trailers, which are in the stream that it is an attempt of; the end.
    pub fn decode_shared_trailers(&mut self) {
        self.start_trailers(Direction::Request, None);
    }

    /// A 1xx response of the upstream, other than 101. Only the first counts, and none after the response's headers.
    pub fn encode_1xx(&mut self, headers: HeaderMap) {
        if self.has_informational || self.is_dead(Direction::Response) || self.has_response {
            return;
        }
        self.has_informational = true;
        self.informational = Some(headers);
        self.input(Task::Informational { place: 0 });
    }

    /// The response's headers.
    pub fn encode_headers(&mut self, headers: HeaderMap, end_stream: bool) {
        if self.is_dead(Direction::Response) || self.has_response {
            return;
        }
        self.set_response(headers);
        self.response.observed_end |= end_stream;
        self.start_headers(Direction::Response, end_stream);
    }

    /// A piece of the response's body.
    pub fn encode_data(&mut self, data: BodyBuffer, end_stream: bool) {
        if !self.has_response {
            return;
        }
        self.input(Task::Feed { direction: Direction::Response, data, end_stream });
    }

    /// The response's trailers; the end.
    pub fn encode_trailers(&mut self, trailers: HeaderMap) {
        if self.has_response {
            self.start_trailers(Direction::Response, Some(trailers));
        }
    }

    /// A reply of the connection manager or the router: a timeout, a codec error, no route, no upstream. Flags are
    /// the caller's to set in the stream info.
    ///
    /// Works before [`Self::decode_headers`] too: encoder filters then see the reply without having seen a request.
    pub fn local_reply(&mut self, reply: LocalReply) {
        self.stream.request_local_reply(reply, None);
        self.run();
    }

    /// Ends the stream: nothing more comes out but [`crate::EncodeEvent::Reset`]. `details` count if there are none yet.
    pub fn reset(&mut self, details: &str) {
        self.stream.request_reset(details);
        self.run();
    }

    /// Does what filters asked for outside of their callbacks.
    pub fn run_pending(&mut self) {
        if self.stream.has_pending() || !self.tasks.is_empty() {
            self.run();
        }
    }

    fn start_headers(&mut self, direction: Direction, end_stream: bool) {
        self.input(Task::Headers(HeadersStep { direction, place: 0, end_stream, body_from: None, added: false }));
    }

    fn start_trailers(&mut self, direction: Direction, trailers: Option<HeaderMap>) {
        if self.is_dead(direction) || self.lane(direction).observed_end {
            return;
        }
        self.lane_mut(direction).observed_end = true;
        match trailers {
            Some(trailers) => self.stream.set_trailers(direction, trailers),
            None => self.stream.trailers_came.set(true),
        }
        self.input(Task::Trailers { direction, place: 0 });
    }
}
