//! What a peer sends on its way to the `h2` crate: header blocks are taken out and decoded here, and replaced by ones that the crate takes
//! whatever the message is.
//!
//! So names and values keep their order and their bytes, and which messages are none is not decided by what the `http` crate can hold.

use bytes::{Buf as _, BytesMut};
use h2::Reason;
use tokio::io::ReadBuf;

use super::frame_head::{FrameHead, HEAD, MOST, kind};

/// No larger frame is taken: `SETTINGS_MAX_FRAME_SIZE` is left at its default.
const MAX_FRAME: usize = 16384;
/// What a larger SETTINGS frame says is not looked at. Each setting has six bytes, and there are few.
const MAX_SETTINGS: usize = 4096;

const END_STREAM: u8 = 0x1;
const ACK: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

/// A header block with its stream.
pub(crate) struct Block<'a> {
    pub(crate) stream: u32,
    pub(crate) end_stream: bool,
    pub(crate) bytes: &'a [u8],
}

/// What becomes of a header block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passed {
    /// Another one is in its place.
    Replaced,
    /// The `h2` crate need not know of it.
    Swallowed,
    /// Nothing passes any more.
    Stopped,
}

/// Who is told of what comes.
pub(crate) trait Receiver {
    /// A frame begins; whether it, and what comes after it, may pass.
    fn frame(&mut self, head: FrameHead) -> bool;

    /// A header block is complete. The block for the `h2` crate is appended to `instead`.
    fn block(&mut self, block: &Block<'_>, instead: &mut Vec<u8>) -> Passed;

    /// The peer's SETTINGS (each an identifier and a value), or that it has taken ours.
    fn settings(&mut self, settings: Option<&[u8]>);
}

/// A frame where none of its kind may be: the connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) reason: Reason,
    /// Envoy's words, which it tells the peer.
    pub(crate) text: &'static str,
}

/// The bytes of one connection.
#[derive(Debug)]
pub(crate) struct Inbound {
    /// The head of the frame that comes next.
    head: [u8; MOST],
    filled: usize,
    state: State,
    /// The payload of the frame that is gathered.
    payload: Vec<u8>,
    /// The header block that is gathered.
    block: Vec<u8>,
    /// The HEADERS whose block continues.
    open: Option<Opened>,
    /// What is to be read before anything else.
    ready: BytesMut,
    instead: Vec<u8>,
    pub(crate) broken: Option<Broken>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Head,
    /// So many bytes pass as they are.
    Pass(usize),
    /// So many bytes are missing of the frame that is gathered.
    Gather(FrameHead, usize),
    /// Nothing passes any more.
    Stopped,
}

#[derive(Clone, Copy, Debug)]
struct Opened {
    stream: u32,
    flags: u8,
    /// A priority that depends on the stream itself: the `h2` crate has its answer to that.
    depends_on_itself: bool,
}

// === impl Inbound ===

impl Inbound {
    /// The first `skip` bytes are no frames.
    pub(crate) fn new(skip: usize) -> Self {
        Self {
            head: [0; MOST],
            filled: 0,
            state: if skip > 0 { State::Pass(skip) } else { State::Head },
            payload: Vec::new(),
            block: Vec::new(),
            open: None,
            ready: BytesMut::new(),
            instead: Vec::new(),
            broken: None,
        }
    }

    /// Moves what is ready to be read; whether there was anything.
    pub(crate) fn read(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let count = self.ready.len().min(buffer.remaining());
        if count == 0 {
            return false;
        }
        buffer.put_slice(self.ready.get(..count).unwrap_or_default());
        self.ready.advance(count);
        true
    }

