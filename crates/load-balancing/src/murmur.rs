//! MurmurHash2 in 64 bits, as GNU's `std::hash` uses it: the seed is `0xc70f6907`.

const SEED: u64 = 0xc70f_6907;
const MULTIPLIER: u64 = 0xc6a4_a793_5bd1_e995;

/// The hash of `bytes`.
pub(crate) fn murmur_hash_2(bytes: &[u8]) -> u64 {
    let mut hash = SEED ^ (bytes.len() as u64).wrapping_mul(MULTIPLIER);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let mixed = shift_mix(u64::from_le_bytes(*word).wrapping_mul(MULTIPLIER)).wrapping_mul(MULTIPLIER);
        hash = (hash ^ mixed).wrapping_mul(MULTIPLIER);
    }
    if !rest.is_empty() {
        let last = rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
        hash = (hash ^ last).wrapping_mul(MULTIPLIER);
    }
    shift_mix(shift_mix(hash).wrapping_mul(MULTIPLIER))
}

fn shift_mix(value: u64) -> u64 {
    value ^ (value >> 47)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What g++'s `std::hash<std::string>` gave.
    #[test]
    fn known_hashes() {
        for (text, hash) in KNOWN {
            assert_eq!(murmur_hash_2(text.as_bytes()), *hash, "{text}");
        }
    }

    #[rustfmt::skip]
    const KNOWN: &[(&str, u64)] = &[
        ("", 6142509188972423790), ("a", 4993892634952068459), ("abcdefg", 16063891478991045295),
        ("abcdefgh", 8664279048047335611), ("abcdefghi", 13036955925923793583),
        ("127.0.0.1:1_0", 5652476137409510948), ("127.0.0.1:8080_1023", 16180194924655831804),
    ];
}
