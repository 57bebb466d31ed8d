//! What is known of the streams of a connection to an upstream: their bytes, and what of their responses is decoded.

use std::collections::VecDeque;

use sandgate_filter::ByteMeter;
use sandgate_http::HeaderMap;

use crate::http2::frame_head::{FrameHead, kind};
use crate::http2::head_limits::Refusal;
use crate::http2::response_head::{Asked, ReadHead};
use crate::stats::Http2CodecStats;

/// The head of a frame counts, too.
const HEAD: u64 = 9;

/// The streams that requests have.
#[derive(Debug, Default)]
pub(super) struct StreamFrames {
    /// By id, which grows; those that end are mostly near the front.
    streams: VecDeque<StreamFrame>,
}

/// One of them.
#[derive(Debug)]
struct StreamFrame {
    id: u32,
    asked: Asked,
    bytes: ByteMeter,
    /// Bytes of DATA, padding included.
    content: u64,
    /// The host has ended it.
    ended: bool,
    progress: Progress,
    /// The first 1xx response.
    informational: Option<HeaderMap>,
    head: Option<Result<HeaderMap, Refusal>>,
    trailers: Option<Result<HeaderMap, Refusal>>,
}

/// How many heads have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Nothing,
    Informational,
    Head,
}

/// What a header block of a stream would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Head(Asked),
    /// After so many bytes of content.
    Trailers(u64),
    /// Nobody waits for it.
    Nothing,
}

// === impl StreamFrames ===

impl StreamFrames {
    /// A request has this stream.
    pub(super) fn begin(&mut self, id: u32, asked: Asked) {
        self.streams.push_back(StreamFrame {
            id,
            asked,
            bytes: ByteMeter::default(),
            content: 0,
            ended: false,
            progress: Progress::Nothing,
            informational: None,
            head: None,
            trailers: None,
        });
    }

    /// And has it no more.
    pub(super) fn forget(&mut self, stream: u32) {
        if let Some(at) = self.find(stream) {
            self.streams.remove(at);
        }
    }

    pub(super) fn bytes(&self, stream: u32) -> ByteMeter {
        self.find(stream).and_then(|at| self.streams.get(at)).map(|stream| stream.bytes).unwrap_or_default()
    }

    /// What a header block of this stream is.
    pub(super) fn expected(&self, stream: u32) -> Expected {
        match self.find(stream).and_then(|at| self.streams.get(at)) {
            Some(stream) if stream.ended => Expected::Nothing,
            Some(StreamFrame { progress: Progress::Head, content, .. }) => Expected::Trailers(*content),
            Some(stream) => Expected::Head(stream.asked),
            None => Expected::Nothing,
        }
    }

    /// A head is decoded, or refused. Whether it is news: of several 1xx responses Envoy 1.40 knows the first.
    pub(super) fn set_head(&mut self, id: u32, head: Result<ReadHead, Refusal>, end_stream: bool) -> bool {
        let Some(stream) = self.stream(id) else { return true };
        stream.ended = end_stream;
        match head {
            Ok(head) if head.is_informational() => {
                let first = stream.progress == Progress::Nothing;
                stream.progress = Progress::Informational;
                if first {
                    stream.informational = Some(head.headers);
                }
                first
            }
            head => {
                stream.progress = Progress::Head;
                stream.head = Some(head.map(|head| head.headers));
                true
            }
        }
    }

    pub(super) fn take_informational(&mut self, id: u32) -> Option<HeaderMap> {
        self.stream(id).and_then(|stream| stream.informational.take())
    }

    pub(super) fn take_head(&mut self, id: u32) -> Option<Result<HeaderMap, Refusal>> {
        self.stream(id).and_then(|stream| stream.head.take())
    }

    /// The trailers of a stream, or why they are refused.
    pub(super) fn set_trailers(&mut self, id: u32, trailers: Result<HeaderMap, Refusal>) {
        if let Some(stream) = self.stream(id) {
            stream.ended = true;
            stream.trailers = Some(trailers);
        }
    }

    pub(super) fn take_trailers(&mut self, id: u32) -> Option<Result<HeaderMap, Refusal>> {
        self.stream(id).and_then(|stream| stream.trailers.take())
    }

    pub(super) fn sent(&mut self, head: FrameHead, stats: &Http2CodecStats) {
        match head.kind {
            kind::RST_STREAM => stats.tx_reset().inc(),
            kind::GOAWAY => stats.goaway_sent().inc(),
            kind::WINDOW_UPDATE => {
                if let Some(stream) = self.stream(head.stream) {
                    stream.bytes.wire_sent += head.len as u64 + HEAD;
                }
            }
            _ => {}
        }
        let Some((size, is_head)) = size(head) else { return };
        if let Some(StreamFrame { bytes, .. }) = self.stream(head.stream) {
            bytes.wire_sent += size;
            bytes.header_sent += if is_head { size } else { 0 };
        }
    }

    pub(super) fn received(&mut self, head: FrameHead, stats: &Http2CodecStats) {
        if head.kind == kind::RST_STREAM {
            stats.rx_reset().inc();
        }
        let Some((size, is_head)) = size(head) else { return };
        if let Some(stream) = self.stream(head.stream) {
            stream.bytes.wire_received += size;
            stream.bytes.header_received += if is_head { size } else { 0 };
            match head.kind {
                kind::DATA => {
                    stream.content += head.len as u64;
                    stream.ended |= head.ends_stream();
                }
                kind::RST_STREAM => stream.ended = true,
                _ => {}
            }
        }
    }

    fn find(&self, stream: u32) -> Option<usize> {
        self.streams.binary_search_by_key(&stream, |stream| stream.id).ok()
    }

    fn stream(&mut self, stream: u32) -> Option<&mut StreamFrame> {
        self.find(stream).and_then(|at| self.streams.get_mut(at))
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

#[cfg(test)]
mod tests {
    use sandgate_http::HeaderMapKind;

    use super::*;

    fn head(status: u16) -> ReadHead {
        let mut headers = HeaderMap::with_kind(HeaderMapKind::Response);
        headers.append(b":status", status.to_string().as_bytes());
        ReadHead { status, headers, content_length: None }
    }

    #[test]
    fn blocks_are_what_comes_next() {
        let mut frames = StreamFrames::default();
        assert_eq!(frames.expected(1), Expected::Nothing);
        frames.begin(1, Asked::Head);
        assert_eq!(frames.expected(1), Expected::Head(Asked::Head));
        assert!(frames.set_head(1, Ok(head(103)), false) && !frames.set_head(1, Ok(head(102)), false));
        assert_eq!(frames.expected(1), Expected::Head(Asked::Head));
        assert!(frames.set_head(1, Ok(head(200)), false));
        assert_eq!(frames.expected(1), Expected::Trailers(0));
        frames.set_trailers(1, Err(Refusal::TooMany));
        assert_eq!(frames.expected(1), Expected::Nothing);
        let status = |headers: Option<HeaderMap>| headers.and_then(|headers| headers.get(b":status").map(Vec::from));
        assert_eq!(status(frames.take_informational(1)), Some(b"103".to_vec()));
        assert_eq!(status(frames.take_head(1).and_then(Result::ok)), Some(b"200".to_vec()));
        assert_eq!((frames.take_head(1), frames.take_trailers(1)), (None, Some(Err(Refusal::TooMany))));
        frames.forget(1);
        assert_eq!(frames.expected(1), Expected::Nothing);
    }
}
