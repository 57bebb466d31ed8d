//! A body as a queue of shared segments: moved, not copied.

use std::collections::VecDeque;

use bytes::Bytes;

/// Bytes of a body in order, as segments.
#[derive(Clone, Debug, Default)]
pub struct BodyBuffer {
    segments: VecDeque<Bytes>,
    len: usize,
}

impl BodyBuffer {
    /// An empty buffer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes in all segments.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a segment at the end. Empty ones are dropped.
    pub fn push(&mut self, segment: Bytes) {
        if !segment.is_empty() {
            self.len += segment.len();
            self.segments.push_back(segment);
        }
    }

    /// Adds a segment at the start.
    pub fn prepend(&mut self, segment: Bytes) {
        if !segment.is_empty() {
            self.len += segment.len();
            self.segments.push_front(segment);
        }
    }

    /// Moves everything from `other` to the end of this one.
    pub fn append(&mut self, other: &mut Self) {
        self.len += std::mem::take(&mut other.len);
        self.segments.append(&mut other.segments);
    }

    /// Takes the first segment.
    pub fn pop(&mut self) -> Option<Bytes> {
        let segment = self.segments.pop_front()?;
        self.len -= segment.len();
        Some(segment)
    }

    /// Drops `count` bytes from the start, or all if there are fewer.
    pub fn drain(&mut self, mut count: usize) {
        while count > 0 {
            let Some(first) = self.segments.front_mut() else { break };
            let cut = count.min(first.len());
            self.len -= cut;
            count -= cut;
            if cut == first.len() {
                self.segments.pop_front();
            } else {
                let _ = first.split_to(cut);
            }
        }
    }

    /// The segments that hold `start..start + max`, clamped to what is there, shared.
    pub fn slice(&self, start: usize, max: usize) -> impl Iterator<Item = Bytes> + '_ {
        let end = start.saturating_add(max).min(self.len);
        let mut at = 0;
        self.segments.iter().filter_map(move |segment| {
            let from = at;
            at += segment.len();
            let low = start.max(from);
            let high = end.min(at);
            (low < high).then(|| segment.slice(low - from..high - from))
        })
    }

    /// The segments.
    pub fn segments(&self) -> impl Iterator<Item = &Bytes> {
        self.segments.iter()
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        self.segments.clear();
        self.len = 0;
    }
}
