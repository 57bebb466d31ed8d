//! A value on its way into a guest.

use bytes::Bytes;
use smallvec::SmallVec;

/// How much room a VM keeps for the values of hostcalls, in bytes.
const KEPT_CAPACITY: usize = 64 << 10;

/// What a hostcall hands back to the guest: bytes collected before the guest's allocator runs.
///
/// Small values are copied into a buffer that the VM reuses; body segments are shared, so that a
/// body is copied once, straight into guest memory. One call uses one of the two forms, or
/// segments after bytes.
///
/// Between calls a VM keeps at most 64 KiB of room.
#[derive(Debug, Default)]
pub struct Output {
    bytes: Vec<u8>,
    segments: SmallVec<[Bytes; 4]>,
}

impl Output {
    /// Forgets the value and keeps the room.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.segments.clear();
    }

    /// Forgets the value, drops what it shares, and keeps a bounded amount of room.
    pub(crate) fn release(&mut self) {
        self.clear();
        self.bytes.shrink_to(KEPT_CAPACITY);
    }

    /// Appends a copy of `value`. Must not follow a segment.
    pub fn extend(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
    }

    /// The copied part, for encoders that write into a vector.
    pub fn bytes_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Appends a shared segment, behind everything copied.
    pub fn push_segment(&mut self, segment: Bytes) {
        if !segment.is_empty() {
            self.segments.push(segment);
        }
    }

    /// How many bytes the guest gets.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len() + self.segments.iter().map(Bytes::len).sum::<usize>()
    }

    /// Whether there is nothing to hand over.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value in one piece; copied only if parts of it are shared.
    #[must_use]
    pub fn into_vec(mut self) -> Vec<u8> {
        for segment in &self.segments {
            self.bytes.extend_from_slice(segment);
        }
        self.bytes
    }

    /// The value in order.
    pub fn chunks(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(self.bytes.as_slice()).chain(self.segments.iter().map(|s| &s[..]))
    }
}
