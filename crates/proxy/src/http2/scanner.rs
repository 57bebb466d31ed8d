//! Where frames begin and end in a direction of an HTTP/2 connection.

/// The length of a frame's head (RFC 9113 §4.1).
pub(crate) const HEAD: usize = 9;
/// A head, and the error code of RST_STREAM.
pub(super) const MOST: usize = HEAD + 4;

/// The frame types that matter here.
pub(crate) mod kind {
    pub(crate) const DATA: u8 = 0;
    pub(crate) const HEADERS: u8 = 1;
    pub(crate) const PRIORITY: u8 = 2;
    pub(crate) const RST_STREAM: u8 = 3;
    pub(crate) const SETTINGS: u8 = 4;
    pub(crate) const GOAWAY: u8 = 7;
    pub(crate) const WINDOW_UPDATE: u8 = 8;
    pub(crate) const CONTINUATION: u8 = 9;
}

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHead {
    pub(crate) len: usize,
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    /// The error code of RST_STREAM; else 0.
    pub(crate) code: u32,
}

impl FrameHead {
    /// How many of the bytes that begin with this head are looked at, of which `filled` are known.
    pub(super) fn wanted(bytes: &[u8; MOST], filled: usize) -> usize {
        let [high, middle, low, kind, ..] = *bytes;
        let is_reset = filled >= HEAD && kind == kind::RST_STREAM && [high, middle, low] == [0, 0, 4];
        if is_reset { MOST } else { HEAD }
    }

    /// Of all the bytes that are looked at.
    pub(super) fn parse(bytes: &[u8; MOST], filled: usize) -> Self {
        let [a, b, c, kind, flags, s0, s1, s2, s3, codes @ ..] = *bytes;
        let code = if filled == MOST { u32::from_be_bytes(codes) } else { 0 };
        let stream = u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]);
        Self { len: u32::from_be_bytes([0, a, b, c]) as usize, kind, flags, stream, code }
    }

    /// As it is written, without the error code.
    pub(crate) fn to_bytes(self) -> [u8; HEAD] {
        let [_, a, b, c] = u32::try_from(self.len).unwrap_or(u32::MAX).to_be_bytes();
        let [s0, s1, s2, s3] = self.stream.to_be_bytes();
        [a, b, c, self.kind, self.flags, s0, s1, s2, s3]
    }

    /// DATA or HEADERS that end their stream.
    pub(crate) fn ends_stream(self) -> bool {
        matches!(self.kind, kind::DATA | kind::HEADERS) && self.flags & 1 != 0
    }
}

/// Finds heads in bytes that come in pieces.
#[derive(Debug)]
pub(crate) struct FrameScanner {
    bytes: [u8; MOST],
    filled: usize,
    /// Bytes to skip before the next head.
    skip: usize,
}

impl FrameScanner {
    /// The first `skip` bytes are no frames.
    pub(crate) fn new(skip: usize) -> Self {
        Self { bytes: [0; MOST], filled: 0, skip }
    }

    /// Looks at the next bytes; `found` gets every head that is complete with them, and where in them its frame begins (0 for
    /// one that began before).
    pub(crate) fn scan(&mut self, mut bytes: &[u8], mut found: impl FnMut(FrameHead, usize)) {
        let total = bytes.len();
        while !bytes.is_empty() {
            if self.skip > 0 {
                let count = self.skip.min(bytes.len());
                self.skip -= count;
                bytes = bytes.get(count..).unwrap_or_default();
                continue;
            }
            let count = (FrameHead::wanted(&self.bytes, self.filled) - self.filled).min(bytes.len());
            let (now, later) = bytes.split_at(count);
            if let Some(room) = self.bytes.get_mut(self.filled..self.filled + count) {
                room.copy_from_slice(now);
            }
            self.filled += count;
            bytes = later;
            if self.filled == FrameHead::wanted(&self.bytes, self.filled) {
                let head = FrameHead::parse(&self.bytes, self.filled);
                let start = (total - bytes.len()).saturating_sub(self.filled);
                self.skip = head.len - (self.filled - HEAD);
                self.filled = 0;
                found(head, start);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_do_not_depend_on_pieces() {
        let mut bytes = b"preface".to_vec();
        bytes.extend([0, 0, 3, 0, 1, 0, 0, 0, 1, b'a', b'b', b'c']);
        bytes.extend([0, 0, 4, 3, 0, 0x80, 0, 0, 5, 0, 0, 0, 8]);
        bytes.extend([0, 0, 0, 4, 1, 0, 0, 0, 0]);
        let head = |len, kind, flags, stream, code| FrameHead { len, kind, flags, stream, code };
        let expected = [head(3, 0, 1, 1, 0), head(4, 3, 0, 5, 8), head(0, 4, 1, 0, 0)];
        for size in 1..bytes.len() {
            let mut scanner = FrameScanner::new(7);
            let mut found = Vec::new();
            bytes.chunks(size).for_each(|piece| scanner.scan(piece, |head, _| found.push(head)));
            assert_eq!(found, expected, "in pieces of {size}");
            assert!(scanner.filled == 0 && scanner.skip == 0);
        }
    }
}
