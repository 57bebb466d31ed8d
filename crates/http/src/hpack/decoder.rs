//! From header blocks to fields.

use super::dynamic_table::DynamicTable;
use super::static_table::FIELDS;
use super::{DEFAULT_TABLE_SIZE, huffman};

/// The largest number that is read; nothing in HTTP/2 is as large.
const MOST: usize = 1 << 28;

/// One side's decoder.
#[derive(Debug)]
pub struct Decoder {
    table: DynamicTable,
    /// What the other side may use of the table.
    limit: usize,
    /// The next block must begin with a smaller size.
    must_shrink: bool,
    name: Vec<u8>,
    value: Vec<u8>,
}

/// A block is none; whatever comes after it on its connection cannot be understood either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It ends within a field.
    #[error("the header block ends within a field")]
    Short,
    /// A number is too large.
    #[error("a number in the header block is too large")]
    Number,
    /// No field has this index.
    #[error("no header field has index {0}")]
    Index(usize),
    /// A string is not in Huffman code.
    #[error("a string in the header block is not in Huffman code")]
    Huffman,
    /// The table's size changes to what it may not be, where it may not, or does not when it must.
    #[error("the size of the header table is wrong")]
    TableSize,
}

/// What is left of a block.
struct Input<'a>(&'a [u8]);

/// Where a literal's string is.
enum Text<'a> {
    Plain(&'a [u8]),
    /// In the buffer that it was decoded to.
    Decoded,
}

// === impl Decoder ===

impl Default for Decoder {
    fn default() -> Self {
        Self {
            table: DynamicTable::new(DEFAULT_TABLE_SIZE),
            limit: DEFAULT_TABLE_SIZE,
            must_shrink: false,
            name: Vec::new(),
            value: Vec::new(),
        }
    }
}

impl Decoder {
    /// Sets what the other side may use of the table, once it has acknowledged that. A smaller table must be told by the next block.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
        self.must_shrink = limit < self.table.max_size();
    }

    /// Hands the fields of a whole block to `field`, in their order.
    ///
    /// # Errors
    /// The block is none. Fields before the mistake were handed out.
    pub fn decode(&mut self, block: &[u8], mut field: impl FnMut(&[u8], &[u8])) -> Result<(), DecodeError> {
        let mut input = Input(block);
        let mut begun = false;
        while let Some(first) = input.0.first().copied() {
            if first & 0xe0 != 0x20 {
                if self.must_shrink {
                    return Err(DecodeError::TableSize);
                }
                begun = true;
            }
            if first & 0x80 != 0 {
                let index = input.number(7)?;
                let (name, value) = self.field(index)?;
                field(name, value);
            } else if first & 0x40 != 0 {
                self.literal(&mut input, 6, true, &mut field)?;
            } else if first & 0x20 != 0 {
                let size = input.number(5)?;
                if begun || size > self.limit {
                    return Err(DecodeError::TableSize);
                }
                self.must_shrink = false;
                self.table.set_max_size(size);
            } else {
                self.literal(&mut input, 4, false, &mut field)?;
            }
        }
        Ok(())
    }

    fn literal(
        &mut self,
        input: &mut Input<'_>,
        bits: u8,
        remember: bool,
        field: &mut impl FnMut(&[u8], &[u8]),
    ) -> Result<(), DecodeError> {
        let index = input.number(bits)?;
        let mut name = Text::Decoded;
        if index == 0 {
            name = input.text(&mut self.name)?;
        } else {
            let known = FIELDS.get(index - 1).map(|(name, _)| *name);
            match known {
                Some(known) => name = Text::Plain(known),
                None => {
                    let mut own = std::mem::take(&mut self.name);
                    own.clear();
                    own.extend_from_slice(self.field(index)?.0);
                    self.name = own;
                }
            }
        }
        let value = input.text(&mut self.value)?;
        let name = name.get(&self.name);
        let value = value.get(&self.value);
        if remember {
            self.table.insert(None, name, value);
        }
        field(name, value);
        Ok(())
    }

    fn field(&self, index: usize) -> Result<(&[u8], &[u8]), DecodeError> {
        let Some(at) = index.checked_sub(1) else { return Err(DecodeError::Index(0)) };
        match FIELDS.get(at) {
            Some((name, value)) => Ok((name, value)),
            None => self.table.get(at - FIELDS.len()).ok_or(DecodeError::Index(index)),
        }
    }
}