    /// Looks at what was just read; nothing may be [ready](Self::read) before. So many of the first bytes can be read as they are, the others
    /// are ready, or become so later.
    pub(crate) fn pass(&mut self, bytes: &[u8], receiver: &mut impl Receiver) -> usize {
        // Most bytes that pass stay where they are.
        let mut in_place = self.filled == 0;
        let mut kept = 0;
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.state {
                State::Stopped => break,
                State::Pass(left) => {
                    let (now, later) = rest.split_at(left.min(rest.len()));
                    if in_place {
                        kept += now.len();
                    } else {
                        self.ready.extend_from_slice(now);
                    }
                    rest = later;
                    self.state = if left > now.len() { State::Pass(left - now.len()) } else { State::Head };
                }
                State::Head => {
                    let begins_here = self.filled == 0;
                    let (now, later) = rest.split_at((self.wanted() - self.filled).min(rest.len()));
                    if let Some(room) = self.head.get_mut(self.filled..self.filled + now.len()) {
                        room.copy_from_slice(now);
                    }
                    self.filled += now.len();
                    rest = later;
                    if self.filled < self.wanted() {
                        continue;
                    }
                    let head = FrameHead::parse(&self.head, self.filled);
                    if !self.begin(head, receiver) {
                        in_place = false;
                        continue;
                    }
                    in_place &= begins_here;
                    if in_place {
                        kept = bytes.len() - rest.len();
                    } else {
                        self.ready.extend_from_slice(self.head.get(..self.filled).unwrap_or_default());
                    }
                    self.state = match head.len - (self.filled - HEAD).min(head.len) {
                        0 => State::Head,
                        left => State::Pass(left),
                    };
                    self.filled = 0;
                }
                State::Gather(head, left) => {
                    in_place = false;
                    let (now, later) = rest.split_at(left.min(rest.len()));
                    rest = later;
                    self.payload.extend_from_slice(now);
                    self.state = State::Gather(head, left - now.len());
                    if left == now.len() {
                        self.gathered(head, receiver);
                    }
                }
            }
        }
        kept
    }

    /// Bytes of the frame that are looked at.
    fn wanted(&self) -> usize {
        FrameHead::wanted(&self.head, self.filled)
    }

    /// A frame begins; whether it passes as it is.
    fn begin(&mut self, head: FrameHead, receiver: &mut impl Receiver) -> bool {
        if !receiver.frame(head) {
            self.state = State::Stopped;
            return false;
        }
        let continues = head.kind == kind::CONTINUATION && self.open.is_some_and(|open| open.stream == head.stream);
        if self.open.is_some() && !continues {
            self.fail(Reason::PROTOCOL_ERROR, "unexpected non-CONTINUATION frame or stream_id is invalid");
            return false;
        }
        let gathers = match head.kind {
            kind::CONTINUATION if !continues => {
                self.fail(Reason::PROTOCOL_ERROR, "CONTINUATION: unexpected");
                return false;
            }
            // The `h2` crate refuses those.
            _ if head.len > MAX_FRAME => false,
            kind::HEADERS => head.stream != 0,
            kind::CONTINUATION => true,
            kind::SETTINGS => head.len <= MAX_SETTINGS,
            _ => false,
        };
        if gathers {
            self.filled = 0;
            self.payload.clear();
            self.state = State::Gather(head, head.len);
            if head.len == 0 {
                self.gathered(head, receiver);
            }
        }
        !gathers
    }

    /// The frame is complete.
    fn gathered(&mut self, head: FrameHead, receiver: &mut impl Receiver) {
        self.state = State::Head;
        match head.kind {
            kind::SETTINGS => {
                receiver.settings((head.flags & ACK == 0).then_some(&self.payload));
                self.hand_on(head);
            }
            kind::HEADERS => {
                let Some((fragment, depends_on)) = fragment(head, &self.payload) else {
                    // The `h2` crate ends the connection for it.
                    return self.hand_on(head);
                };
                self.block.clear();
                self.block.extend_from_slice(fragment);
                let depends_on_itself = depends_on == Some(head.stream);
                self.continue_block(
                    Opened { stream: head.stream, flags: head.flags, depends_on_itself },
                    head,
                    receiver,
                );
            }
            _ => {
                let Some(open) = self.open.take() else { return };
                self.block.extend_from_slice(&self.payload);
                self.continue_block(open, head, receiver);
            }
        }
    }

    /// The gathered frame as it came.
    fn hand_on(&mut self, head: FrameHead) {
        self.ready.extend_from_slice(&head.to_bytes());
        self.ready.extend_from_slice(&self.payload);
    }

    fn continue_block(&mut self, open: Opened, head: FrameHead, receiver: &mut impl Receiver) {
        if head.flags & END_HEADERS == 0 {
            self.open = Some(open);
            return;
        }
        self.open = None;
        self.instead.clear();
        if open.depends_on_itself {
            self.instead.extend_from_slice(&open.stream.to_be_bytes());
            self.instead.push(0);
        }
        let block = Block { stream: open.stream, end_stream: open.flags & END_STREAM != 0, bytes: &self.block };
        match receiver.block(&block, &mut self.instead) {
            Passed::Replaced => {}
            Passed::Swallowed => return,
            Passed::Stopped => {
                self.state = State::Stopped;
                return;
            }
        }
        let flags = open.flags & END_STREAM | END_HEADERS | if open.depends_on_itself { PRIORITY } else { 0 };
        let head = FrameHead { len: self.instead.len(), kind: kind::HEADERS, flags, stream: open.stream, code: 0 };
        self.ready.extend_from_slice(&head.to_bytes());
        self.ready.extend_from_slice(&self.instead);
    }

    /// Nothing passes any more.
    pub(crate) fn fail(&mut self, reason: Reason, text: &'static str) {
        self.state = State::Stopped;
        self.broken = Some(Broken { reason, text });
    }
}

