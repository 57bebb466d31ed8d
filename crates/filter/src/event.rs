//! What comes out at the two ends of a filter chain.

use sandgate_http::{BodyBuffer, HeaderMap};

/// For the router: what the decoder filters let through. Headers and trailers are in the stream.
#[derive(Debug)]
pub enum DecodeEvent {
    /// The request headers may go.
    Headers {
        /// No body and no trailers follow.
        end_stream: bool,
    },
    /// A piece of body.
    Data {
        /// May be empty, to carry the end.
        data: BodyBuffer,
        /// No more body and no trailers follow.
        end_stream: bool,
    },
    /// The request trailers may go; the end.
    Trailers,
}

/// For the downstream codec: what the encoder filters let through. Headers and trailers are in the stream.
#[derive(Debug)]
pub enum EncodeEvent {
    /// A 1xx response, which is not the last word.
    Informational(HeaderMap),
    /// The response headers may go.
    Headers {
        /// No body and no trailers follow.
        end_stream: bool,
    },
    /// A piece of body.
    Data {
        /// May be empty, to carry the end.
        data: BodyBuffer,
        /// No more body and no trailers follow.
        end_stream: bool,
    },
    /// The response trailers may go; the end.
    Trailers,
    /// The stream is to be reset (on HTTP/1: the connection closed); nothing follows. Why is in the stream's response
    /// code details.
    Reset,
}
