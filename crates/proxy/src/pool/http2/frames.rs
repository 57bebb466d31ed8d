//! What the frames of a connection to an upstream tell: the bytes of each stream.

use std::collections::VecDeque;

use sandgate_filter::ByteMeter;

use crate::http2::scanner::{FrameHead, kind};
use crate::stats::Http2CodecStats;

/// The head of a frame counts, too.
const HEAD: u64 = 9;

/// Bytes of the streams that requests have.
#[derive(Debug, Default)]
pub(super) struct StreamFrames {
    /// By id, which grows; those that end are mostly near the front.
    streams: VecDeque<(u32, ByteMeter)>,
}

// === impl StreamFrames ===

impl StreamFrames {
    /// A request has this stream.
    pub(super) fn begin(&mut self, stream: u32) {
        self.streams.push_back((stream, ByteMeter::default()));
    }

    /// And has it no more.
    pub(super) fn forget(&mut self, stream: u32) {
        if let Some(at) = self.find(stream) {
            self.streams.remove(at);
        }
    }

    pub(super) fn bytes(&self, stream: u32) -> ByteMeter {
        self.find(stream).and_then(|at| self.streams.get(at)).map(|(_, bytes)| *bytes).unwrap_or_default()
    }

    pub(super) fn sent(&mut self, head: FrameHead, stats: &Http2CodecStats) {
        match head.kind {
            kind::RST_STREAM => stats.tx_reset().inc(),
            kind::GOAWAY => stats.goaway_sent().inc(),
            kind::WINDOW_UPDATE => {
                if let Some(bytes) = self.stream(head.stream) {
                    bytes.wire_sent += head.len as u64 + HEAD;
                }
            }
            _ => {}
        }
        let Some((size, is_head)) = size(head) else { return };
        if let Some(bytes) = self.stream(head.stream) {
            bytes.wire_sent += size;
            bytes.header_sent += if is_head { size } else { 0 };
        }
    }

    pub(super) fn received(&mut self, head: FrameHead, stats: &Http2CodecStats) {
        if head.kind == kind::RST_STREAM {
            stats.rx_reset().inc();
        }
        let Some((size, is_head)) = size(head) else { return };
        if let Some(bytes) = self.stream(head.stream) {
            bytes.wire_received += size;
            bytes.header_received += if is_head { size } else { 0 };
        }
    }

    fn find(&self, stream: u32) -> Option<usize> {
        self.streams.binary_search_by_key(&stream, |(id, _)| *id).ok()
    }

    fn stream(&mut self, stream: u32) -> Option<&mut ByteMeter> {
        self.find(stream).and_then(|at| self.streams.get_mut(at)).map(|(_, bytes)| bytes)
    }
}

/// Bytes that Envoy 1.40 counts for a stream, and whether they are of headers.
fn size(head: FrameHead) -> Option<(u64, bool)> {
    match head.kind {
        kind::HEADERS => Some((head.len as u64 + HEAD, true)),
        // What continues a head is counted as part of it.
        kind::CONTINUATION => Some((head.len as u64, true)),
        kind::DATA | kind::RST_STREAM => Some((head.len as u64 + HEAD, false)),
        _ => None,
    }
}