// === impl Input ===

impl<'a> Input<'a> {
    fn byte(&mut self) -> Result<u8, DecodeError> {
        let (first, rest) = self.0.split_first().ok_or(DecodeError::Short)?;
        self.0 = rest;
        Ok(*first)
    }

    /// A number that begins in the lowest `bits` of the next byte (RFC 7541 §5.1).
    fn number(&mut self, bits: u8) -> Result<usize, DecodeError> {
        let mask = (1_usize << bits) - 1;
        let mut number = usize::from(self.byte()?) & mask;
        if number < mask {
            return Ok(number);
        }
        let mut shift = 0;
        loop {
            let byte = usize::from(self.byte()?);
            number += (byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
            if shift > 28 {
                return Err(DecodeError::Number);
            }
        }
        if number > MOST { Err(DecodeError::Number) } else { Ok(number) }
    }

    fn text(&mut self, buffer: &mut Vec<u8>) -> Result<Text<'a>, DecodeError> {
        let coded = self.0.first().is_some_and(|byte| byte & 0x80 != 0);
        let length = self.number(7)?;
        let (text, rest) = self.0.split_at_checked(length).ok_or(DecodeError::Short)?;
        self.0 = rest;
        if !coded {
            return Ok(Text::Plain(text));
        }
        buffer.clear();
        huffman::decode(text, buffer).map_err(|huffman::Invalid| DecodeError::Huffman)?;
        Ok(Text::Decoded)
    }
}

// === impl Text ===

impl<'a> Text<'a> {
    fn get(&self, buffer: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Plain(text) => text,
            Self::Decoded => buffer,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    fn fields(decoder: &mut Decoder, block: &[u8]) -> Result<Vec<(String, String)>, DecodeError> {
        let mut fields = Vec::new();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        decoder.decode(block, |name, value| fields.push((text(name), text(value)))).map(|()| fields)
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn examples_of_the_rfc() {
        let mut decoder = Decoder::default();
        let get = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "www.example.com")];
        let first =
            [0x82, 0x86, 0x84, 0x41, 0x8c, 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff];
        assert_eq!(fields(&mut decoder, &first).unwrap(), pairs(&get));
        let second = [0x82, 0x86, 0x84, 0xbe, 0x58, 0x86, 0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf];
        let expected: Vec<_> = get.into_iter().chain([("cache-control", "no-cache")]).collect();
        assert_eq!(fields(&mut decoder, &second).unwrap(), pairs(&expected));
        let third = b"\x40\x0acustom-key\x0ccustom-value\xc0\x10\x08password\x06secret";
        let expected = [("custom-key", "custom-value"), (":authority", "www.example.com"), ("password", "secret")];
        assert_eq!(fields(&mut decoder, third).unwrap(), pairs(&expected));
    }

    #[test]
    fn what_is_no_block() {
        let error = |block: &[u8]| fields(&mut Decoder::default(), block).unwrap_err();
        assert_eq!(error(&[0x80]), DecodeError::Index(0));
        assert_eq!(error(&[0xbe]), DecodeError::Index(62));
        assert_eq!(error(&[0x40, 0x01]), DecodeError::Short);
        assert_eq!(error(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), DecodeError::Number);
        assert_eq!(error(&[0x00, 0x81, 0x00, 0x00]), DecodeError::Huffman);
        assert_eq!(error(&[0x82, 0x20]), DecodeError::TableSize);
        assert_eq!(error(&[0x3f, 0xe2, 0x1f]), DecodeError::TableSize);
    }

    #[test]
    fn a_smaller_table_must_be_told() {
        let mut decoder = Decoder::default();
        decoder.set_limit(0);
        assert_eq!(fields(&mut decoder, &[0x82]), Err(DecodeError::TableSize));
        assert_eq!(fields(&mut decoder, &[0x20, 0x82]).unwrap(), pairs(&[(":method", "GET")]));
        assert_eq!(fields(&mut decoder, &[0x82]).unwrap().len(), 1);
    }

    #[test]
    fn no_bytes_hurt() {
        let mut decoder = Decoder::default();
        let mut state = 1_u64;
        for _ in 0..2000 {
            let block: Vec<u8> = (0..40)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    (state >> 33) as u8
                })
                .collect();
            let _ = fields(&mut decoder, &block);
        }
    }
}
