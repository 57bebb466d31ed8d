//! Body through the chain: the data statuses.

use crate::harness::*;
use crate::script::{Act, Answer};

#[test]
fn pieces_pass_as_they_come() {
    both(|d| {
        let mut chain = directed(d, vec![vec![], vec![]]);
        chain.headers(d, false);
        chain.data(d, "one", false);
        chain.data(d, "two", false);
        chain.data(d, "", true);
        assert_eq!(
            seen(&mut chain, d),
            [
                "1: headers",
                "2: headers",
                "1: data 'one'",
                "2: data 'one'",
                "1: data 'two'",
                "2: data 'two'",
                "1: data '' end",
                "2: data '' end"
            ]
        );
        assert_eq!(chain.out(d), ["headers", "data 'one'", "data 'two'", "data '' end"]);
    });
}

#[test]
fn data_come_to_a_filter_stopped_at_headers_and_continue_resumes_headers_first() {
    both(|d| {
        let hold = vec![on(on_headers(d), Answer::Stop), on(on_data(d), Answer::Buffer)];
        let mut chain = directed(d, vec![hold, vec![]]);
        chain.headers(d, false);
        chain.data(d, "one", false);
        assert!(chain.out(d).is_empty());
        chain.data(d, "two", true);
        assert_eq!(
            seen(&mut chain, d),
            ["1: headers", "1: data 'one'", "1: data 'two' end", "2: headers", "2: data 'onetwo' end"]
        );
        assert_eq!(chain.out(d), ["headers", "data 'onetwo' end"]);
    });
}

#[test]
fn buffered_data_is_seen_by_accumulating_as_a_whole() {
    both(|d| {
        let all = || vec![Act::Accumulate(d)];
        let hold = vec![
            on(on_data(d), Answer::Buffer),
            (on_data(d), all(), Answer::Buffer),
            (on_data(d), all(), Answer::Continue),
        ];
        let mut chain = directed(d, vec![hold, vec![]]);
        chain.headers(d, false);
        chain.data(d, "one", false);
        chain.data(d, "two", false);
        assert_eq!(chain.out(d), ["headers"]);
        chain.data(d, "", true);
        assert_eq!(
            seen(&mut chain, d),
            [
                "1: headers",
                "2: headers",
                "1: data 'one'",
                "1: data 'two'",
                "1: all 'onetwo' true",
                "1: data '' end",
                "1: all 'onetwo' true",
                "2: data 'onetwo' end"
            ]
        );
        assert_eq!(chain.out(d), ["data 'onetwo' end"]);
    });
}

#[test]
fn what_is_buffered_can_be_replaced() {
    both(|d| {
        let hold = vec![
            on(on_data(d), Answer::Buffer),
            (on_data(d), vec![Act::Accumulate(d), Act::ReplaceBuffer(d, "X")], Answer::Continue),
        ];
        let mut chain = directed(d, vec![hold]);
        chain.headers(d, false);
        chain.data(d, "one", false);
        chain.data(d, "two", false);
        chain.data(d, "three", true);
        assert_eq!(chain.out(d), ["headers", "data 'X'", "data 'three' end"]);
    });
}

#[test]
fn a_piece_can_be_replaced() {
    both(|d| {
        let mut chain = directed(d, vec![vec![(on_data(d), vec![Act::Replace("XY")], Answer::Continue)], vec![]]);
        chain.headers(d, false);
        chain.data(d, "one", true);
        assert_eq!(chain.out(d), ["headers", "data 'XY' end"]);
    });
}

#[test]
fn no_buffer_drops_the_piece_and_an_empty_one_carries_the_end() {
    both(|d| {
        let hold = vec![on(on_data(d), Answer::NoBuffer), on(on_data(d), Answer::NoBuffer)];
        let mut chain = directed(d, vec![hold, vec![]]);
        chain.headers(d, false);
        chain.data(d, "one", false);
        chain.data(d, "", true);
        assert_eq!(chain.out(d), ["headers"]);
        let first = index_of(&chain, d, 1);
        chain.outside(first, |cb| cb.continue_iteration(d));
        assert_eq!(chain.out(d), ["data '' end"]);
    });
}

#[test]
fn no_buffer_then_continue_passes_only_the_later_piece() {
    both(|d| {
        let mut chain = directed(d, vec![vec![on(on_data(d), Answer::NoBuffer)], vec![]]);
        chain.headers(d, false);
        chain.data(d, "one", false);
        chain.data(d, "two", true);
        assert_eq!(chain.out(d), ["headers", "data 'two' end"]);
    });
}

#[test]
fn watermark_keeps_what_it_stops() {
    both(|d| {
        let mut chain = directed(d, vec![vec![on(on_data(d), Answer::Watermark)], vec![]]);
        chain.headers(d, false);
        chain.data(d, "one", false);
        assert_eq!(chain.out(d), ["headers"]);
        chain.data(d, "two", false);
        assert_eq!(chain.out(d), ["data 'onetwo'"]);
        chain.data(d, "three", true);
        assert_eq!(chain.out(d), ["data 'three' end"]);
    });
}

#[test]
fn a_later_filter_buffers_what_an_earlier_one_released_in_place() {
    both(|d| {
        let first = vec![on(on_data(d), Answer::Buffer), (on_data(d), vec![Act::Accumulate(d)], Answer::Continue)];
        let second = vec![on(on_data(d), Answer::Buffer), (on_data(d), vec![Act::Accumulate(d)], Answer::Continue)];
        let mut chain = directed(d, vec![first, second, vec![]]);
        chain.headers(d, false);
        chain.data(d, "one", false);
        chain.data(d, "two", false);
        chain.data(d, "three", true);
        assert_eq!(
            seen(&mut chain, d),
            [
                "1: headers",
                "2: headers",
                "3: headers",
                "1: data 'one'",
                "1: data 'two'",
                "1: all 'onetwo' true",
                "2: data 'onetwo'",
                "1: data 'three' end",
                "2: data 'three' end",
                "2: all 'onetwothree' true",
                "3: data 'onetwothree' end"
            ]
        );
        assert_eq!(chain.out(d), ["headers", "data 'onetwothree' end"]);
    });
}

#[test]
fn data_added_while_a_piece_passes_is_not_lost() {
    both(|d| {
        let add = vec![(on_data(d), vec![Act::Add(d, "+")], Answer::Continue)];
        let mut chain = directed(d, vec![add, vec![]]);
        chain.headers(d, false);
        chain.data(d, "one", false);
        chain.data(d, "two", true);
        assert_eq!(chain.out(d), ["headers", "data '+one'", "data 'two' end"]);
    });
}

#[test]
fn body_bytes_are_counted_before_and_after_the_filters() {
    let mut chain = chain(vec![vec![
        (on_data(REQ), vec![Act::Replace("1234567")], Answer::Continue),
        (on_data(RES), vec![Act::Replace("12")], Answer::Continue),
    ]]);
    chain.req_headers(false);
    chain.req_data("123", true);
    chain.res_headers(false);
    chain.res_data("1234", true);
    let stream = chain.manager.stream();
    assert_eq!((stream.info().bytes_received, stream.info().bytes_sent), (3, 2));
}
