//! The trait of a filter.

use sandgate_http::{BodyBuffer, DataStatus, HeaderMap, HeadersStatus, TrailersStatus};

use crate::FilterCallbacks;

/// What a filter answers to a 1xx response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Informational {
    /// Go on to the next filter.
    Continue,
    /// Hold it until the filter continues encoding.
    StopIteration,
}

/// One filter of one stream: Envoy's `StreamFilter`.
///
/// Headers and trailers are read and changed through [`FilterCallbacks::stream`]; no borrow of them may outlive the
/// callback. The body piece is passed, since what is buffered is the whole chain's. Everything has a default that lets
/// the stream pass.
#[expect(unused_variables, reason = "defaults let everything pass")]
pub trait HttpFilter {
    /// The filter's name in the configuration.
    fn name(&self) -> &str;

    /// The chain has been made; called for each filter in its order, before anything else. What is asked for here is done
    /// with the chain's first event.
    fn on_created(&mut self, callbacks: &FilterCallbacks) {}

    /// Request headers. Called at most once.
    fn decode_headers(&mut self, callbacks: &FilterCallbacks, end_stream: bool) -> HeadersStatus {
        HeadersStatus::Continue
    }

    /// A piece of the request's body; what the filter leaves in `data` is what passes or is kept.
    fn decode_data(&mut self, callbacks: &FilterCallbacks, data: &mut BodyBuffer, end_stream: bool) -> DataStatus {
        DataStatus::Continue
    }

    /// Request trailers. Called at most once.
    fn decode_trailers(&mut self, callbacks: &FilterCallbacks) -> TrailersStatus {
        TrailersStatus::Continue
    }

    /// A 1xx response.
    fn encode_1xx(&mut self, callbacks: &FilterCallbacks, headers: &mut HeaderMap) -> Informational {
        Informational::Continue
    }

    /// Response headers. Called at most once; not at all for a reply that goes directly to the codec.
    fn encode_headers(&mut self, callbacks: &FilterCallbacks, end_stream: bool) -> HeadersStatus {
        HeadersStatus::Continue
    }

    /// A piece of the response's body.
    fn encode_data(&mut self, callbacks: &FilterCallbacks, data: &mut BodyBuffer, end_stream: bool) -> DataStatus {
        DataStatus::Continue
    }

    /// Response trailers. Called at most once.
    fn encode_trailers(&mut self, callbacks: &FilterCallbacks) -> TrailersStatus {
        TrailersStatus::Continue
    }

    /// The stream is over; everything known of it can be read. Before [`HttpFilter::on_destroy`], once.
    fn on_log(&mut self, callbacks: &FilterCallbacks) {}

    /// The last call.
    fn on_destroy(&mut self, callbacks: &FilterCallbacks) {}
}
