//! Header blocks that are wrong: h2spec's section `hpack`. All are connection errors of type `COMPRESSION_ERROR`, since the state of
//! the decoder is lost (RFC 9113, section 4.3).

use crate::connection::{Connection, get};
use crate::frame::{WHOLE, code, headers};
use crate::hpack::{Indexing, block, coded, huffman, indexed, integer, literal, plain, table_size};

/// A request whose block is `before`, `GET /` and `after`.
fn refused(before: &[u8], after: &[u8]) {
    let mut connection = Connection::open();
    connection.send(headers(1, WHOLE, [before, &block(get()), after].concat()));
    connection.expect_connection_error(&[code::COMPRESSION_ERROR]);
}

/// A field `x-test` with a value in Huffman code.
fn refused_code(codes: &[u8]) {
    refused(&[], &literal(Indexing::Without, 0, &[plain("x-test"), coded(codes)]));
}

/// `test`, and the bits of its padding.
fn test_code() -> Vec<u8> {
    let codes = huffman("test");
    // t, e, s, t are 6, 5, 5 and 6 bits: the last byte holds 6 bits, then 2 bits of padding.
    assert_eq!(codes.len(), 3);
    codes
}

#[test]
fn s2_3_3_an_index_beyond_the_tables() {
    refused(&[], &indexed(70));
}

#[test]
fn s2_3_3_a_name_beyond_the_tables() {
    refused(&[], &literal(Indexing::Incremental, 70, &[plain("h2spec")]));
}

#[test]
fn s2_3_3_an_evicted_entry() {
    let entry = literal(Indexing::Incremental, 0, &[plain("x-test"), plain("1")]);
    refused(&[], &[entry, indexed(63)].concat());
}

#[test]
fn s4_2_a_table_size_update_at_the_end() {
    refused(&[], &table_size(1));
}

#[test]
fn s5_1_an_integer_that_overflows() {
    refused(&[], &[&[0xff], &[0xff; 12][..]].concat());
}

#[test]
fn s5_1_an_integer_that_does_not_end() {
    refused(&[], &[0xff, 0x80]);
}

#[test]
fn s5_2_padding_of_more_than_seven_bits() {
    refused_code(&[&test_code()[..], &[0xff]].concat());
}

#[test]
fn s5_2_padding_of_zeros() {
    let mut codes = test_code();
    codes[2] &= 0b1111_1100;
    refused_code(&codes);
}

#[test]
fn s5_2_the_end_of_string_within_a_string() {
    // 30 ones, then `t`, the rest ones.
    refused_code(&[0xff, 0xff, 0xff, 0xfd, 0x25, 0x42, 0x7f]);
}

#[test]
fn s5_2_a_string_longer_than_the_block() {
    refused(&[], &literal(Indexing::Without, 0, &[integer(0, 7, 100), b"short".to_vec()]));
}

#[test]
fn s6_1_index_zero() {
    refused(&[], &indexed(0));
}

#[test]
fn s6_2_a_literal_without_a_value() {
    refused(&[], &literal(Indexing::Without, 58, &[]));
}

#[test]
fn s6_3_a_table_larger_than_the_setting() {
    refused(&table_size(4097), &[]);
}