/// What SETTINGS say of the table of the sender's decoder.
pub(crate) fn table_size(settings: &[u8]) -> Option<usize> {
    let (settings, _) = settings.as_chunks::<6>();
    settings
        .iter()
        .rev()
        .find_map(|[a, b, value @ ..]| ([*a, *b] == [0, 1]).then(|| u32::from_be_bytes(*value) as usize))
}

/// The part of a header block in HEADERS, and the stream that it depends on; nothing if there is less than it says.
fn fragment(head: FrameHead, payload: &[u8]) -> Option<(&[u8], Option<u32>)> {
    let mut fragment = payload;
    let mut padding = 0;
    if head.flags & PADDED != 0 {
        let (length, rest) = fragment.split_first()?;
        padding = usize::from(*length);
        fragment = rest;
    }
    let mut depends_on = None;
    if head.flags & PRIORITY != 0 {
        let (priority, rest) = fragment.split_first_chunk::<5>()?;
        let [a, b, c, d, _] = *priority;
        depends_on = Some(u32::from_be_bytes([a & 0x7f, b, c, d]));
        fragment = rest;
    }
    let (fragment, _) = fragment.split_at_checked(fragment.len().checked_sub(padding)?)?;
    Some((fragment, depends_on))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Replaces every block by two bytes.
    #[derive(Default)]
    struct Noted {
        blocks: Vec<(u32, bool, Vec<u8>)>,
        frames: usize,
        settings: Vec<Option<Vec<u8>>>,
    }

    impl Receiver for Noted {
        fn frame(&mut self, _: FrameHead) -> bool {
            self.frames += 1;
            true
        }

        fn block(&mut self, block: &Block<'_>, instead: &mut Vec<u8>) -> Passed {
            self.blocks.push((block.stream, block.end_stream, block.bytes.to_vec()));
            instead.extend_from_slice(b"xy");
            match block.bytes {
                b"swallow" => Passed::Swallowed,
                b"stop" => Passed::Stopped,
                _ => Passed::Replaced,
            }
        }

        fn settings(&mut self, settings: Option<&[u8]>) {
            self.settings.push(settings.map(<[u8]>::to_vec));
        }
    }

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = FrameHead { len: payload.len(), kind, flags, stream, code: 0 }.to_bytes().to_vec();
        bytes.extend_from_slice(payload);
        bytes
    }

    /// What is read of `input`, which comes in pieces of `size`.
    fn read(inbound: &mut Inbound, noted: &mut Noted, input: &[u8], size: usize) -> Vec<u8> {
        let mut output = Vec::new();
        for piece in input.chunks(size) {
            let kept = inbound.pass(piece, noted);
            output.extend_from_slice(piece.get(..kept).unwrap_or_default());
            output.extend_from_slice(&inbound.ready.split());
        }
        output
    }

    #[test]
    fn blocks_are_replaced_and_all_else_passes() {
        let (settings, data) = (frame(kind::SETTINGS, 0, 0, b"\0\x01\0\0\0\x07"), frame(kind::DATA, 1, 1, b"hello"));
        let reset = frame(kind::RST_STREAM, 0, 3, &[0, 0, 0, 8]);
        let padded = frame(kind::HEADERS, PADDED | PRIORITY, 1, b"\x02\0\0\0\x03\0abc..");
        let continued = frame(kind::CONTINUATION, END_HEADERS, 1, b"def");
        let empty = frame(kind::HEADERS, END_STREAM | END_HEADERS, 3, b"");
        let ack = frame(kind::SETTINGS, ACK, 0, b"");
        let parts = [b"PREFACE".as_slice(), &ack, &data, &settings, &padded, &continued, &data, &empty, &reset];
        let instead = frame(kind::HEADERS, END_HEADERS, 1, b"xy");
        let instead_of_empty = frame(kind::HEADERS, END_STREAM | END_HEADERS, 3, b"xy");
        let expected =
            [b"PREFACE".as_slice(), &ack, &data, &settings, &instead, &data, &instead_of_empty, &reset].concat();
        let input = parts.concat();
        for size in 1..=input.len() {
            let (mut inbound, mut noted) = (Inbound::new(7), Noted::default());
            assert_eq!(read(&mut inbound, &mut noted, &input, size), expected, "in pieces of {size}");
            assert_eq!(noted.blocks, [(1, false, b"abcdef".to_vec()), (3, true, Vec::new())]);
            assert_eq!((noted.frames, noted.settings), (8, vec![None, Some(b"\0\x01\0\0\0\x07".to_vec())]));
            assert_eq!(inbound.broken, None);
        }
    }

    #[test]
    fn blocks_may_be_left_out_or_be_the_last() {
        let (mut inbound, mut noted) = (Inbound::new(0), Noted::default());
        let block = |bytes| frame(kind::HEADERS, END_HEADERS, 1, bytes);
        let data = frame(kind::DATA, 0, 1, b"hello");
        let input = [data.clone(), block(b"swallow"), data.clone(), block(b"stop"), data.clone()].concat();
        assert_eq!(read(&mut inbound, &mut noted, &input, input.len()), data.repeat(2));
        assert_eq!(noted.frames, 4);
    }

    #[test]
    fn what_has_no_head_is_read_where_it_is() {
        let (mut inbound, mut noted) = (Inbound::new(0), Noted::default());
        let data = frame(kind::DATA, 0, 1, &[7; 100]);
        let (begin, end) = data.split_at(50);
        assert_eq!(inbound.pass(begin, &mut noted), 50);
        assert_eq!(inbound.pass(end, &mut noted), data.len() - 50);
        assert!(inbound.ready.is_empty());
    }

    #[test]
    fn blocks_are_not_interrupted() {
        let ping = frame(6, 0, 0, &[0; 8]);
        let cases = [
            [frame(kind::HEADERS, 0, 1, b"a"), ping.clone()].concat(),
            [frame(kind::HEADERS, 0, 1, b"a"), frame(kind::CONTINUATION, 4, 3, b"")].concat(),
            frame(kind::CONTINUATION, 4, 3, b""),
        ];
        for input in cases {
            let (mut inbound, mut noted) = (Inbound::new(0), Noted::default());
            assert_eq!(read(&mut inbound, &mut noted, &[&input[..], &ping].concat(), 5), b"");
            assert_eq!(inbound.broken.map(|broken| broken.reason), Some(Reason::PROTOCOL_ERROR));
        }
    }

    #[test]
    fn what_the_crate_judges_passes() {
        let wrong = [
            frame(kind::HEADERS, PADDED | END_HEADERS, 1, b"\x09ab"),
            frame(kind::HEADERS, PRIORITY | END_HEADERS, 1, b"\0\0\0"),
            frame(kind::HEADERS, END_HEADERS, 0, b"a"),
            frame(kind::HEADERS, END_HEADERS, 1, &[0; MAX_FRAME + 1]),
        ];
        for input in wrong {
            let (mut inbound, mut noted) = (Inbound::new(0), Noted::default());
            assert_eq!(read(&mut inbound, &mut noted, &input, 7), input);
            assert!(noted.blocks.is_empty());
        }
        let itself = frame(kind::HEADERS, PRIORITY | END_HEADERS, 1, b"\0\0\0\x01\x05a");
        let (mut inbound, mut noted) = (Inbound::new(0), Noted::default());
        let expected = frame(kind::HEADERS, PRIORITY | END_HEADERS, 1, b"\0\0\0\x01\0xy");
        assert_eq!(read(&mut inbound, &mut noted, &itself, 100), expected);
    }
}
