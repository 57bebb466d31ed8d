//! gRPC's length-prefixed messages.

use bytes::{BufMut, Bytes, BytesMut};
use sandgate_http::BodyBuffer;

/// A flag and four bytes of length.
const PREFIX: usize = 5;

/// Takes messages out of a body.
#[derive(Debug, Default)]
pub(crate) struct FrameDecoder {
    /// What has come of a prefix.
    prefix: Vec<u8>,
    /// The message that has begun, and the bytes that it lacks.
    message: Option<(Message, usize)>,
    /// The longest message, in bytes; 0 is no limit.
    limit: usize,
}

/// A message as it came.
#[derive(Debug, Default)]
pub(crate) struct Message {
    pub(crate) compressed: bool,
    pub(crate) data: BodyBuffer,
}

/// Why a body is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameError {
    /// A flag that is not known.
    Flag,
    TooLong,
}

/// `message` with its prefix, not compressed. Its length fits 32 bits, as a guest's memory does.
pub(crate) fn frame(message: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(PREFIX + message.len());
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    bytes.extend_from_slice(message);
    bytes.freeze()
}

impl FrameDecoder {
    pub(crate) fn with_limit(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// The messages that are complete with `data`.
    ///
    /// # Errors
    /// Then there are none, those before the fault neither (as in Envoy).
    pub(crate) fn decode(&mut self, mut data: BodyBuffer) -> Result<Vec<Message>, FrameError> {
        let mut messages = Vec::new();
        while let Some(mut segment) = data.pop() {
            while !segment.is_empty() {
                if self.message.is_none() && !self.begin(&mut segment)? {
                    break;
                }
                if let Some((message, lacks)) = &mut self.message {
                    let part = segment.split_to(segment.len().min(*lacks));
                    *lacks -= part.len();
                    message.data.push(part);
                }
                if let Some((message, _)) = self.message.take_if(|(_, lacks)| *lacks == 0) {
                    messages.push(message);
                }
            }
        }
        Ok(messages)
    }

    /// Takes a prefix, or what there is of it. Whether a message has begun.
    fn begin(&mut self, segment: &mut Bytes) -> Result<bool, FrameError> {
        let part = segment.split_to(segment.len().min(PREFIX - self.prefix.len()));
        self.prefix.extend_from_slice(&part);
        let flag = self.prefix.first().copied().unwrap_or(0);
        if flag > 1 {
            return Err(FrameError::Flag);
        }
        let Some(&length) = self.prefix.get(1..).and_then(<[u8]>::as_array) else { return Ok(false) };
        let length = u32::from_be_bytes(length) as usize;
        if self.limit != 0 && length > self.limit {
            return Err(FrameError::TooLong);
        }
        self.prefix.clear();
        self.message = Some((Message { compressed: flag == 1, data: BodyBuffer::new() }, length));
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test may panic")]

    use super::*;

    fn body(pieces: &[&[u8]]) -> BodyBuffer {
        let mut body = BodyBuffer::new();
        pieces.iter().for_each(|piece| body.push(Bytes::copy_from_slice(piece)));
        body
    }

    fn texts(messages: Vec<Message>) -> Vec<(bool, Vec<u8>)> {
        messages.into_iter().map(|m| (m.compressed, m.data.segments().flatten().copied().collect())).collect()
    }

    #[test]
    fn messages_do_not_depend_on_pieces() {
        let bytes = [&frame(b"hello")[..], &frame(b""), b"\x01\0\0\0\x02zz", &frame(b"end")].concat();
        let expected = [(false, b"hello".to_vec()), (false, vec![]), (true, b"zz".to_vec()), (false, b"end".to_vec())];
        for size in 1..=bytes.len() {
            let pieces: Vec<_> = bytes.chunks(size).collect();
            assert_eq!(texts(FrameDecoder::default().decode(body(&pieces)).unwrap()), expected);
            let mut decoder = FrameDecoder::default();
            let each = pieces.iter().flat_map(|piece| texts(decoder.decode(body(&[piece])).unwrap()));
            assert_eq!(each.collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn faults_are_found_early() {
        assert_eq!(FrameDecoder::default().decode(body(&[b"\x02"])).unwrap_err(), FrameError::Flag);
        let mut decoder = FrameDecoder::with_limit(5);
        assert_eq!(texts(decoder.decode(body(&[&frame(b"small")])).unwrap()).len(), 1);
        assert_eq!(decoder.decode(body(&[b"\0\0\0\0\x06"])).unwrap_err(), FrameError::TooLong);
    }
}
