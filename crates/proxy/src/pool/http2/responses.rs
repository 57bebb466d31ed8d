//! What comes from a host: frames are counted, heads and trailers are decoded.

use sandgate_config::model::UpstreamHttpOptions;
use sandgate_http::HeaderMapKind;
use sandgate_http::hpack::Decoder;

use super::frames::{Expected, StreamFrames};
use crate::http2::constraints::{Constraints, Flood};
use crate::http2::frame_head::{FrameHead, kind};
use crate::http2::frames::largest_block;
use crate::http2::head_limits::{HeadLimits, Refusal};
use crate::http2::inbound::{Block, Passed, Receiver, table_size};
use crate::http2::response_head::{Asked, ResponseHead};
use crate::http2::trailers::Trailers;
use crate::stats::Http2CodecStats;

/// A status without its value.
const STATUS: &[u8] = &[0x08, 3];
/// The head of a stream that nobody knows.
const ANY_HEAD: &[u8] = &[0x88];
/// A `content-length` of its own, without its value.
const CONTENT_LENGTH: &[u8] = &[0x0f, 0x0d];
/// A block that the `h2` crate answers by resetting the stream.
const MALFORMED: &[u8] = b"\0\x0aconnection\x05close";

/// Why a connection cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A message that is none, with Envoy's details.
    Message(&'static str),
    Flood(Flood),
    /// Frames that are none, with a reason.
    Frames(&'static str),
}

/// The decoder of a connection.
#[derive(Debug)]
pub(super) struct Responses {
    decoder: Decoder,
    limits: HeadLimits,
    constraints: Constraints,
    /// Messages that are none end only their stream.
    stream_errors: bool,
    /// What the host may refer to, once it has acknowledged that.
    table_size: usize,
    /// A frame has come.
    begun: bool,
    /// Bytes of the last header block so far, and how many there may be.
    block: usize,
    most_block: usize,
    pub(super) fault: Option<Fault>,
    /// What the host's decoder remembers, if it has just said so.
    host_table_size: Option<usize>,
}

/// The decoder, and what is known of the streams.
pub(super) struct Received<'a> {
    pub(super) responses: &'a mut Responses,
    pub(super) frames: &'a mut StreamFrames,
    pub(super) stats: &'a Http2CodecStats,
}

// === impl Responses ===

impl Responses {
    pub(super) fn new(options: &UpstreamHttpOptions) -> Self {
        let http2 = &options.http2;
        Self {
            decoder: Decoder::default(),
            limits: HeadLimits::new(http2, options.max_response_headers_kb, options.max_headers_count),
            constraints: Constraints::new(http2),
            stream_errors: http2.stream_error_on_invalid_http_message,
            table_size: http2.hpack_table_size as usize,
            begun: false,
            block: 0,
            most_block: largest_block(options.max_response_headers_kb),
            fault: None,
            host_table_size: None,
        }
    }

    /// A stream is opened.
    pub(super) fn opened(&mut self) {
        self.constraints.opened();
    }

    /// A frame goes out. A host that does not take answers is not read from: that is the only limit to them.
    pub(super) fn sent(&mut self, head: FrameHead) {
        let _ = self.constraints.sent(head);
    }

    /// What the host's decoder remembers, if it has said so since this was last asked.
    pub(super) fn take_table_size(&mut self) -> Option<usize> {
        self.host_table_size.take()
    }
}

// === impl Received ===

