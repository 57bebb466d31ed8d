//! What the `h2` crate writes on its way to the peer: its header blocks are replaced by ones that are encoded here.
//!
//! So fields keep their order, whatever their names, and paths their bytes.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::task::Poll;

use bytes::{Buf as _, BytesMut};
use sandgate_http::HeaderMap;
use sandgate_http::hpack::Encoder;

use super::field_rules::is_sent;
use super::frame_head::{FrameHead, HEAD, MOST, kind};

/// Payloads up to this size are copied beside what else is written.
const COPIED: usize = 4096;
/// So much waits for a flush at most. The `h2` crate hands over each DATA frame by itself: with many streams on a connection a call of the
/// system for each would cost more than anything else.
const MOST_READY: usize = 32 * 1024;

thread_local! {
    /// What connections of this thread gather in, in turn: one that waits for nothing needs no memory.
    static SHARED: RefCell<BytesMut> = RefCell::default();
}
/// The largest frame that every peer takes.
const MAX_FRAME: usize = 16384;

/// `SETTINGS_ENABLE_CONNECT_PROTOCOL` (RFC 8441 §3), 0.
const NO_CONNECT: [u8; 6] = [0, 8, 0, 0, 0, 0];

const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

/// The bytes of one connection.
#[derive(Debug)]
pub(crate) struct Outbound {
    encoder: Encoder,
    /// Header blocks by stream, those of one stream in their order.
    blocks: VecDeque<(u32, HeaderMap)>,
    /// Streams that were given up, but may still be opened: until one after them is.
    abandoned: Vec<u32>,
    /// The last stream of which HEADERS were written.
    opened: u32,
    head: [u8; MOST],
    filled: usize,
    /// What is left of the payload of the frame that is being written.
    left: usize,
    /// That payload is not written.
    replaced: bool,
    /// What is to be written before anything else.
    ready: BytesMut,
    block: Vec<u8>,
    /// The SETTINGS are still to say that there is no extended CONNECT.
    disowns_connect: bool,
    /// What is left of the SETTINGS that say so behind their first setting, where Envoy does.
    settings: Option<usize>,
    /// Nothing more is written.
    cut: bool,
}

// === impl Outbound ===

impl Outbound {
    /// The first `skip` bytes are no frames.
    pub(crate) fn new(skip: usize) -> Self {
        Self {
            encoder: Encoder::default(),
            blocks: VecDeque::new(),
            abandoned: Vec::new(),
            opened: 0,
            head: [0; MOST],
            filled: 0,
            left: skip,
            replaced: false,
            ready: BytesMut::new(),
            block: Vec::new(),
            disowns_connect: false,
            settings: None,
            cut: false,
        }
    }

    /// Makes the first SETTINGS say that there is no extended CONNECT, as Envoy's do: the `h2` crate does not say so.
    pub(crate) fn disown_connect(mut self) -> Self {
        self.disowns_connect = true;
        self
    }

    /// The next HEADERS of the stream have these fields.
    pub(crate) fn queue(&mut self, stream: u32, fields: HeaderMap) {
        self.blocks.push_back((stream, fields));
    }

    /// The stream sends nothing more.
    pub(crate) fn forget(&mut self, stream: u32) {
        self.blocks.retain(|(other, _)| *other != stream);
    }

    /// The stream is given up by us, who opened it or are about to.
    pub(crate) fn abandon(&mut self, stream: u32) {
        if stream <= self.opened {
            self.forget(stream);
        } else if self.blocks.iter().any(|(other, _)| *other == stream) {
            self.abandoned.push(stream);
        }
    }

    /// What the peer remembers of header blocks.
    pub(crate) fn set_table_size(&mut self, size: usize) {
        self.encoder.set_limit(size);
    }

    /// Whether a frame may be put in now.
    pub(crate) fn at_boundary(&self) -> bool {
        self.filled == 0 && self.left == 0 && self.settings.is_none() && !self.cut
    }

    /// Writes a frame of our own [between others](Self::at_boundary).
    pub(crate) fn put(&mut self, frame: &[u8]) {
        self.make_room();
        self.ready.extend_from_slice(frame);
    }

    fn make_room(&mut self) {
        if self.ready.capacity() == 0 {
            self.ready = SHARED.take();
        }
    }

