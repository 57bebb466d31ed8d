//! HPACK as RFC 7541 describes it: a decoder for what servers send, and the pieces of header blocks, right and wrong ones.

mod huffman;
mod tables;

pub(crate) use huffman::encode as huffman;

use std::collections::VecDeque;

/// Names and values in order.
pub(crate) type Fields = Vec<(String, String)>;

/// How a literal treats the dynamic table (RFC 7541, section 6.2).
#[derive(Clone, Copy)]
pub(crate) enum Indexing {
    Incremental,
    Without,
    Never,
}

// === encoding ===

/// An integer with a prefix of `bits`, the bits before it set as in `first` (section 5.1).
pub(crate) fn integer(first: u8, bits: u32, value: usize) -> Vec<u8> {
    let limit = (1_usize << bits) - 1;
    if value < limit {
        return vec![first | u8::try_from(value).unwrap()];
    }
    let mut bytes = vec![first | u8::try_from(limit).unwrap()];
    let mut rest = value - limit;
    while rest >= 128 {
        bytes.push(u8::try_from(rest % 128).unwrap() | 0x80);
        rest /= 128;
    }
    bytes.push(u8::try_from(rest).unwrap());
    bytes
}

/// A string as it is (section 5.2).
pub(crate) fn plain(text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    [&integer(0, 7, text.len())[..], text].concat()
}

/// A string of Huffman codes; `codes` may be wrong.
pub(crate) fn coded(codes: &[u8]) -> Vec<u8> {
    [&integer(0x80, 7, codes.len())[..], codes].concat()
}

/// An entry of the tables (section 6.1).
pub(crate) fn indexed(index: usize) -> Vec<u8> {
    integer(0x80, 7, index)
}

/// A literal whose name is in the tables, or, with index 0, is the beginning of `strings` (section 6.2).
pub(crate) fn literal(indexing: Indexing, name: usize, strings: &[Vec<u8>]) -> Vec<u8> {
    let (first, bits) = match indexing {
        Indexing::Incremental => (0x40, 6),
        Indexing::Without => (0, 4),
        Indexing::Never => (0x10, 4),
    };
    [integer(first, bits, name), strings.concat()].concat()
}

/// A change of the dynamic table's size (section 6.3).
pub(crate) fn table_size(size: usize) -> Vec<u8> {
    integer(0x20, 5, size)
}

/// A header block of plain literals without indexing: it does not depend on what was sent before.
pub(crate) fn block<N: AsRef<[u8]>, V: AsRef<[u8]>>(fields: impl IntoIterator<Item = (N, V)>) -> Vec<u8> {
    let field = |(name, value): (N, V)| literal(Indexing::Without, 0, &[plain(name), plain(value)]);
    fields.into_iter().flat_map(field).collect()
}

// === decoding ===

/// Decodes the header blocks of one connection.
#[derive(Debug)]
pub(crate) struct Decoder {
    dynamic: VecDeque<(String, String)>,
    size: usize,
    limit: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { dynamic: VecDeque::new(), size: 0, limit: 4096 }
    }
}

impl Decoder {
    /// The fields of a block. Panics if it is wrong: servers under test must write it right.
    pub(crate) fn decode(&mut self, mut block: &[u8]) -> Fields {
        let mut fields = Fields::new();
        while let Some(&first) = block.first() {
            if first & 0x80 != 0 {
                fields.push(self.entry(read_integer(&mut block, 7)));
            } else if first & 0xe0 == 0x20 {
                assert!(fields.is_empty(), "a change of the table's size after fields");
                self.limit = read_integer(&mut block, 5);
                self.evict();
            } else {
                let incremental = first & 0x40 != 0;
                let index = read_integer(&mut block, if incremental { 6 } else { 4 });
                let name = if index == 0 { read_string(&mut block) } else { self.entry(index).0 };
                let value = read_string(&mut block);
                if incremental {
                    self.size += name.len() + value.len() + 32;
                    self.dynamic.push_front((name.clone(), value.clone()));
                    self.evict();
                }
                fields.push((name, value));
            }
        }
        fields
    }

    fn entry(&self, index: usize) -> (String, String) {
        assert!(index > 0, "index 0");
        match tables::STATIC.get(index - 1) {
            Some((name, value)) => ((*name).to_owned(), (*value).to_owned()),
            None => self.dynamic[index - 1 - tables::STATIC.len()].clone(),
        }
    }

    fn evict(&mut self) {
        while self.size > self.limit {
            let (name, value) = self.dynamic.pop_back().unwrap();
            self.size -= name.len() + value.len() + 32;
        }
    }
}

fn read_integer(block: &mut &[u8], bits: u32) -> usize {
    let limit = (1_usize << bits) - 1;
    let mut next = || {
        let (&byte, rest) = block.split_first().expect("a block that ends within an integer");
        *block = rest;
        usize::from(byte)
    };
    let mut value = next() & limit;
    if value == limit {
        for shift in (0..).step_by(7) {
            let byte = next();
            value += (byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
    }
    value
}

fn read_string(block: &mut &[u8]) -> String {
    let is_coded = block.first().is_some_and(|first| first & 0x80 != 0);
    let length = read_integer(block, 7);
    let (bytes, rest) = block.split_at(length);
    *block = rest;
    let bytes = if is_coded { huffman::decode(bytes) } else { bytes.to_vec() };
    String::from_utf8(bytes).unwrap()
}
