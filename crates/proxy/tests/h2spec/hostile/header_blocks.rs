//! Header blocks that are large, or become so.

use super::{Outcome, flood};
use crate::connection::{Connection, Event, get, request};
use crate::frame::{END_HEADERS, END_STREAM, WHOLE, continuation, data, headers, kind};
use crate::hpack::{Indexing, block, indexed, integer, literal, plain};
use crate::target::{CONFIG, Proxy};

/// Sends frames of stream 1: it is refused by a reset, an answer of 431 or the end of the connection, whatever; the server lives on.
fn refused(frames: &[u8]) {
    let proxy = Proxy::new(CONFIG);
    let mut client = Connection::open_to(proxy.address(), &[]);
    client.send(frames);
    loop {
        match client.next() {
            Event::Closed => break,
            Event::Frame(frame, fields) => match frame.kind {
                kind::RST_STREAM | kind::GOAWAY => break,
                kind::HEADERS => {
                    assert_eq!(fields[0].1, "431", "{fields:?}");
                    break;
                }
                _ => {}
            },
        }
    }
    proxy.expect_stat("http.in.downstream_rq_active", 0);
    proxy.expect_serving();
    drop(client);
    proxy.expect_idle();
}

/// A block that begins as `GET /`, in as many frames as it needs.
fn in_frames(block: &[u8]) -> Vec<u8> {
    let pieces: Vec<_> = block.chunks(16_384).collect();
    let (first, rest) = pieces.split_first().unwrap();
    let mut frames = headers(1, if rest.is_empty() { WHOLE } else { END_STREAM }, first);
    for (at, piece) in rest.iter().enumerate() {
        frames.extend(continuation(1, if at + 1 == rest.len() { END_HEADERS } else { 0 }, piece));
    }
    frames
}

#[test]
fn a_bomb_of_indexed_fields() {
    // One field of 3,900 bytes, then a byte for each time it is repeated: 39 MB.
    let entry = literal(Indexing::Incremental, 0, &[plain("x-a"), plain("v".repeat(3900))]);
    refused(&in_frames(&[block(get()), entry, indexed(62).repeat(10_000)].concat()));
}

#[test]
fn a_bomb_in_trailers() {
    let entry = literal(Indexing::Incremental, 0, &[plain("x-a"), plain("v".repeat(3900))]);
    let bomb = [entry, indexed(62).repeat(10_000)].concat();
    refused(
        &[headers(1, END_HEADERS, block(request("POST", "/never"))), data(1, 0, "x"), headers(1, WHOLE, bomb)].concat(),
    );
}

#[test]
fn more_trailers_than_allowed() {
    let fields: Vec<_> = (0..150).map(|at| (format!("x-{at}"), "y")).collect();
    let trailers = headers(1, WHOLE, block(fields));
    refused(&[headers(1, END_HEADERS, block(request("POST", "/never"))), data(1, 0, "x"), trailers].concat());
}

#[test]
fn more_fields_than_allowed() {
    let fields: Vec<_> = (0..150).map(|at| (format!("x-{at}"), "y")).collect();
    refused(&in_frames(&[block(get()), block(fields)].concat()));
}

#[test]
fn fields_larger_than_allowed() {
    let fields: Vec<_> = (0..4).map(|at| (format!("x-{at}"), "v".repeat(16_000))).collect();
    refused(&in_frames(&[block(get()), block(fields)].concat()));
}

#[test]
fn one_field_of_a_mebibyte() {
    refused(&in_frames(&[block(get()), block([("x", "v".repeat(1 << 20))])].concat()));
}

#[test]
fn a_length_that_never_comes() {
    // A string of 2 GiB is announced; only what is there may be kept.
    let announced = [literal(Indexing::Without, 0, &[plain("x")]), integer(0, 7, 1 << 31)].concat();
    refused(&in_frames(&[block(get()), announced].concat()));
}

#[test]
fn table_changes_without_end() {
    let changes = [0x20, 0x3f, 0xe1, 0x1f].repeat(100_000);
    let proxy = Proxy::new(CONFIG);
    let mut client = Connection::open_to(proxy.address(), &[]);
    client.send(in_frames(&[changes, block(get())].concat()));
    proxy.expect_serving();
    drop(client);
    proxy.expect_idle();
}

#[test]
fn a_block_that_does_not_end() {
    let proxy = Proxy::new(CONFIG);
    let mut client = Connection::open_to(proxy.address(), &[]);
    client.send(headers(1, END_STREAM, block(get())));
    let more = continuation(1, 0, block([("x-a", "b".repeat(100))]));
    assert_eq!(flood(&mut client, &more, 64 * 1024 * 1024), Outcome::Closed);
    proxy.expect_idle();
    proxy.expect_serving();
}
