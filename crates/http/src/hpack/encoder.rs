//! From fields to header blocks.

use super::dynamic_table::{DynamicTable, Tag};
use super::static_table::{self, FIELDS};
use super::{DEFAULT_TABLE_SIZE, huffman};

/// One side's encoder.
///
/// It decides as Envoy 1.40 (nghttp2) does what is remembered, so that blocks have the same bytes.
#[derive(Debug)]
pub struct Encoder {
    table: DynamicTable,
    /// The smallest size that the table had since the last block.
    smallest: Option<usize>,
}

/// Whether a field is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Indexing {
    Yes,
    No,
    /// Nor may anybody who passes it on.
    Never,
}

// === impl Encoder ===

impl Default for Encoder {
    fn default() -> Self {
        Self { table: DynamicTable::new(DEFAULT_TABLE_SIZE), smallest: None }
    }
}

impl Encoder {
    /// The other side's decoder remembers so many bytes. More than [`DEFAULT_TABLE_SIZE`] is not used.
    pub fn set_limit(&mut self, limit: usize) {
        let size = limit.min(DEFAULT_TABLE_SIZE);
        if size != self.table.max_size() || self.smallest.is_some() {
            self.smallest = Some(self.smallest.map_or(size, |smallest| smallest.min(size)));
            self.table.set_max_size(size);
        }
    }

    /// Appends a block of these fields, in their order, to `block`.
    pub fn encode<'a>(&mut self, fields: impl Iterator<Item = (&'a [u8], &'a [u8])>, block: &mut Vec<u8>) {
        if let Some(smallest) = self.smallest.take() {
            let size = self.table.max_size();
            if smallest < size {
                number(smallest, 5, 0x20, block);
            }
            number(size, 5, 0x20, block);
        }
        for (name, value) in fields {
            self.field(name, value, block);
        }
    }

    fn field(&mut self, name: &[u8], value: &[u8], block: &mut Vec<u8>) {
        let indexing = self.indexing(name, value);
        let known = static_table::find(name);
        let exact = indexing != Indexing::Never;
        if exact
            && let Some(known) = known
            && let Some(at) =
                FIELDS.iter().skip(known).take_while(|(other, _)| *other == name).position(|(_, other)| *other == value)
        {
            return number(known + at + 1, 7, 0x80, block);
        }
        let tag = Tag::new(name, value);
        let index_of = |age| age + FIELDS.len() + 1;
        if exact && let Some(age) = self.table.find_field(tag, name, value) {
            return number(index_of(age), 7, 0x80, block);
        }
        let index = match known {
            Some(known) => Some(known + 1),
            None => self.table.find_name(tag, name).map(index_of),
        };
        let (bits, first) = match indexing {
            Indexing::Yes => (6, 0x40),
            Indexing::No => (4, 0),
            Indexing::Never => (4, 0x10),
        };
        number(index.unwrap_or(0), bits, first, block);
        if index.is_none() {
            text(name, block);
        }
        text(value, block);
        if indexing == Indexing::Yes {
            self.table.insert(Some(tag), name, value);
        }
    }

    fn indexing(&self, name: &[u8], value: &[u8]) -> Indexing {
        match name {
            b"authorization" => Indexing::Never,
            b"cookie" if value.len() < 20 => Indexing::Never,
            b":path" | b"age" | b"content-length" | b"etag" | b"if-modified-since" | b"if-none-match" | b"location"
            | b"set-cookie" => Indexing::No,
            _ if (name.len() + value.len() + 32) > self.table.max_size() * 3 / 4 => Indexing::No,
            _ => Indexing::Yes,
        }
    }
}

/// A number that begins in the lowest `bits` of a byte (RFC 7541 §5.1).
fn number(mut number: usize, bits: u8, first: u8, block: &mut Vec<u8>) {
    let mask = (1_usize << bits) - 1;
    if number < mask {
        block.push(first | number as u8);
        return;
    }
    block.push(first | mask as u8);
    number -= mask;
    while number >= 0x80 {
        block.push(number as u8 | 0x80);
        number >>= 7;
    }
    block.push(number as u8);
}

/// A string, in Huffman code if that is shorter.
fn text(text: &[u8], block: &mut Vec<u8>) {
    let coded = huffman::encoded_len(text);
    if coded < text.len() {
        number(coded, 7, 0x80, block);
        huffman::encode(text, block);
    } else {
        number(text.len(), 7, 0, block);
        block.extend_from_slice(text);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::super::Decoder;
    use super::*;

    fn encode(encoder: &mut Encoder, fields: &[(&str, &str)]) -> Vec<u8> {
        let mut block = Vec::new();
        encoder.encode(fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())), &mut block);
        block
    }

    #[test]
    fn an_example_of_the_rfc() {
        let mut encoder = Encoder::default();
        let get = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "www.example.com")];
        let first =
            [0x82, 0x86, 0x84, 0x41, 0x8c, 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff];
        assert_eq!(encode(&mut encoder, &get), first);
        assert_eq!(encode(&mut encoder, &get), [0x82, 0x86, 0x84, 0xbe]);
    }

    #[test]
    fn secrets_are_never_remembered() {
        let mut encoder = Encoder::default();
        let block = encode(&mut encoder, &[("authorization", "!")]);
        assert_eq!(block, [0x1f, 0x08, 0x01, b'!']);
        assert_eq!(encode(&mut encoder, &[("authorization", "!")]), block);
        assert_eq!(encode(&mut encoder, &[("content-length", "!")]), [0x0f, 0x0d, 0x01, b'!']);
    }

    #[test]
    fn everything_survives() {
        let (mut encoder, mut decoder) = (Encoder::default(), Decoder::default());
        for round in 0..300_usize {
            let size = [4096, 100, 0, 8192][round % 4];
            if round % 7 == 0 {
                encoder.set_limit(size);
            }
            let fields: Vec<(Vec<u8>, Vec<u8>)> = (0..round % 40)
                .map(|at| (format!("name-{}", at % 5).into_bytes(), vec![at as u8; (at * round) % 300]))
                .chain([(b":status".to_vec(), b"200".to_vec())])
                .collect();
            let mut block = Vec::new();
            encoder.encode(fields.iter().map(|(name, value)| (&name[..], &value[..])), &mut block);
            let mut seen = Vec::new();
            decoder.decode(&block, |name, value| seen.push((name.to_vec(), value.to_vec()))).unwrap();
            assert_eq!(seen, fields, "round {round}");
        }
    }
}
