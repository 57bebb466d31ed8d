//! The request as far as it has come: what waits for its connection.

use sandgate_http::BodyBuffer;

use crate::router::tunnel::Tunnel;

/// What there is of the request. Headers and trailers are in the stream.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// Body that no connection has taken yet.
    pub(super) body: BodyBuffer,
    /// The headers may be sent: the filters in front of the host have let them through.
    pub(super) ready: bool,
    pub(super) end: RequestEnd,
    /// The headers came with the end of the request. Framing follows from that, as in Envoy, and not from a body that
    /// turns out to be empty before there is a connection.
    pub(super) headers_only: bool,
    /// What the request becomes.
    pub(super) tunnel: Tunnel,
    /// The host has yet to agree to that: nothing but the headers may be sent.
    pub(super) paused: bool,
}

/// How the request ends, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RequestEnd {
    NotYet,
    /// After the body.
    Body,
    /// After the trailers that are in the stream.
    Trailers,
    /// Handed to the encoder.
    Encoded,
}

// === impl Outgoing ===

impl Outgoing {
    pub(super) fn new() -> Self {
        Self {
            body: BodyBuffer::new(),
            ready: true,
            end: RequestEnd::NotYet,
            headers_only: false,
            tunnel: Tunnel::No,
            paused: false,
        }
    }

    /// Whether a host that answers so has refused a WebSocket without an error. Such an answer ends the attempt: its filters
    /// do not see it (observed in Envoy 1.40).
    pub(super) fn is_refused(&self, status: u16) -> bool {
        self.tunnel == Tunnel::WebSocket && self.paused && status < 400
    }

    /// Whether an exchange has taken all of it.
    pub(super) fn is_encoded(&self) -> bool {
        self.end == RequestEnd::Encoded
    }
}
