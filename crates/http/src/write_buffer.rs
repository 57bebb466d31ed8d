//! Bytes on their way to a socket: small pieces gathered, large ones kept as they are.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

/// Pieces up to this many bytes are copied behind what is already there instead of becoming a segment of their own.
const COPY_LIMIT: usize = 4096;

/// A queue of bytes to write. [`Buf`] with vectored chunks, so that `write_buf` of an I/O library drains it with `writev`.
#[derive(Debug, Default)]
pub struct WriteBuffer {
    segments: VecDeque<Bytes>,
    /// The last piece, still growing.
    tail: BytesMut,
    len: usize,
}

impl WriteBuffer {
    /// An empty buffer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Copies `data` to the end.
    pub fn extend_from_slice(&mut self, data: &[u8]) {
        self.tail.extend_from_slice(data);
        self.len += data.len();
    }

    /// The growing end, for many small writes. What was written counts once this is dropped.
    pub(crate) fn tail(&mut self) -> Tail<'_> {
        let before = self.tail.len();
        Tail { buffer: self, before }
    }

    /// Adds `data` at the end, sharing it if it is large.
    pub fn push(&mut self, data: Bytes) {
        if data.len() <= COPY_LIMIT {
            self.extend_from_slice(&data);
            return;
        }
        if !self.tail.is_empty() {
            self.segments.push_back(self.tail.split().freeze());
        }
        self.len += data.len();
        self.segments.push_back(data);
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        self.segments.clear();
        self.tail.clear();
        self.len = 0;
    }
}

/// The growing end of a [`WriteBuffer`].
pub(crate) struct Tail<'a> {
    buffer: &'a mut WriteBuffer,
    before: usize,
}

impl Tail<'_> {
    pub(crate) fn extend_from_slice(&mut self, data: &[u8]) {
        self.buffer.tail.extend_from_slice(data);
    }
}

impl Drop for Tail<'_> {
    fn drop(&mut self) {
        self.buffer.len += self.buffer.tail.len() - self.before;
    }
}

impl Buf for WriteBuffer {
    fn remaining(&self) -> usize {
        self.len
    }

    fn chunk(&self) -> &[u8] {
        self.segments.front().map_or(&self.tail[..], |first| &first[..])
    }

    fn chunks_vectored<'a>(&'a self, dst: &mut [IoSlice<'a>]) -> usize {
        let tail = (!self.tail.is_empty()).then_some(&self.tail[..]);
        let pieces = self.segments.iter().map(|segment| &segment[..]).chain(tail);
        dst.iter_mut().zip(pieces).map(|(slot, piece)| *slot = IoSlice::new(piece)).count()
    }

    /// # Panics
    /// Never; advancing beyond the end empties the buffer.
    fn advance(&mut self, count: usize) {
        let mut left = count.min(self.len);
        self.len -= left;
        while left > 0 {
            let Some(first) = self.segments.front_mut() else {
                self.tail.advance(left.min(self.tail.len()));
                break;
            };
            if left < first.len() {
                first.advance(left);
                break;
            }
            left -= first.len();
            self.segments.pop_front();
        }
    }
}
