//! The Huffman code of RFC 7541, appendix B. It is canonical: the lengths of the codes tell the codes.

use super::tables::CODE_LENGTHS;

/// The code of each byte, its value and its length in bits.
fn codes() -> Vec<(u32, u32)> {
    let mut order: Vec<usize> = (0..CODE_LENGTHS.len()).collect();
    order.sort_by_key(|&byte| (CODE_LENGTHS[byte], byte));
    let mut codes = vec![(0, 0); CODE_LENGTHS.len()];
    let (mut code, mut length) = (0_u32, 5);
    for byte in order {
        code <<= CODE_LENGTHS[byte] - length;
        length = CODE_LENGTHS[byte];
        codes[byte] = (code, u32::from(length));
        code += 1;
    }
    codes
}

/// Encodes, padded with ones.
pub(crate) fn encode(text: &str) -> Vec<u8> {
    let codes = codes();
    let bits = text.bytes().flat_map(|byte| {
        let (code, length) = codes[usize::from(byte)];
        (0..length).rev().map(move |bit| code >> bit & 1 == 1)
    });
    let bits: Vec<bool> = bits.collect();
    bits.chunks(8)
        .map(|chunk| (0..8).fold(0, |byte, at| byte << 1 | u8::from(*chunk.get(at).unwrap_or(&true))))
        .collect()
}

/// Decodes; panics if the end is not a padding of less than eight ones.
pub(super) fn decode(bytes: &[u8]) -> Vec<u8> {
    let codes = codes();
    let mut text = Vec::new();
    let (mut code, mut length) = (0_u32, 0_u32);
    for bit in bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| u32::from(byte >> at & 1))) {
        (code, length) = (code << 1 | bit, length + 1);
        if let Some(byte) = codes.iter().position(|entry| *entry == (code, length)) {
            text.push(u8::try_from(byte).unwrap());
            (code, length) = (0, 0);
        }
    }
    assert!(length < 8 && code + 1 == 1 << length, "bad padding");
    text
}