    /// Writes what was taken before. `write` writes some of its pieces.
    pub(crate) fn poll_flush(
        &mut self,
        mut write: impl FnMut(&[IoSlice<'_>]) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<()>> {
        while !self.ready.is_empty() {
            match write(&[IoSlice::new(&self.ready)]) {
                Poll::Ready(Ok(count)) => self.ready.advance(count.min(self.ready.len())),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        if self.ready.capacity() > 0 {
            SHARED.set(std::mem::take(&mut self.ready));
        }
        Poll::Ready(Ok(()))
    }

    /// Takes some of `pieces`, to be written [later](Self::poll_flush) unless that is much. `frame` is told of every frame; if it does not want it, nothing is
    /// written any more.
    pub(crate) fn poll_write(
        &mut self,
        pieces: &[&[u8]],
        mut frame: impl FnMut(FrameHead) -> bool,
        mut write: impl FnMut(&[IoSlice<'_>]) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if self.ready.len() >= MOST_READY {
            match self.poll_flush(&mut write) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        self.make_room();
        let mut taken = 0;
        let mut large: &[u8] = &[];
        for piece in pieces {
            let mut rest = *piece;
            while !rest.is_empty() && !self.cut {
                if self.left == 0 {
                    rest = self.take_head(rest, &mut frame);
                    continue;
                }
                let (now, later) = rest.split_at(self.left.min(rest.len()));
                if !self.replaced && now.len() > COPIED {
                    taken += piece.len() - rest.len();
                    large = now;
                    break;
                }
                if !self.replaced {
                    self.ready.extend_from_slice(now);
                }
                self.left -= now.len();
                rest = later;
            }
            if !large.is_empty() {
                break;
            }
            taken += piece.len();
        }
        let written = match (large.is_empty(), self.ready.is_empty()) {
            (true, _) if self.ready.len() < MOST_READY => return Poll::Ready(Ok(taken)),
            (true, _) => write(&[IoSlice::new(&self.ready)]),
            (false, true) => write(&[IoSlice::new(large)]),
            (false, false) => write(&[IoSlice::new(&self.ready), IoSlice::new(large)]),
        };
        match written {
            Poll::Ready(Ok(count)) => {
                let own = count.min(self.ready.len());
                self.ready.advance(own);
                let more = (count - own).min(large.len());
                self.left -= more;
                Poll::Ready(Ok(taken + more))
            }
            // What is ready is written before anything else.
            Poll::Pending if taken > 0 => Poll::Ready(Ok(taken)),
            other => other,
        }
    }

    /// Takes what of `bytes` belongs to the head of a frame; what is left of them.
    fn take_head<'a>(&mut self, bytes: &'a [u8], frame: &mut impl FnMut(FrameHead) -> bool) -> &'a [u8] {
        if let Some(rest) = self.settings.take() {
            self.ready.extend_from_slice(&NO_CONNECT);
            self.left = rest;
            return bytes;
        }
        let wanted = FrameHead::wanted(&self.head, self.filled);
        let (now, later) = bytes.split_at((wanted - self.filled).min(bytes.len()));
        if let Some(room) = self.head.get_mut(self.filled..self.filled + now.len()) {
            room.copy_from_slice(now);
        }
        self.filled += now.len();
        if self.filled < FrameHead::wanted(&self.head, self.filled) {
            return later;
        }
        let mut head = FrameHead::parse(&self.head, self.filled);
        self.left = head.len - (self.filled - HEAD).min(head.len);
        self.replaced = head.kind == kind::HEADERS;
        if self.replaced {
            self.encode(head.stream);
            head.len = self.block.len();
        }
        if frame(head) {
            if self.replaced {
                self.put_block(head);
            } else if self.disowns_connect && head.kind == kind::SETTINGS && head.len >= NO_CONNECT.len() {
                self.disowns_connect = false;
                let longer = FrameHead { len: head.len + NO_CONNECT.len(), ..head };
                self.ready.extend_from_slice(&longer.to_bytes());
                self.settings = Some(self.left - NO_CONNECT.len());
                self.left = NO_CONNECT.len();
            } else {
                self.ready.extend_from_slice(self.head.get(..self.filled).unwrap_or_default());
            }
        } else {
            self.cut = true;
        }
        self.filled = 0;
        later
    }

    /// Makes the next block of this stream.
    fn encode(&mut self, stream: u32) {
        self.block.clear();
        self.opened = self.opened.max(stream);
        while let Some(at) = self.abandoned.iter().position(|other| *other < self.opened) {
            let gone = self.abandoned.swap_remove(at);
            self.forget(gone);
        }
        let at = self.blocks.iter().position(|(other, _)| *other == stream);
        if let Some((_, fields)) = at.and_then(|at| self.blocks.remove(at)) {
            let sent = fields.iter().filter(|(name, value)| is_sent(name, value));
            self.encoder.encode(sent, &mut self.block);
        }
    }

    /// Writes the block in as many frames as it needs.
    fn put_block(&mut self, head: FrameHead) {
        let mut rest = self.block.as_slice();
        let mut next = FrameHead { flags: head.flags & END_STREAM, ..head };
        loop {
            let (now, later) = rest.split_at(rest.len().min(MAX_FRAME));
            rest = later;
            next.len = now.len();
            next.flags |= if rest.is_empty() { END_HEADERS } else { 0 };
            self.ready.extend_from_slice(&next.to_bytes());
            self.ready.extend_from_slice(now);
            if rest.is_empty() {
                return;
            }
            next = FrameHead { kind: kind::CONTINUATION, flags: 0, ..next };
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use sandgate_http::HeaderMapKind;
    use sandgate_http::hpack::Decoder;

    use super::*;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = FrameHead { len: payload.len(), kind, flags, stream, code: 0 }.to_bytes().to_vec();
        bytes.extend_from_slice(payload);
        bytes
    }

    fn fields(fields: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::with_kind(HeaderMapKind::Plain);
        fields.iter().for_each(|(name, value)| map.append(name.as_bytes(), value.as_bytes()));
        map
    }

    /// What a socket gets that takes `room` bytes at a time, every other time.
    fn written(outbound: &mut Outbound, input: &[u8], size: usize, room: usize) -> Vec<u8> {
        let mut output = Vec::new();
        let mut turn = 0;
        let mut rest = input;
        let mut write = |pieces: &[IoSlice<'_>]| {
            turn += 1;
            if turn % 2 == 0 {
                return Poll::Pending;
            }
            let all: Vec<u8> = pieces.iter().flat_map(|piece| piece.iter().copied()).collect();
            let now = all.len().min(room);
            output.extend_from_slice(all.get(..now).unwrap_or_default());
            Poll::Ready(Ok(now))
        };
        while !rest.is_empty() {
            let now = rest.get(..size.min(rest.len())).unwrap_or_default();
            let (first, second) = now.split_at(now.len() / 2);
            if let Poll::Ready(count) = outbound.poll_write(&[first, second], |head| head.kind != 7, &mut write) {
                rest = rest.get(count.unwrap()..).unwrap_or_default();
            }
        }
        while outbound.poll_flush(&mut write).is_pending() {}
        output
    }

    #[test]
    fn blocks_are_replaced_and_all_else_is_written() {
        let data = frame(kind::DATA, 0, 1, &[b'x'; 3000]);
        let reset = frame(kind::RST_STREAM, 0, 3, &[0, 0, 0, 8]);
        let other = frame(kind::HEADERS, 5, 3, b"whatever");
        let input = [b"PREFACE".as_slice(), &frame(kind::HEADERS, 4, 1, b"what"), &data, &other, &reset].concat();
        let first = frame(kind::HEADERS, 4, 1, b"\x88\x40\x01b\x011\x40\x01a\x012\x7f\0\x013");
        let second = frame(kind::HEADERS, 5, 3, b"\x89");
        let expected = [b"PREFACE".as_slice(), &first, &data, &second, &reset].concat();
        for size in [1, 2, 7, 10, 100, 1500, 9000] {
            for room in [1, 20, 5000] {
                let mut outbound = Outbound::new(7);
                outbound.queue(3, fields(&[(":status", "204")]));
                let headers =
                    [(":status", "200"), (":weird", "1"), ("b", "1"), ("a", "2"), ("connection", "x"), ("b", "3")];
                outbound.queue(1, fields(&headers));
                assert_eq!(written(&mut outbound, &input, size, room), expected, "{size}, {room}");
                assert!(outbound.at_boundary() && outbound.blocks.is_empty());
            }
        }
    }

    #[test]
    fn small_frames_wait_for_a_flush_and_large_ones_take_them_along() {
        let (mut outbound, mut writes) = (Outbound::new(0), Vec::new());
        let mut write = |pieces: &[IoSlice<'_>]| {
            writes.push(pieces.iter().map(|piece| piece.len()).sum::<usize>());
            Poll::Ready(Ok(pieces.iter().map(|piece| piece.len()).sum()))
        };
        let small = frame(kind::DATA, 0, 1, &[b'x'; 1024]);
        for _ in 0..5 {
            let taken = outbound.poll_write(&[small.as_slice()], |_| true, &mut write);
            assert!(matches!(taken, Poll::Ready(Ok(count)) if count == small.len()));
        }
        assert!(outbound.poll_flush(&mut write).is_ready() && outbound.poll_flush(&mut write).is_ready());
        let large = frame(kind::DATA, 0, 1, &[b'x'; COPIED + 1]);
        for input in [&small, &large] {
            assert!(outbound.poll_write(&[input.as_slice()], |_| true, &mut write).is_ready());
        }
        for _ in 0..=MOST_READY / small.len() {
            assert!(outbound.poll_write(&[small.as_slice()], |_| true, &mut write).is_ready());
        }
        let gathered = MOST_READY.div_ceil(small.len()) * small.len();
        assert_eq!(writes, [5 * small.len(), small.len() + large.len(), gathered]);
    }

    #[test]
    fn large_blocks_are_continued() {
        let mut outbound = Outbound::new(0);
        let value = "~".repeat(40_000);
        outbound.queue(1, fields(&[("a", &value)]));
        let output = written(&mut outbound, &frame(kind::HEADERS, 5, 1, b""), 100, 100_000);
        let mut block = Vec::new();
        let mut seen = Vec::new();
        let mut rest = output.as_slice();
        while let Some((head, after)) = rest.split_first_chunk::<HEAD>() {
            let mut bytes = [0; MOST];
            bytes.split_first_chunk_mut::<HEAD>().unwrap().0.copy_from_slice(head);
            let head = FrameHead::parse(&bytes, HEAD);
            let (payload, later) = after.split_at(head.len);
            block.extend_from_slice(payload);
            seen.push((head.kind, head.flags));
            rest = later;
        }
        assert_eq!(seen, [(kind::HEADERS, 1), (kind::CONTINUATION, 0), (kind::CONTINUATION, 4)]);
        let mut values = Vec::new();
        Decoder::default().decode(&block, |_, value| values.push(value.to_vec())).unwrap();
        assert_eq!(values, [value.into_bytes()]);
    }

    #[test]
    fn nothing_follows_a_frame_that_must_not_go() {
        let mut outbound = Outbound::new(0);
        let ping = frame(6, 0, 0, &[0; 8]);
        let input = [ping.clone(), frame(7, 0, 0, &[0; 8]), ping.clone()].concat();
        assert_eq!(written(&mut outbound, &input, 100, 100), ping);
        assert!(!outbound.at_boundary());
    }

    #[test]
    fn frames_of_our_own_go_between() {
        let mut outbound = Outbound::new(0);
        outbound.put(b"own");
        assert_eq!(
            written(&mut outbound, &frame(0, 1, 1, b"data"), 100, 100),
            [b"own", &frame(0, 1, 1, b"data")[..]].concat()
        );
    }

    #[test]
    fn the_first_settings_say_more() {
        let ack = frame(kind::SETTINGS, 1, 0, b"");
        let settings = frame(kind::SETTINGS, 0, 0, b"\0\x01\0\0\x10\0\0\x03\0\0\0\x01");
        let longer = frame(kind::SETTINGS, 0, 0, b"\0\x01\0\0\x10\0\0\x08\0\0\0\0\0\x03\0\0\0\x01");
        let input = [&ack[..], &settings, &settings].concat();
        for size in 1..input.len() {
            let mut outbound = Outbound::new(0).disown_connect();
            assert_eq!(written(&mut outbound, &input, size, 100), [&ack[..], &longer, &settings].concat());
        }
    }

    #[test]
    fn streams_that_are_gone_leave_nothing() {
        let mut outbound = Outbound::new(0);
        outbound.queue(1, fields(&[("a", "b")]));
        outbound.queue(3, fields(&[("a", "b")]));
        outbound.forget(1);
        assert_eq!(outbound.blocks.len(), 1);
        // One that may still be opened keeps its fields until a later one is.
        outbound.abandon(3);
        outbound.queue(5, fields(&[("a", "b")]));
        assert_eq!(outbound.blocks.len(), 2);
        written(&mut outbound, &frame(kind::HEADERS, 5, 5, b""), 100, 100);
        assert!(outbound.blocks.is_empty() && outbound.abandoned.is_empty());
    }
}