impl Received<'_> {
    fn fault(&mut self, fault: Fault) -> Passed {
        self.responses.fault.get_or_insert(fault);
        Passed::Stopped
    }

    fn decode(&mut self, block: &[u8], field: impl FnMut(&[u8], &[u8])) -> Result<(), Passed> {
        let decoded = self.responses.decoder.decode(block, field);
        decoded.map_err(|error| {
            log::debug!(target: "http2", "{error}");
            self.fault(Fault::Frames("a header block is none"))
        })
    }

    fn head(&mut self, block: &Block<'_>, asked: Asked, instead: &mut Vec<u8>) -> Result<Passed, Passed> {
        let mut head = ResponseHead::new(self.responses.limits, asked);
        self.decode(block.bytes, |name, value| head.field(name, value))?;
        let head = head.finish(block.end_stream);
        match &head {
            Ok(head) => {
                instead.extend_from_slice(STATUS);
                instead.extend_from_slice(head.headers.get(b":status").unwrap_or_default());
                if let Some(length) = head.content_length {
                    let digits = length.to_string();
                    instead.extend_from_slice(CONTENT_LENGTH);
                    instead.push(digits.len() as u8);
                    instead.extend_from_slice(digits.as_bytes());
                }
            }
            Err(refusal) => self.refused(*refusal, ANY_HEAD, instead)?,
        }
        let news = self.frames.set_head(block.stream, head, block.end_stream);
        Ok(if news { Passed::Replaced } else { Passed::Swallowed })
    }

    fn trailers(&mut self, block: &Block<'_>, content: u64, instead: &mut Vec<u8>) -> Result<Passed, Passed> {
        let mut trailers = Trailers::new(self.responses.limits, HeaderMapKind::Response);
        self.decode(block.bytes, |name, value| trailers.field(name, value))?;
        let trailers = trailers.finish(block.end_stream, Some(content));
        if let Err(refusal) = trailers {
            self.refused(refusal, &[], instead)?;
        }
        self.frames.set_trailers(block.stream, trailers);
        Ok(Passed::Replaced)
    }

    /// What the crate gets for what is refused: `any`, if who waits for it is to act on that.
    fn refused(&mut self, refusal: Refusal, any: &[u8], instead: &mut Vec<u8>) -> Result<(), Passed> {
        match refusal {
            Refusal::Invalid(details) if !self.responses.stream_errors => {
                return Err(self.fault(Fault::Message(details)));
            }
            Refusal::Invalid(_) => {
                self.stats.rx_messaging_error().inc();
                instead.extend_from_slice(MALFORMED);
            }
            Refusal::FieldTooLarge => return Err(self.fault(Fault::Frames("a field is too large"))),
            Refusal::TooMany => {
                self.stats.header_overflow().inc();
                instead.extend_from_slice(any);
            }
            Refusal::TooLarge | Refusal::Underscore => instead.extend_from_slice(any),
        }
        Ok(())
    }
}

impl Receiver for Received<'_> {
    fn frame(&mut self, head: FrameHead) -> bool {
        let responses = &mut *self.responses;
        let first = !std::mem::replace(&mut responses.begun, true);
        match head.kind {
            kind::HEADERS => responses.block = head.len,
            kind::CONTINUATION => responses.block += head.len,
            _ => {}
        }
        let fault = if first && (head.kind != kind::SETTINGS || head.flags & 1 != 0) {
            Some(Fault::Frames("SETTINGS expected"))
        } else if responses.block > responses.most_block {
            Some(Fault::Frames("a header block is too large"))
        } else {
            responses.constraints.received(head).map(Fault::Flood)
        };
        self.frames.received(head, self.stats);
        responses.fault = responses.fault.or(fault);
        responses.fault.is_none()
    }

    fn block(&mut self, block: &Block<'_>, instead: &mut Vec<u8>) -> Passed {
        let passed = match self.frames.expected(block.stream) {
            Expected::Head(asked) => self.head(block, asked, instead),
            Expected::Trailers(content) => self.trailers(block, content, instead),
            // The crate decides what becomes of such a frame.
            Expected::Nothing => self.decode(block.bytes, |_, _| {}).map(|()| {
                instead.extend_from_slice(ANY_HEAD);
                Passed::Replaced
            }),
        };
        passed.unwrap_or_else(|stopped| stopped)
    }

    fn settings(&mut self, settings: Option<&[u8]>) {
        match settings {
            None => self.responses.decoder.set_limit(self.responses.table_size),
            Some(settings) => {
                self.responses.host_table_size = table_size(settings).or(self.responses.host_table_size);
            }
        }
    }
}
