//! gRPC's framing: a flag, the length in four bytes, the message.

use super::message;

const PREFIX: usize = 5;

/// One direction of a stream.
#[derive(Default)]
pub struct Frames {
    /// The beginning of a message whose end has not come.
    held: Vec<u8>,
    count: u64,
    /// These bytes are no messages: they pass.
    broken: bool,
}

impl Frames {
    /// How many messages have passed.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// What stands for `piece`: every message that is complete now, rewritten.
    pub fn rewrite(&mut self, piece: Vec<u8>, end_of_stream: bool) -> Vec<u8> {
        if self.held.is_empty() {
            self.held = piece;
        } else {
            self.held.extend_from_slice(&piece);
        }
        let mut rewritten = Vec::new();
        let mut taken = 0;
        while let Some((compressed, length)) = self.next_message(taken) {
            let start = taken + PREFIX;
            let Some(message) = self.held.get(start..start + length) else { break };
            self.count += 1;
            let new = (!compressed).then(|| message::rewrite(message, self.count)).flatten();
            let body = new.as_deref().unwrap_or(message);
            rewritten.push(u8::from(compressed));
            rewritten.extend_from_slice(&(body.len() as u32).to_be_bytes());
            rewritten.extend_from_slice(body);
            taken = start + length;
        }
        self.held.drain(..taken);
        if self.broken || end_of_stream {
            rewritten.append(&mut self.held);
        }
        rewritten
    }

    /// Whether the message at `at` is compressed, and its length.
    fn next_message(&mut self, at: usize) -> Option<(bool, usize)> {
        if self.broken {
            return None;
        }
        let prefix = self.held.get(at..at + PREFIX)?;
        self.broken = prefix[0] > 1;
        let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]);
        (!self.broken).then_some((prefix[0] == 1, length as usize))
    }
}
