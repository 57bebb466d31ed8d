//! Walking a script's text.

/// Why a script cannot be read.
pub(super) type Error = &'static str;

/// A place in a script.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.rest().first().copied()
    }

    pub(super) fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    /// The line of this place, from 1.
    pub(super) fn line(&self) -> usize {
        1 + self.text.iter().take(self.at).filter(|byte| **byte == b'\n').count()
    }

    /// What lies between an earlier place and this one.
    pub(super) fn since(&self, earlier: &Self) -> &'a [u8] {
        self.text.get(earlier.at..self.at).unwrap_or_default()
    }

    pub(super) fn skip_blanks(&mut self, newlines: bool) {
        while let Some(byte) = self.peek() {
            match byte {
                b'#' => self.at += self.rest().iter().position(|byte| *byte == b'\n').unwrap_or(self.rest().len()),
                b' ' | b'\t' | b'\r' => self.at += 1,
                b'\n' if newlines => self.at += 1,
                _ => return,
            }
        }
    }

    /// Reads a token, blanks before it included; a word must end where the token ends.
    pub(super) fn accept(&mut self, token: &str) -> bool {
        self.skip_blanks(false);
        let Some(after) = self.rest().strip_prefix(token.as_bytes()) else { return false };
        let word = token.bytes().next().is_some_and(is_word);
        if word && after.first().is_some_and(|byte| is_word(*byte)) {
            return false;
        }
        self.at += token.len();
        true
    }

    pub(super) fn expect(&mut self, token: &str) -> Result<(), Error> {
        match token {
            _ if self.accept(token) => Ok(()),
            ":" => Err("expected ':'"),
            "(" => Err("expected '('"),
            "=" => Err("expected '='"),
            _ => Err("expected ',' or the end of a list"),
        }
    }

    /// Letters, digits, `_`; empty if there is none.
    pub(super) fn word(&mut self) -> &'a [u8] {
        self.skip_blanks(false);
        let start = *self;
        while self.peek().is_some_and(is_word) {
            self.at += 1;
        }
        self.since(&start)
    }

    pub(super) fn at_end(&mut self) -> bool {
        self.skip_blanks(true);
        self.peek().is_none()
    }

    pub(super) fn at_line_end(&mut self) -> bool {
        self.skip_blanks(false);
        matches!(self.peek(), None | Some(b'\n'))
    }

    /// A list up to `end`, over several lines, whose beginning was read.
    pub(super) fn list<T>(
        &mut self,
        end: &str,
        mut item: impl FnMut(&mut Self) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let mut items = Vec::new();
        self.skip_blanks(true);
        while !self.accept(end) {
            if !items.is_empty() {
                self.expect(",")?;
                self.skip_blanks(true);
                if self.accept(end) {
                    break;
                }
            }
            items.push(item(self)?);
            self.skip_blanks(true);
        }
        Ok(items)
    }

    /// A string behind its opening quote.
    pub(super) fn quoted(&mut self) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        loop {
            match self.next().ok_or("a string has no end")? {
                b'"' => return Ok(out),
                b'\n' => return Err("a string does not end on its line"),
                b'\\' => out.push(match self.next().ok_or("a string has no end")? {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'0' => 0,
                    b'x' => self.hex_byte().ok_or("unknown escape")?,
                    byte @ (b'\\' | b'"') => byte,
                    _ => return Err("unknown escape"),
                }),
                byte => out.push(byte),
            }
        }
    }

    /// Pairs of hex digits behind `h"`.
    pub(super) fn hex(&mut self) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b' ') => self.at += 1,
                _ => out.push(self.hex_byte().ok_or("h\"…\" wants pairs of hex digits")?),
            }
        }
    }

    fn hex_byte(&mut self) -> Option<u8> {
        let digits = self.rest().get(..2)?;
        let byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        self.at += 2;
        Some(byte)
    }

    /// A number without a sign.
    pub(super) fn digits(&mut self) -> i64 {
        let word = self.word();
        let (digits, radix) = word.strip_prefix(b"0x").map_or((word, 10), |hex| (hex, 16));
        let digit = |byte: &u8| char::from(*byte).to_digit(radix).map(i64::from);
        let radix = i64::from(radix);
        digits.iter().map_while(digit).fold(0, |number: i64, digit| number.wrapping_mul(radix).wrapping_add(digit))
    }
}
