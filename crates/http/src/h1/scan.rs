//! Where a head ends.

use memchr::memchr;

/// Looks for the empty line that ends a head, line by line, and never at a byte twice.
#[derive(Debug, Default)]
pub(super) struct HeadScanner {
    /// Bytes looked at.
    scanned: usize,
    /// Where the line begins that has not ended yet.
    line: usize,
    lines: usize,
}

/// What the scanner found. Lengths count from the start of the head.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Scan {
    /// Neither; more bytes are needed.
    More,
    /// The first line ends here (its line feed included).
    FirstLine(usize),
    /// The head ends here (the empty line included).
    Complete(usize),
    /// The head is, or will be, larger than allowed.
    TooLarge,
}

impl HeadScanner {
    /// Bytes looked at so far.
    pub(super) fn scanned(&self) -> usize {
        self.scanned
    }

    /// Lines so far, the first and the empty one included.
    pub(super) fn lines(&self) -> usize {
        self.lines
    }

    /// For a block without a first line: trailers.
    pub(super) fn without_first_line() -> Self {
        Self { lines: 1, ..Self::default() }
    }

    /// Goes on. `input` begins where the head does, in every call.
    pub(super) fn scan(&mut self, input: &[u8], max: usize) -> Scan {
        let window = input.get(..max).unwrap_or(input);
        while let Some(at) = window.get(self.scanned..).and_then(|rest| memchr(b'\n', rest)) {
            let feed = self.scanned + at;
            let line = window.get(self.line..feed).unwrap_or_default();
            self.scanned = feed + 1;
            self.line = self.scanned;
            self.lines += 1;
            if self.lines == 1 {
                return Scan::FirstLine(self.scanned);
            }
            if matches!(line, [] | [b'\r']) {
                return Scan::Complete(self.scanned);
            }
        }
        self.scanned = window.len();
        if input.len() >= max { Scan::TooLarge } else { Scan::More }
    }
}
