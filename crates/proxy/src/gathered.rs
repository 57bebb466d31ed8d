//! Bytes that wait to be written together with others.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::task::{Poll, ready};

use smallvec::SmallVec;

thread_local! {
    /// What connections of this thread gather in, in turn: one that waits for nothing needs no memory.
    static SHARED: RefCell<Vec<u8>> = RefCell::default();
}

/// Bytes in the order in which they are to be written.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    bytes: Vec<u8>,
    /// How many of them are written.
    written: usize,
}

// === impl Gathered ===

impl Gathered {
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes that wait, and those before them that do not any more.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.bytes.capacity() == 0 {
            self.bytes = SHARED.take();
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Writes what waits, and then as much of `pieces` as goes with it; how much of those. `write` writes once.
    pub(crate) fn poll_write(
        &mut self,
        pieces: &[IoSlice<'_>],
        mut write: impl FnMut(&[IoSlice<'_>]) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        while !self.is_empty() {
            let rest = self.bytes.get(self.written..).unwrap_or_default();
            let before = rest.len();
            let written = if pieces.is_empty() {
                write(&[IoSlice::new(rest)])
            } else {
                let mut together = SmallVec::<[IoSlice<'_>; 8]>::new();
                together.push(IoSlice::new(rest));
                together.extend_from_slice(pieces);
                write(&together)
            };
            let count = ready!(written)?;
            self.advance(count.min(before))?;
            if count > before {
                return Poll::Ready(Ok(count - before));
            }
        }
        if pieces.is_empty() { Poll::Ready(Ok(0)) } else { write(pieces) }
    }

    fn advance(&mut self, count: usize) -> io::Result<()> {
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.written += count;
        if self.written >= self.bytes.len() {
            self.written = 0;
            let mut bytes = std::mem::take(&mut self.bytes);
            bytes.clear();
            SHARED.set(bytes);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    /// Takes so many bytes at once.
    fn taking(most: usize, taken: &mut Vec<u8>) -> impl FnMut(&[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        move |pieces| {
            let mut left = most;
            for piece in pieces {
                let part = &piece[..left.min(piece.len())];
                taken.extend_from_slice(part);
                left -= part.len();
            }
            Poll::Ready(Ok(most - left))
        }
    }

    #[test]
    fn order_is_kept_however_little_is_taken() {
        for most in 1..12 {
            let (mut gathered, mut taken) = (Gathered::default(), Vec::new());
            gathered.push(b"abc");
            gathered.push(b"de");
            let mut rest = &b"fghi"[..];
            while !rest.is_empty() {
                let (one, two) = rest.split_at(rest.len() / 2);
                let pieces = [IoSlice::new(one), IoSlice::new(two)];
                let Poll::Ready(count) = gathered.poll_write(&pieces, taking(most, &mut taken)) else { continue };
                rest = &rest[count.unwrap()..];
            }
            gathered.push(b"jk");
            assert!(gathered.poll_write(&[], taking(most, &mut taken)).is_ready());
            assert_eq!(taken, b"abcdefghijk");
            assert!(gathered.is_empty());
        }
    }

    #[test]
    fn a_writer_that_takes_nothing_is_broken() {
        let mut gathered = Gathered::default();
        gathered.push(b"a");
        let written = gathered.poll_write(&[], |_| Poll::Ready(Ok(0)));
        assert!(matches!(written, Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::WriteZero));
        assert!(gathered.poll_write(&[], |_| Poll::Pending).is_pending() && !gathered.is_empty());
    }
}
