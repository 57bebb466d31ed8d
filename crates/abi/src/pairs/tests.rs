#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use super::*;

const EXAMPLE: [u8; 29] = [
    2, 0, 0, 0, // count
    1, 0, 0, 0, 1, 0, 0, 0, // lengths of a: 1
    1, 0, 0, 0, 2, 0, 0, 0, // lengths of b: 22
    b'a', 0, b'1', 0, b'b', 0, b'2', b'2', 0,
];

fn encoded(pairs: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    encode(pairs.iter().copied(), &mut out);
    assert_eq!(out.len(), encoded_len(pairs.iter().copied()));
    out
}

#[test]
fn the_worked_example_goes_both_ways() {
    assert_eq!(encoded(&[(b"a", b"1"), (b"b", b"22")]), EXAMPLE);
    let pairs: Vec<_> = decode(&EXAMPLE).unwrap().collect();
    assert_eq!(pairs, [(b"a".as_slice(), b"1".as_slice()), (b"b", b"22")]);
}

#[test]
fn order_duplicates_and_odd_bytes_survive() {
    let pairs: [(&[u8], &[u8]); 4] = [(b"x", b"\xff\0y"), (b"", b""), (b"x", b"2"), (b"a\0b", b"")];
    let bytes = encoded(&pairs);
    assert_eq!(decode(&bytes).unwrap().collect::<Vec<_>>(), pairs);
    assert_eq!(decode(&bytes).unwrap().len(), 4);
}

#[test]
fn three_empty_forms_are_read_and_one_is_written() {
    for empty in [&[][..], &[0], &[0, 0, 0, 0]] {
        assert_eq!(decode(empty).unwrap().count(), 0);
    }
    assert!(encoded(&[]).is_empty());
}

#[test]
fn encode_appends() {
    let mut out = vec![9];
    encode([(b"a".as_slice(), b"1".as_slice()), (b"b", b"22")].into_iter(), &mut out);
    assert_eq!(out.split_first().unwrap(), (&9, &EXAMPLE[..]));
}

#[test]
fn malformed_maps_are_refused() {
    assert_eq!(decode(&[&EXAMPLE[..], &[0, 0]].concat()).unwrap_err(), Malformed::TrailingBytes(2));
    assert_eq!(decode(&[1]).unwrap_err(), Malformed::Truncated);
    assert_eq!(decode(&[0, 0]).unwrap_err(), Malformed::Truncated);
    for cut in 4..EXAMPLE.len() {
        assert_eq!(decode(&EXAMPLE[..cut]).unwrap_err(), Malformed::Truncated, "cut at {cut}");
    }
    let mut no_nul = EXAMPLE.to_vec();
    *no_nul.last_mut().unwrap() = b'x';
    assert_eq!(decode(&no_nul).unwrap_err(), Malformed::MissingNul);
}

#[test]
fn extreme_lengths_are_refused() {
    let mut bytes = EXAMPLE.to_vec();
    bytes[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(decode(&bytes).unwrap_err(), Malformed::Truncated);
    bytes[..4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(decode(&bytes).unwrap_err(), Malformed::TooManyPairs(u32::MAX));
    let long = vec![0; MAX_ENCODED_LEN + 1];
    assert_eq!(decode(&long).unwrap_err(), Malformed::TooLong(MAX_ENCODED_LEN + 1));
}

#[test]
fn the_limit_of_pairs_is_inclusive() {
    let pair = (b"k".as_slice(), b"v".as_slice());
    assert_eq!(decode(&encoded(&vec![pair; MAX_PAIRS])).unwrap().len(), MAX_PAIRS);
    let over = encoded(&vec![pair; MAX_PAIRS + 1]);
    assert_eq!(decode(&over).unwrap_err(), Malformed::TooManyPairs(1025));
}
