//! Trailers through the chain.

use crate::harness::*;
use crate::script::{Act, Answer};

#[test]
fn trailers_end_without_an_end_on_the_body() {
    both(|d| {
        let mut chain = directed(d, vec![vec![], vec![]]);
        chain.headers(d, false);
        chain.data(d, "one", false);
        chain.trailers(d);
        assert_eq!(
            seen(&mut chain, d),
            ["1: headers", "2: headers", "1: data 'one'", "2: data 'one'", "1: trailers", "2: trailers"]
        );
        assert_eq!(chain.out(d), ["headers", "data 'one'", "trailers"]);
    });
}

#[test]
fn trailers_at_a_stopped_filter_flush_headers_and_body_first() {
    both(|d| {
        let hold = vec![on(on_headers(d), Answer::Stop), on(on_data(d), Answer::Buffer)];
        let mut chain = directed(d, vec![hold, vec![]]);
        chain.headers(d, false);
        chain.data(d, "one", false);
        chain.trailers(d);
        assert_eq!(
            seen(&mut chain, d),
            ["1: headers", "1: data 'one'", "1: trailers", "2: headers", "2: data 'one'", "2: trailers"]
        );
        assert_eq!(chain.out(d), ["headers", "data 'one'", "trailers"]);
    });
}

#[test]
fn stopped_trailers_wait() {
    both(|d| {
        let mut chain = directed(d, vec![vec![on(on_trailers(d), Answer::Stop)], vec![]]);
        chain.headers(d, false);
        chain.data(d, "one", false);
        chain.trailers(d);
        assert_eq!(chain.out(d), ["headers", "data 'one'"]);
        let first = index_of(&chain, d, 1);
        chain.outside(first, |cb| cb.continue_iteration(d));
        assert_eq!(chain.out(d), ["trailers"]);
    });
}

#[test]
fn trailers_added_at_the_end_take_the_end_from_the_body() {
    both(|d| {
        let add = vec![(on_data(d), vec![Act::AddTrailers(d)], Answer::Continue)];
        let mut chain = directed(d, vec![vec![], add, vec![]]);
        chain.headers(d, false);
        chain.data(d, "one", true);
        assert_eq!(
            seen(&mut chain, d)[3..],
            ["1: data 'one' end", "2: data 'one' end", "2: add_trailers true", "3: data 'one'", "3: trailers"]
        );
        assert_eq!(chain.out(d), ["headers", "data 'one'", "trailers"]);
    });
}

#[test]
fn trailers_added_by_a_filter_that_had_buffered_follow_its_body_once() {
    both(|d| {
        let add = vec![
            on(on_data(d), Answer::Buffer),
            (on_data(d), vec![Act::Accumulate(d), Act::AddTrailers(d)], Answer::Continue),
        ];
        let mut chain = directed(d, vec![add, vec![]]);
        chain.headers(d, false);
        chain.data(d, "one", false);
        chain.data(d, "two", true);
        assert_eq!(
            seen(&mut chain, d)[2..],
            [
                "1: data 'one'",
                "1: data 'two' end",
                "1: all 'onetwo' true",
                "1: add_trailers true",
                "2: data 'onetwo'",
                "2: trailers"
            ]
        );
        assert_eq!(chain.out(d), ["headers", "data 'onetwo'", "trailers"]);
    });
}

#[test]
fn trailers_added_by_a_filter_that_stops_wait_with_its_body() {
    both(|d| {
        let add = vec![(on_data(d), vec![Act::AddTrailers(d)], Answer::Buffer)];
        let mut chain = directed(d, vec![add, vec![]]);
        chain.headers(d, false);
        chain.data(d, "one", true);
        assert_eq!(chain.out(d), ["headers"]);
        let first = index_of(&chain, d, 1);
        chain.outside(first, |cb| cb.continue_iteration(d));
        assert_eq!(chain.out(d), ["data 'one'", "trailers"]);
    });
}

