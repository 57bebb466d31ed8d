//! What a filter may ask for.

use std::cell::RefMut;
use std::rc::Rc;

use sandgate_http::{BodyBuffer, Direction, LocalReply};

use crate::Stream;
use crate::action::Action;

/// A filter's handle to its stream. A clone may be kept and used after the callback, from anywhere on the worker: what
/// comes too late or in the wrong phase does nothing.
#[derive(Clone, Debug)]
pub struct FilterCallbacks {
    stream: Rc<Stream>,
    filter: usize,
}

impl FilterCallbacks {
    pub(crate) fn new(stream: Rc<Stream>, filter: usize) -> Self {
        Self { stream, filter }
    }

    /// The stream.
    #[must_use]
    pub fn stream(&self) -> &Rc<Stream> {
        &self.stream
    }

    /// Whether the stream is over: nothing asked for has an effect any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.stream.over.get()
    }

    /// Goes on after this filter stopped the request. In the filter's own callback it takes effect when the callback
    /// has returned, before its status does.
    pub fn continue_decoding(&self) {
        self.continue_iteration(Direction::Request);
    }

    /// Goes on after this filter stopped the response.
    pub fn continue_encoding(&self) {
        self.continue_iteration(Direction::Response);
    }

    /// [`Self::continue_decoding`] or [`Self::continue_encoding`].
    pub fn continue_iteration(&self, direction: Direction) {
        self.stream.push(Action::Continue { direction, filter: self.filter });
    }

    /// Answers instead of the upstream; only the first reply of a stream counts. Before response headers have begun
    /// their way through the chain, the reply goes through all encoder filters; before they were handed to the codec,
    /// it goes there directly; later the stream is reset.
    pub fn send_local_reply(&self, reply: LocalReply) {
        self.stream.request_local_reply(reply, Some(self.filter));
    }

    /// Resets the stream; `details` becomes the response code details if there are none.
    pub fn reset_stream(&self, details: &str) {
        self.stream.request_reset(details);
    }

    /// Envoy's `addDecodedData` and `addEncodedData`: moves `data` behind what this filter holds back. With `streaming`,
    /// the source is paused above the limit; else the stream fails (413, 500 or a reset).
    ///
    /// In a headers callback that ends the stream this gives it a body; in a trailers callback of a filter that is not
    /// stopped the data passes on before the trailers. Returns `false`, `data` being dropped, if this made the stream fail
    /// or it already had.
    pub fn add_data(&self, direction: Direction, data: &mut BodyBuffer, streaming: bool) -> bool {
        self.stream.add_data(self.filter, direction, data, streaming)
    }

    /// [`Self::add_data`] for the request.
    pub fn add_decoded_data(&self, data: &mut BodyBuffer, streaming: bool) -> bool {
        self.add_data(Direction::Request, data, streaming)
    }

    /// [`Self::add_data`] for the response.
    pub fn add_encoded_data(&self, data: &mut BodyBuffer, streaming: bool) -> bool {
        self.add_data(Direction::Response, data, streaming)
    }

    /// Envoy's `addDecodedTrailers` and `addEncodedTrailers`: makes empty trailers, in a data callback at the end of the
    /// stream only. They are then passed on after the data, beginning with the next filter. Returns `false` if it is not
    /// the time.
    pub fn add_trailers(&self, direction: Direction) -> bool {
        self.stream.add_trailers(direction)
    }

    /// [`Self::add_trailers`] for the request.
    pub fn add_decoded_trailers(&self) -> bool {
        self.add_trailers(Direction::Request)
    }

    /// [`Self::add_trailers`] for the response.
    pub fn add_encoded_trailers(&self) -> bool {
        self.add_trailers(Direction::Response)
    }

    /// What this filter holds back of a body: Envoy's `decodingBuffer` and `modifyDecodingBuffer`, `encodingBuffer` and
    /// `modifyEncodingBuffer`. Nothing before any filter of the chain held something back.
    #[must_use]
    pub fn buffered(&self, direction: Direction) -> Option<RefMut<'_, BodyBuffer>> {
        self.stream.held(self.filter, direction)
    }

    /// The request changed in a way that may change its route.
    pub fn clear_route_cache(&self) {
        self.stream.clear_route_cache();
    }
}
