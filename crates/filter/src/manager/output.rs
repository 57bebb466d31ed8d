//! What comes out of the chain, until the pump takes it.

use std::collections::VecDeque;

use sandgate_http::{BodyBuffer, Direction, LocalReply};

use super::FilterManager;
use crate::{DecodeEvent, EncodeEvent};

/// Both queues. Body bytes in them count against the buffer limit, so that a slow sink pauses its source.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    decode: VecDeque<DecodeEvent>,
    encode: VecDeque<EncodeEvent>,
    decode_level: Level,
    encode_level: Level,
}

/// Bytes in a queue with a high and a low watermark.
#[derive(Debug, Default)]
struct Level {
    bytes: usize,
    above_high: bool,
}

/// For chains whose buffers have no limit: a queue is drained as fast as its sink, so a bound on it costs nothing.
const DEFAULT_QUEUE_LIMIT: usize = 1 << 20;

impl Outputs {
    pub(super) fn push_encode(&mut self, event: EncodeEvent) {
        self.encode.push_back(event);
    }

    /// How many events wait for the codec.
    pub(super) fn response_len(&self) -> usize {
        self.encode.len()
    }

    /// Whether the queue of this direction has room.
    pub(super) fn wants(&self, direction: Direction) -> bool {
        match direction {
            Direction::Request => !self.decode_level.above_high,
            Direction::Response => !self.encode_level.above_high,
        }
    }
}

impl Level {
    fn add(&mut self, bytes: usize, limit: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.above_high |= self.bytes > queue_limit(limit);
    }

    fn remove(&mut self, bytes: usize, limit: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
        self.above_high &= self.bytes > queue_limit(limit) / 2;
    }
}

fn queue_limit(limit: usize) -> usize {
    if limit == 0 { DEFAULT_QUEUE_LIMIT } else { limit }
}

impl FilterManager {
    /// The next event for the router.
    pub fn next_decode_event(&mut self) -> Option<DecodeEvent> {
        let event = self.outputs.decode.pop_front()?;
        if let DecodeEvent::Data { data, .. } = &event {
            self.outputs.decode_level.remove(data.len(), self.stream.buffer_limit());
        }
        Some(event)
    }

    /// The next event for the codec.
    pub fn next_encode_event(&mut self) -> Option<EncodeEvent> {
        let event = self.outputs.encode.pop_front()?;
        if let EncodeEvent::Data { data, .. } = &event {
            self.outputs.encode_level.remove(data.len(), self.stream.buffer_limit());
        }
        Some(event)
    }

    /// Of an attempt: what its filters answer to the client instead of the host, past the response filters of this chain. The
    /// attempt is over then.
    pub fn take_local_reply(&mut self) -> Option<LocalReply> {
        self.reply.take()
    }

    /// Whether the stream ends with [`EncodeEvent::Reset`], after what else waits: nobody need be given time to take that.
    #[must_use]
    pub fn ends_with_reset(&self) -> bool {
        matches!(self.outputs.encode.back(), Some(EncodeEvent::Reset))
    }

    pub(super) fn emit_headers(&mut self, direction: Direction, end_stream: bool) {
        self.lane_mut(direction).headers_sent = true;
        match direction {
            Direction::Request => self.outputs.decode.push_back(DecodeEvent::Headers { end_stream }),
            Direction::Response => {
                // A filter may have changed it on the way.
                if !self.stream.is_attempt() {
                    let code = self.stream.headers(direction).and_then(|headers| {
                        headers.get(b":status").and_then(|status| std::str::from_utf8(status).ok()?.parse().ok())
                    });
                    self.stream.info_mut().response_code = code;
                }
                self.outputs.encode.push_back(EncodeEvent::Headers { end_stream });
            }
        }
        self.emitted(direction, end_stream);
    }

    pub(super) fn emit_data(&mut self, direction: Direction, data: BodyBuffer, end_stream: bool) {
        // Only other chains want to hear of nothing.
        let for_chain = direction == Direction::Request || self.stream.is_attempt();
        if data.is_empty() && !end_stream && !for_chain {
            return;
        }
        let (bytes, limit) = (data.len(), self.stream.buffer_limit());
        match direction {
            Direction::Request => {
                self.outputs.decode_level.add(bytes, limit);
                self.outputs.decode.push_back(DecodeEvent::Data { data, end_stream });
            }
            Direction::Response => {
                if !self.stream.is_attempt() {
                    self.stream.info_mut().bytes_sent += bytes as u64;
                }
                self.outputs.encode_level.add(bytes, limit);
                self.outputs.encode.push_back(EncodeEvent::Data { data, end_stream });
            }
        }
        self.emitted(direction, end_stream);
    }

    pub(super) fn emit_trailers(&mut self, direction: Direction) {
        match direction {
            Direction::Request => self.outputs.decode.push_back(DecodeEvent::Trailers),
            Direction::Response => self.outputs.encode.push_back(EncodeEvent::Trailers),
        }
        self.emitted(direction, true);
    }

    /// Ends the stream without a word.
    pub(super) fn reset_now(&mut self) {
        if !self.response.complete {
            self.outputs.encode.push_back(EncodeEvent::Reset);
            self.emitted(Direction::Response, true);
        }
    }

    fn emitted(&mut self, direction: Direction, end_stream: bool) {
        if !end_stream {
            return;
        }
        self.lane_mut(direction).complete = true;
        if direction == Direction::Response {
            self.stream.over.set(true);
        }
    }
}
