//! What the frames of a connection tell: bytes of each stream, and why the connection cannot go on.

use std::time::Instant;

use h2::Reason;
use sandgate_config::model::Http2Options;
use sandgate_filter::ByteMeter;
use sandgate_http::HeaderMap;

use super::constraints::{Constraints, Flood};
use super::frame_head::{FrameHead, kind};
use super::head_limits::{Refusal, VIOLATION};

/// The head of a frame counts, too.
const HEAD: u64 = 9;
/// Streams that are remembered at most. The `h2` crate closes connections with so many long before.
const MOST_STREAMS: usize = 1 << 16;

/// What one header block may have on the wire. Envoy stops at `max_request_headers_kb`, field by field; the `h2` crate gathers a whole
/// block first, and up to 16 MiB of it. What is within this limit is measured once it is decoded.
const LARGEST_BLOCK: usize = 1024 * 1024;

/// What one header block may have on the wire, if all of a head may have `kb` once it is decoded.
pub(crate) fn largest_block(kb: u32) -> usize {
    LARGEST_BLOCK.max((kb as usize).saturating_mul(2 * 1024))
}

/// Why a connection cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Flood(Flood),
    /// Streams that were reset.
    Resets,
    /// A header block without end.
    HeaderBlock,
    /// A request that is none, with Envoy's details.
    InvalidMessage(&'static str),
    /// Trailers that are none.
    InvalidTrailers(&'static str),
    /// Frames that are none: the client is told so, with a text for people.
    Broken(Reason, &'static str),
}

/// What a header block of a stream would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Head,
    Trailers,
    Nothing,
}

/// A stream that has begun and is not over.
#[derive(Debug)]
struct StreamFrames {
    id: u32,
    bytes: ByteMeter,
    /// The type of the last frame that came.
    last_received: u8,
    /// The request was handed out.
    accepted: bool,
    /// Its last frame is written.
    sent: bool,
    /// The error code with which the client reset it.
    reset: Option<u32>,
    /// The client has ended it.
    ended: bool,
    /// Its head is decoded.
    has_head: bool,
    head: Option<Result<HeaderMap, Refusal>>,
    trailers: Option<Result<HeaderMap, Refusal>>,
}

/// Everything that is counted.
#[derive(Debug)]
pub(super) struct Frames {
    limits: Limits,
    /// By id, which grows.
    streams: Vec<StreamFrames>,
    last_id: u32,
    constraints: Constraints,
    /// Bytes of the last header block so far.
    block: usize,
    resets: TokenBucket,
    pub(super) goaways_sent: u64,
    pub(super) resets_sent: u64,
    pub(super) refusals_sent: u64,
    pub(super) fault: Option<Fault>,
}

#[derive(Debug)]
struct Limits {
    block: usize,
    stream_errors: bool,
}

/// Tokens that come back over time.
#[derive(Debug)]
struct TokenBucket {
    tokens: u64,
    burst: u64,
    rate: u64,
    filled: Option<Instant>,
}

// === impl Frames ===

impl Frames {
    /// `max_headers_kb` is what a head may have once it is decoded.
    pub(super) fn new(options: &Http2Options, max_headers_kb: u32) -> Self {
        Self {
            limits: Limits {
                block: largest_block(max_headers_kb),
                stream_errors: options.stream_error_on_invalid_http_message,
            },
            streams: Vec::new(),
            last_id: 0,
            constraints: Constraints::new(options),
            block: 0,
            resets: TokenBucket {
                tokens: options.stream_reset_burst,
                burst: options.stream_reset_burst,
                rate: options.stream_reset_rate,
                filled: None,
            },
            goaways_sent: 0,
            resets_sent: 0,
            refusals_sent: 0,
            fault: None,
        }
    }

    /// The last stream that the peer has opened.
    pub(super) fn last_id(&self) -> u32 {
        self.last_id
    }

    /// Bytes of a stream so far.
    pub(super) fn bytes(&self, id: u32) -> ByteMeter {
        self.find(id).and_then(|at| self.streams.get(at)).map(|stream| stream.bytes).unwrap_or_default()
    }

    /// Whether the last frame of a stream is written, or nothing is known of it.
    pub(super) fn is_sent(&self, id: u32) -> bool {
        self.find(id).and_then(|at| self.streams.get(at)).is_none_or(|stream| stream.sent)
    }

    /// Whether what came last of a stream were headers.
    pub(super) fn ended_with_headers(&self, id: u32) -> bool {
        let stream = self.find(id).and_then(|at| self.streams.get(at));
        stream.is_some_and(|stream| matches!(stream.last_received, kind::HEADERS | kind::CONTINUATION))
    }

    /// The error code with which the client reset a stream, if it did.
    pub(super) fn reset(&self, id: u32) -> Option<u32> {
        self.find(id).and_then(|at| self.streams.get(at)).and_then(|stream| stream.reset)
    }

    /// Whether the last thing that came was a request that was not handed out.
    pub(super) fn has_unread_request(&self) -> bool {
        self.streams.last().is_some_and(|stream| !stream.accepted && stream.last_received != kind::DATA)
    }

    /// The request of a stream is handed out.
    pub(super) fn accept(&mut self, id: u32) {
        if let Some(stream) = self.stream(id) {
            stream.accepted = true;
        }
    }

    /// What a header block of this stream is.
    pub(super) fn expected(&self, id: u32) -> Expected {
        match self.find(id).and_then(|at| self.streams.get(at)) {
            Some(stream) if stream.ended || stream.reset.is_some() => Expected::Nothing,
            Some(stream) if stream.has_head => Expected::Trailers,
            Some(_) => Expected::Head,
            None => Expected::Nothing,
        }
    }

    /// The head of a stream, or why it is refused.
    pub(super) fn set_head(&mut self, id: u32, head: Result<HeaderMap, Refusal>, end_stream: bool) {
        if let Some(stream) = self.stream(id) {
            stream.ended = end_stream;
            stream.head = Some(head);
            stream.has_head = true;
        }
    }

    pub(super) fn take_head(&mut self, id: u32) -> Option<Result<HeaderMap, Refusal>> {
        self.stream(id).and_then(|stream| stream.head.take())
    }

    /// The trailers of a stream, or why they are refused.
    pub(super) fn set_trailers(&mut self, id: u32, trailers: Result<HeaderMap, Refusal>) {
        if let Some(stream) = self.stream(id) {
            stream.trailers = Some(trailers);
            stream.ended = true;
        }
    }

    pub(super) fn take_trailers(&mut self, id: u32) -> Option<Result<HeaderMap, Refusal>> {
        self.stream(id).and_then(|stream| stream.trailers.take())
    }

    /// The stream is over; its bytes.
    pub(super) fn forget(&mut self, id: u32) -> ByteMeter {
        self.find(id).map(|at| self.streams.remove(at).bytes).unwrap_or_default()
    }

    /// A frame comes in.
    pub(super) fn received(&mut self, head: FrameHead) {
        match head.kind {
            kind::DATA | kind::HEADERS | kind::CONTINUATION => self.received_message(head),
            kind::RST_STREAM if !self.resets.take() => {
                self.fault.get_or_insert(Fault::Resets);
            }
            _ => {}
        }
        if let Some(flood) = self.constraints.received(head) {
            self.fault.get_or_insert(Fault::Flood(flood));
        }
        if head.kind == kind::RST_STREAM
            && let Some(stream) = self.stream(head.stream)
        {
            stream.bytes.wire_received += head.len as u64 + HEAD;
            stream.reset = Some(head.code);
        }
    }

    fn received_message(&mut self, head: FrameHead) {
        if head.kind == kind::HEADERS && head.stream > self.last_id {
            self.last_id = head.stream;
            self.constraints.opened();
            if self.streams.len() < MOST_STREAMS {
                self.streams.push(StreamFrames {
                    id: head.stream,
                    bytes: ByteMeter::default(),
                    last_received: 0,
                    accepted: false,
                    sent: false,
                    reset: None,
                    ended: false,
                    has_head: false,
                    head: None,
                    trailers: None,
                });
            }
        }
        match head.kind {
            kind::HEADERS => self.block = head.len,
            kind::CONTINUATION => self.block += head.len,
            _ => {}
        }
        if self.block > self.limits.block {
            self.fault.get_or_insert(Fault::HeaderBlock);
        }
        if let Some(stream) = self.stream(head.stream) {
            stream.last_received = head.kind;
            // HEADERS may end the stream before what continues them.
            stream.ended |= head.kind == kind::DATA && head.ends_stream();
            // What continues a head is counted as part of it.
            let bytes = head.len as u64 + if head.kind == kind::CONTINUATION { 0 } else { HEAD };
            stream.bytes.wire_received += bytes;
            if head.kind != kind::DATA {
                stream.bytes.header_received += bytes;
            }
        }
    }

    /// All that went out is written.
    pub(super) fn written(&mut self) {
        self.constraints.written();
    }

    /// A frame goes out; whether it may.
    pub(super) fn sent(&mut self, head: FrameHead) -> bool {
        if let Some(flood) = self.constraints.sent(head) {
            self.fault.get_or_insert(Fault::Flood(flood));
            return false;
        }
        match head.kind {
            kind::DATA | kind::HEADERS | kind::CONTINUATION => {
                if let Some(stream) = self.stream(head.stream) {
                    let bytes = head.len as u64 + if head.kind == kind::CONTINUATION { 0 } else { HEAD };
                    stream.bytes.wire_sent += bytes;
                    if head.kind != kind::DATA {
                        stream.bytes.header_sent += bytes;
                    }
                    stream.sent |= head.ends_stream();
                }
            }
            kind::RST_STREAM => {
                if self.is_none(head) {
                    self.fault.get_or_insert(Fault::InvalidMessage(VIOLATION));
                    return false;
                }
                self.resets_sent += 1;
                let refused = head.code == u32::from(Reason::REFUSED_STREAM);
                self.refusals_sent += u64::from(refused);
                if let Some(stream) = self.stream(head.stream) {
                    stream.sent = true;
                    stream.bytes.wire_sent += head.len as u64 + HEAD;
                    // A request whose body already broke the rules is still to be handed out.
                    if !stream.accepted && (refused || stream.last_received != kind::DATA) {
                        self.forget(head.stream);
                    }
                }
            }
            kind::GOAWAY => self.goaways_sent += 1,
            _ => {}
        }
        true
    }

    /// Whether this RST_STREAM says that the `h2` crate found a request to be none: its only reason for that code before the
    /// request was handed out. Envoy ends the connection instead, unless told to end only the stream.
    fn is_none(&self, head: FrameHead) -> bool {
        let stream = self.find(head.stream).and_then(|at| self.streams.get(at));
        head.code == u32::from(Reason::PROTOCOL_ERROR)
            && !self.limits.stream_errors
            && stream.is_some_and(|stream| !stream.accepted && stream.last_received != kind::DATA)
    }

    fn find(&self, id: u32) -> Option<usize> {
        self.streams.binary_search_by_key(&id, |stream| stream.id).ok()
    }

    fn stream(&mut self, id: u32) -> Option<&mut StreamFrames> {
        self.find(id).and_then(|at| self.streams.get_mut(at))
    }
}

// === impl TokenBucket ===

impl TokenBucket {
    /// Takes one token, if there is one.
    fn take(&mut self) -> bool {
        if self.tokens == 0 {
            let now = Instant::now();
            let filled = *self.filled.get_or_insert(now);
            let seconds = now.saturating_duration_since(filled).as_secs();
            self.tokens = seconds.saturating_mul(self.rate).min(self.burst);
            if seconds > 0 {
                self.filled = Some(now);
            }
        } else if self.filled.is_none() {
            self.filled = Some(Instant::now());
        }
        match self.tokens.checked_sub(1) {
            Some(tokens) => {
                self.tokens = tokens;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(kind: u8, stream: u32, len: usize, flags: u8) -> FrameHead {
        FrameHead { len, kind, flags, stream, code: 0 }
    }

    fn frames() -> Frames {
        Frames::new(&Http2Options { stream_reset_burst: 3, stream_reset_rate: 0, ..Http2Options::default() }, 60)
    }

    #[test]
    fn bytes_are_counted_by_stream() {
        let mut frames = frames();
        frames.received(head(kind::HEADERS, 1, 20, 0));
        frames.received(head(kind::CONTINUATION, 1, 5, 4));
        frames.received(head(kind::HEADERS, 3, 7, 4));
        frames.received(head(kind::DATA, 1, 100, 1));
        frames.accept(1);
        assert!(frames.sent(head(kind::HEADERS, 1, 30, 4)) && !frames.is_sent(1));
        assert!(frames.sent(head(kind::DATA, 1, 3, 1)) && frames.is_sent(1));
        let expected = ByteMeter { wire_received: 143, wire_sent: 51, header_received: 34, header_sent: 39 };
        assert_eq!(frames.forget(1), expected);
        assert_eq!(frames.bytes(3).wire_received, 16);
        assert_eq!((frames.last_id(), frames.bytes(1)), (3, ByteMeter::default()));
    }

    #[test]
    fn floods_are_faults() {
        let fault = |kind, len, times| {
            let mut frames = frames();
            (0..times).for_each(|_| frames.received(head(kind, 1, len, 0)));
            frames.fault
        };
        assert_eq!(fault(kind::DATA, 0, 1), None);
        assert_eq!(fault(kind::DATA, 0, 2), Some(Fault::Flood(Flood::Empty)));
        assert_eq!(fault(kind::RST_STREAM, 4, 3), None);
        assert_eq!(fault(kind::RST_STREAM, 4, 4), Some(Fault::Resets));
    }

    #[test]
    fn a_request_that_is_none_ends_the_connection() {
        let reset = FrameHead { code: 1, ..head(kind::RST_STREAM, 1, 4, 0) };
        let mut refused = frames();
        refused.received(head(kind::HEADERS, 1, 20, 5));
        assert!(!refused.sent(reset) && refused.fault == Some(Fault::InvalidMessage(VIOLATION)));
        // One that was handed out, or whose body is at fault, is reset.
        let mut accepted = frames();
        accepted.received(head(kind::HEADERS, 1, 20, 5));
        accepted.accept(1);
        assert!(accepted.sent(reset) && accepted.fault.is_none());
        let mut body = frames();
        body.received(head(kind::HEADERS, 1, 20, 4));
        body.received(head(kind::DATA, 1, 20, 1));
        assert!(body.sent(reset) && body.fault.is_none());
    }
}
