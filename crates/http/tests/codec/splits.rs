//! However a connection's bytes are cut into reads, the events are the same.

use sandgate_http::h1::{RequestOptions, ResponseOptions};

use crate::request_cases::{more_requests, table_requests};
use crate::response_cases::{more_responses, table_responses};
use crate::transcript::{requests, responses};

/// Cuts of `bytes` (at least one piece): single bytes, two halves everywhere (for short ones), and pieces of pseudo-random lengths.
fn cuts(bytes: &[u8]) -> Vec<Vec<&[u8]>> {
    let mut cuts = vec![vec![bytes], bytes.chunks(1).collect(), bytes.chunks(7).collect()];
    if bytes.len() < 400 {
        cuts.extend((0..bytes.len()).map(|at| vec![&bytes[..at], &bytes[at..]]));
    }
    let mut seed = 0x9e37_79b9_u32;
    for _ in 0..8 {
        let (mut rest, mut pieces) = (bytes, Vec::new());
        while !rest.is_empty() {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (piece, more) = rest.split_at((seed >> 16) as usize % 29 % (rest.len() + 1));
            pieces.push(piece);
            rest = more;
        }
        cuts.push(pieces);
    }
    cuts.retain(|pieces| !pieces.is_empty());
    cuts
}

#[test]
fn requests_do_not_depend_on_reads() {
    let options = RequestOptions { enable_trailers: true, ..RequestOptions::default() };
    for (name, bytes, _) in table_requests().into_iter().chain(more_requests()) {
        let whole = requests(&options, [&bytes[..]]);
        for pieces in cuts(&bytes) {
            assert_eq!(requests(&options, pieces.iter().copied()), whole, "{name}: {:?}", pieces.len());
        }
    }
}

#[test]
fn responses_do_not_depend_on_reads() {
    let options = ResponseOptions { enable_trailers: true, ..ResponseOptions::default() };
    for (name, bytes, _) in table_responses().into_iter().chain(more_responses()) {
        for methods in [&["GET"][..], &["HEAD", "GET"], &["CONNECT"], &["UPGRADE"]] {
            let whole = responses(&options, methods, [&bytes[..]]);
            for pieces in cuts(&bytes) {
                assert_eq!(responses(&options, methods, pieces.iter().copied()), whole, "{name}");
            }
        }
    }
}
