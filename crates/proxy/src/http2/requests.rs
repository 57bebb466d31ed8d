//! What comes from a client: frames are counted, heads and trailers are decoded.

use h2::Reason;
use sandgate_http::HeaderMapKind;
use sandgate_http::hpack::Decoder;

use super::frame_head::{FrameHead, kind};
use super::frames::{Expected, Fault, Frames};
use super::head_limits::{HeadLimits, Refusal};
use super::inbound::{Block, Passed, Receiver, table_size};
use super::request_head::{ReadHead, RequestHead};
use super::trailers::Trailers;
use crate::hcm::Hcm;

/// What the `h2` crate gets for every head: GET, http, /.
const ANY_HEAD: &[u8] = &[0x82, 0x86, 0x84];
/// A `content-length` of its own, without its value.
const CONTENT_LENGTH: &[u8] = &[0x0f, 0x0d];
/// A block that the crate answers by resetting the stream.
const MALFORMED: &[u8] = b"\0\x0aconnection\x05close";

/// The decoder of a connection.
#[derive(Debug)]
pub(super) struct Requests {
    decoder: Decoder,
    limits: HeadLimits,
    table_size: usize,
    /// Messages that are none end only their stream.
    stream_errors: bool,
    /// A frame has come.
    begun: bool,
    /// What the client's decoder remembers, if it has just said so.
    client_table_size: Option<usize>,
}

/// The decoder, and what is known of the streams.
pub(super) struct Received<'a> {
    pub(super) requests: &'a mut Requests,
    pub(super) frames: &'a mut Frames,
}

// === impl Requests ===

impl Requests {
    pub(super) fn new(hcm: &Hcm) -> Self {
        let options = &hcm.config.http2;
        Self {
            decoder: Decoder::default(),
            limits: HeadLimits::new(options, hcm.config.max_request_headers_kb, hcm.config.max_headers_count),
            table_size: options.hpack_table_size as usize,
            stream_errors: options.stream_error_on_invalid_http_message,
            begun: false,
            client_table_size: None,
        }
    }

    /// What the client's decoder remembers, if it has said so since this was last asked.
    pub(super) fn take_table_size(&mut self) -> Option<usize> {
        self.client_table_size.take()
    }
}

// === impl Received ===

impl Received<'_> {
    fn fault(&mut self, fault: Fault) -> bool {
        self.frames.fault.get_or_insert(fault);
        false
    }

    fn decode(&mut self, block: &[u8], field: impl FnMut(&[u8], &[u8])) -> bool {
        match self.requests.decoder.decode(block, field) {
            Ok(()) => true,
            Err(error) => {
                log::debug!(target: "http2", "{error}");
                self.fault(Fault::Broken(Reason::COMPRESSION_ERROR, ""))
            }
        }
    }

    fn head(&mut self, block: &Block<'_>, instead: &mut Vec<u8>) -> bool {
        let mut head = RequestHead::new(self.requests.limits);
        if !self.decode(block.bytes, |name, value| head.field(name, value)) {
            return false;
        }
        let head = head.finish(block.end_stream);
        instead.extend_from_slice(ANY_HEAD);
        match &head {
            Err(Refusal::Invalid(details)) if !self.requests.stream_errors => {
                return self.fault(Fault::InvalidMessage(details));
            }
            Ok(ReadHead { content_length: Some(length), .. }) => {
                let digits = length.to_string();
                instead.extend_from_slice(CONTENT_LENGTH);
                instead.push(digits.len() as u8);
                instead.extend_from_slice(digits.as_bytes());
            }
            _ => {}
        }
        self.frames.set_head(block.stream, head.map(|head| head.headers), block.end_stream);
        true
    }

    fn trailers(&mut self, block: &Block<'_>, instead: &mut Vec<u8>) -> bool {
        let mut trailers = Trailers::new(self.requests.limits, HeaderMapKind::Plain);
        if !self.decode(block.bytes, |name, value| trailers.field(name, value)) {
            return false;
        }
        let trailers = trailers.finish(block.end_stream, None);
        match &trailers {
            Err(Refusal::Invalid(details)) if !self.requests.stream_errors => {
                return self.fault(Fault::InvalidTrailers(details));
            }
            Err(Refusal::Invalid(_)) => instead.extend_from_slice(MALFORMED),
            Err(Refusal::FieldTooLarge) => return self.fault(Fault::Broken(Reason::COMPRESSION_ERROR, "")),
            _ => {}
        }
        self.frames.set_trailers(block.stream, trailers);
        true
    }
}

impl Receiver for Received<'_> {
    fn frame(&mut self, head: FrameHead) -> bool {
        if !std::mem::replace(&mut self.requests.begun, true) && (head.kind != kind::SETTINGS || head.flags & 1 != 0) {
            return self.fault(Fault::Broken(Reason::PROTOCOL_ERROR, "SETTINGS expected"));
        }
        self.frames.received(head);
        self.frames.fault.is_none()
    }

    fn block(&mut self, block: &Block<'_>, instead: &mut Vec<u8>) -> Passed {
        let goes_on = match self.frames.expected(block.stream) {
            Expected::Head => self.head(block, instead),
            Expected::Trailers => self.trailers(block, instead),
            Expected::Nothing => {
                // The crate decides what becomes of such a frame.
                instead.extend_from_slice(ANY_HEAD);
                self.decode(block.bytes, |_, _| {})
            }
        };
        if goes_on { Passed::Replaced } else { Passed::Stopped }
    }

    fn settings(&mut self, settings: Option<&[u8]>) {
        match settings {
            None => self.requests.decoder.set_limit(self.requests.table_size),
            Some(settings) => {
                self.requests.client_table_size = table_size(settings).or(self.requests.client_table_size)
            }
        }
    }
}