#[test]
fn trailers_added_before_a_filter_that_stops_come_to_it_and_wait_there() {
    both(|d| {
        let add = vec![(on_data(d), vec![Act::AddTrailers(d)], Answer::Continue)];
        let hold = vec![on(on_data(d), Answer::Buffer), on(on_trailers(d), Answer::Stop)];
        let mut chain = directed(d, vec![add, hold, vec![]]);
        chain.headers(d, false);
        chain.data(d, "one", true);
        assert_eq!(
            seen(&mut chain, d)[3..],
            ["1: data 'one' end", "1: add_trailers true", "2: data 'one'", "2: trailers"]
        );
        assert_eq!(chain.out(d), ["headers"]);
        let second = index_of(&chain, d, 2);
        chain.outside(second, |cb| cb.continue_iteration(d));
        assert_eq!(seen(&mut chain, d), ["3: data 'one'", "3: trailers"]);
        assert_eq!(chain.out(d), ["data 'one'", "trailers"]);
    });
}

#[test]
fn a_stopped_filter_that_continues_at_added_trailers_sends_all() {
    both(|d| {
        let add = vec![(on_data(d), vec![Act::AddTrailers(d)], Answer::Continue)];
        let hold = vec![on(on_headers(d), Answer::Stop), on(on_data(d), Answer::Continue)];
        let mut chain = directed(d, vec![add, hold, vec![]]);
        chain.headers(d, false);
        chain.data(d, "one", true);
        assert_eq!(
            seen(&mut chain, d)[2..],
            [
                "1: data 'one' end",
                "1: add_trailers true",
                "2: data 'one'",
                "3: headers",
                "3: data 'one'",
                "2: trailers",
                "3: trailers"
            ]
        );
        assert_eq!(chain.out(d), ["headers", "data 'one'", "trailers"]);
    });
}

#[test]
fn trailers_cannot_be_added_twice_or_in_the_middle() {
    both(|d| {
        let add = || Act::AddTrailers(d);
        let table = vec![
            (on_headers(d), vec![add()], Answer::Continue),
            (on_data(d), vec![add()], Answer::Continue),
            (on_data(d), vec![add(), add()], Answer::Continue),
        ];
        let mut chain = directed(d, vec![table]);
        chain.headers(d, false);
        chain.data(d, "one", false);
        chain.data(d, "two", true);
        let asked: Vec<_> = seen(&mut chain, d).into_iter().filter(|line| line.contains("add_trailers")).collect();
        assert_eq!(
            asked,
            ["1: add_trailers false", "1: add_trailers false", "1: add_trailers true", "1: add_trailers false"]
        );
        assert_eq!(chain.out(d), ["headers", "data 'one'", "data 'two'", "trailers"]);
    });
}

#[test]
fn body_added_at_trailers_goes_before_them() {
    both(|d| {
        let add = vec![(on_trailers(d), vec![Act::Add(d, "more")], Answer::Continue)];
        let mut chain = directed(d, vec![add, vec![]]);
        chain.headers(d, false);
        chain.data(d, "one", false);
        chain.trailers(d);
        assert_eq!(seen(&mut chain, d)[4..], ["1: trailers", "1: add true", "2: data 'more'", "2: trailers"]);
        assert_eq!(chain.out(d), ["headers", "data 'one'", "data 'more'", "trailers"]);
    });
}

#[test]
fn body_added_at_trailers_of_a_stopped_filter_joins_what_is_buffered() {
    both(|d| {
        let hold = vec![
            on(on_headers(d), Answer::Stop),
            on(on_data(d), Answer::Buffer),
            (on_trailers(d), vec![Act::Add(d, "more")], Answer::Continue),
        ];
        let mut chain = directed(d, vec![hold, vec![]]);
        chain.headers(d, false);
        chain.data(d, "one", false);
        chain.trailers(d);
        assert_eq!(chain.out(d), ["headers", "data 'onemore'", "trailers"]);
    });
}
