//! The heads of HTTP/2 frames.

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
    pub(crate) const PING: u8 = 6;
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
