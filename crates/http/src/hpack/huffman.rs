//! Strings in HPACK's static Huffman code.

use super::huffman_code::{END, LENGTHS, LONGEST};

/// Symbols whose codes have at most so many bits are found by one look.
const SHORT: usize = 8;

/// The code of each symbol.
static CODES: [u32; END + 1] = CODE.codes;
/// By the next [`SHORT`] bits: the symbol and the length of its code, which is 0 if it is longer.
static LOOKUP: [(u8, u8); 1 << SHORT] = CODE.lookup;
/// By length: the first code of that length, and where its symbol is in `SYMBOLS`.
static FIRST: [(u32, usize); LONGEST + 2] = CODE.first;
/// In the order of their codes.
static SYMBOLS: [u16; END + 1] = CODE.symbols;

const CODE: Code = Code::new();

/// The code, made of its lengths.
struct Code {
    codes: [u32; END + 1],
    lookup: [(u8, u8); 1 << SHORT],
    first: [(u32, usize); LONGEST + 2],
    symbols: [u16; END + 1],
}

/// The string is not what the code yields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Invalid;

// === impl Code ===

impl Code {
    #[allow(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "computed while the program is compiled"
    )]
    const fn new() -> Self {
        let mut this = Self {
            codes: [0; END + 1],
            lookup: [(0, 0); 1 << SHORT],
            first: [(0, 0); LONGEST + 2],
            symbols: [0; END + 1],
        };
        let (mut code, mut count, mut length) = (0_u32, 0, 1);
        while length <= LONGEST {
            this.first[length] = (code, count);
            let mut symbol = 0;
            while symbol <= END {
                if LENGTHS[symbol] as usize == length {
                    this.codes[symbol] = code;
                    this.symbols[count] = symbol as u16;
                    if length <= SHORT {
                        let from = (code as usize) << (SHORT - length);
                        let mut at = from;
                        while at < from + (1 << (SHORT - length)) {
                            this.lookup[at] = (symbol as u8, length as u8);
                            at += 1;
                        }
                    }
                    code += 1;
                    count += 1;
                }
                symbol += 1;
            }
            code <<= 1;
            length += 1;
        }
        this.first[LONGEST + 1] = (code, count);
        this
    }
}

/// Appends what `input` says to `output`.
pub(super) fn decode(input: &[u8], output: &mut Vec<u8>) -> Result<(), Invalid> {
    // The next bits are the highest ones.
    let (mut window, mut bits) = (0_u64, 0_u32);
    let mut bytes = input.iter();
    loop {
        while bits <= 56 {
            let Some(byte) = bytes.next() else { break };
            window |= u64::from(*byte) << (56 - bits);
            bits += 8;
        }
        let (symbol, length) = match LOOKUP.get((window >> (64 - SHORT)) as usize) {
            Some((symbol, length)) if *length > 0 => (*symbol, u32::from(*length)),
            _ => match long(window) {
                (Ok(symbol), length) => (symbol, length),
                // Nothing but padding may begin like the symbol of the end.
                (Err(_), length) if length > bits => break,
                (Err(Invalid), _) => return Err(Invalid),
            },
        };
        if length > bits {
            break;
        }
        output.push(symbol);
        window <<= length;
        bits -= length;
    }
    // What is left is padding: ones, less than a byte.
    let padded = bits < 8 && window | (u64::MAX >> bits) == u64::MAX;
    padded.then_some(()).ok_or(Invalid)
}

/// The symbol of a code that is not short, and the length of the code.
fn long(window: u64) -> (Result<u8, Invalid>, u32) {
    for length in SHORT as u32 + 1..=LONGEST as u32 {
        let code = (window >> (64 - length)) as u32;
        let (Some((first, at)), Some((_, next))) = (FIRST.get(length as usize), FIRST.get(length as usize + 1)) else {
            break;
        };
        let index = at + code.wrapping_sub(*first) as usize;
        if code >= *first && index < *next {
            let symbol = SYMBOLS.get(index).and_then(|symbol| u8::try_from(*symbol).ok());
            return (symbol.ok_or(Invalid), length);
        }
    }
    (Err(Invalid), LONGEST as u32)
}

/// How many bytes `input` has in the code.
pub(super) fn encoded_len(input: &[u8]) -> usize {
    let bits: usize =
        input.iter().map(|byte| LENGTHS.get(usize::from(*byte)).map_or(0, |bits| usize::from(*bits))).sum();
    bits.div_ceil(8)
}

/// Appends `input` in the code to `output`.
pub(super) fn encode(input: &[u8], output: &mut Vec<u8>) {
    // The last bits are the lowest ones.
    let (mut window, mut bits) = (0_u64, 0_u32);
    for byte in input {
        let at = usize::from(*byte);
        let (Some(code), Some(length)) = (CODES.get(at), LENGTHS.get(at)) else { continue };
        window = window << length | u64::from(*code);
        bits += u32::from(*length);
        while bits >= 8 {
            bits -= 8;
            output.push((window >> bits) as u8);
        }
    }
    if bits > 0 {
        let padding = 8 - bits;
        output.push((window << padding) as u8 | (u8::MAX >> bits));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    fn decoded(input: &[u8]) -> Result<Vec<u8>, Invalid> {
        let mut output = Vec::new();
        decode(input, &mut output).map(|()| output)
    }

    #[test]
    fn examples_of_the_rfc() {
        let www = [0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff];
        assert_eq!(decoded(&www).unwrap(), b"www.example.com");
        assert_eq!(decoded(&[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf]).unwrap(), b"no-cache");
        assert_eq!(decoded(&[]).unwrap(), b"");
    }

    #[test]
    fn every_string_survives() {
        let all: Vec<u8> = (0..=255).collect();
        for from in 0..all.len() {
            let input = all.get(from..).unwrap();
            let mut coded = Vec::new();
            encode(input, &mut coded);
            assert_eq!(coded.len(), encoded_len(input));
            assert_eq!(decoded(&coded).unwrap(), input);
        }
    }

    #[test]
    fn wrong_ends() {
        // A whole byte of padding, padding with a zero, the symbol of the end.
        assert_eq!(decoded(&[0x1f, 0xff]), Err(Invalid));
        assert_eq!(decoded(&[0x1e]), Err(Invalid));
        assert_eq!(decoded(&[0xff, 0xff, 0xff, 0xff]), Err(Invalid));
        assert_eq!(decoded(&[0xff]), Err(Invalid));
        assert_eq!(decoded(&[0x1f]).unwrap(), b"a");
    }
}
