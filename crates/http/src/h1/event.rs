//! What the decoders report.

use bytes::Bytes;

use crate::HeaderMap;

/// One step of a message. Exactly one event ends a message: `Head` with `end_stream`, `Trailers`, or `End`.
#[derive(Debug)]
pub enum Event<H> {
    /// The first line and the headers.
    Head(H),
    /// A piece of the body, never empty. Envoy hands all pieces of one read to filters as one: do so too.
    Data(Bytes),
    /// Trailers (only if enabled and at least one came): the message is complete.
    Trailers(HeaderMap),
    /// The message is complete.
    End,
}

/// The protocol version of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
}

impl Version {
    /// Of `HTTP/` and two digits with a dot. Everything but 1.1 counts as 1.0, as in Envoy.
    pub(super) fn parse(word: &[u8]) -> Option<Self> {
        match word.strip_prefix(b"HTTP/")? {
            b"1.1" => Some(Self::Http11),
            [major, b'.', minor] if major.is_ascii_digit() && minor.is_ascii_digit() => Some(Self::Http10),
            _ => None,
        }
    }
}

/// A request as far as its headers.
#[derive(Debug)]
pub struct RequestHead {
    /// `:authority`, `:path`, `:method` (and `:scheme` if the target was absolute) first, in Envoy's order.
    /// `:scheme` is otherwise for the connection manager to add.
    pub headers: HeaderMap,
    /// No body follows, and no further event of this request.
    pub end_stream: bool,
    /// The version on the request line.
    pub version: Version,
    /// The connection may serve another request after this one, as far as the client is concerned.
    pub keep_alive: bool,
    /// `Expect: 100-continue`: the client waits for [`encode_continue`](super::encode_continue) (the codec removes nothing).
    pub expect_continue: bool,
    /// `Upgrade` with `Connection: upgrade`, or `CONNECT`: every following byte of the connection is body, without framing.
    pub upgrade: bool,
    /// What Envoy counts as bytes of the header lines.
    pub header_bytes: u64,
}

/// A response as far as its headers.
#[derive(Debug)]
pub struct ResponseHead {
    /// `:status` first.
    pub headers: HeaderMap,
    /// The status code, 100 to 999. 1xx heads (other than 101) come before the final one and have no end.
    pub status: u16,
    /// No body follows, and no further event of this response.
    pub end_stream: bool,
    /// The version on the status line.
    pub version: Version,
    /// The connection may be used again after this response.
    pub keep_alive: bool,
    /// The headers, or HTTP/1.0 by its silence, said that the connection ends with this response.
    pub announces_close: bool,
    /// An upgrade that was asked for (whatever the status), or a 2xx to CONNECT: every following byte of the connection is body, without framing.
    pub upgrade: bool,
    /// What Envoy counts as bytes of the header lines.
    pub header_bytes: u64,
}

impl ResponseHead {
    /// Whether this is an interim response: another head follows.
    #[must_use]
    pub fn is_informational(&self) -> bool {
        self.status < 200 && self.status != 101
    }
}
