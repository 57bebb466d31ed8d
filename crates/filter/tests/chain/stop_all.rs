//! Stopping everything at headers.

use crate::harness::*;
use crate::script::Answer;

const ALL: [Answer; 2] = [Answer::StopAllBuffer, Answer::StopAllWatermark];

#[test]
fn body_waits_unseen_and_comes_to_the_same_filter_after_continuing() {
    for stop in ALL {
        both(|d| {
            let mut chain = directed(d, vec![vec![], vec![on(on_headers(d), stop)], vec![]]);
            chain.headers(d, false);
            chain.data(d, "one", false);
            chain.data(d, "two", true);
            assert_eq!(seen(&mut chain, d), ["1: headers", "2: headers", "1: data 'one'", "1: data 'two' end"]);
            let second = index_of(&chain, d, 2);
            chain.outside(second, |cb| cb.continue_iteration(d));
            assert_eq!(seen(&mut chain, d), ["3: headers", "2: data 'onetwo' end", "3: data 'onetwo' end"]);
            assert_eq!(chain.out(d), ["headers", "data 'onetwo' end"]);
        });
    }
}

#[test]
fn trailers_wait_too() {
    for stop in ALL {
        both(|d| {
            let mut chain = directed(d, vec![vec![on(on_headers(d), stop)], vec![]]);
            chain.headers(d, false);
            chain.data(d, "one", false);
            chain.trailers(d);
            assert_eq!(seen(&mut chain, d), ["1: headers"]);
            let first = index_of(&chain, d, 1);
            chain.outside(first, |cb| cb.continue_iteration(d));
            assert_eq!(
                seen(&mut chain, d),
                ["2: headers", "1: data 'one'", "2: data 'one'", "1: trailers", "2: trailers"]
            );
            assert_eq!(chain.out(d), ["headers", "data 'one'", "trailers"]);
        });
    }
}

#[test]
fn trailers_without_body_wait_too() {
    both(|d| {
        let mut chain = directed(d, vec![vec![on(on_headers(d), Answer::StopAllBuffer)], vec![]]);
        chain.headers(d, false);
        chain.trailers(d);
        let first = index_of(&chain, d, 1);
        chain.outside(first, |cb| cb.continue_iteration(d));
        assert_eq!(seen(&mut chain, d), ["1: headers", "2: headers", "1: trailers", "2: trailers"]);
        assert_eq!(chain.out(d), ["headers", "trailers"]);
    });
}

#[test]
fn continuing_before_the_body_lets_it_stream() {
    both(|d| {
        let mut chain = directed(d, vec![vec![on(on_headers(d), Answer::StopAllWatermark)], vec![]]);
        chain.headers(d, false);
        let first = index_of(&chain, d, 1);
        chain.outside(first, |cb| cb.continue_iteration(d));
        chain.data(d, "one", false);
        chain.data(d, "two", true);
        assert_eq!(chain.out(d), ["headers", "data 'one'", "data 'two' end"]);
    });
}

#[test]
fn headers_only_continue_with_the_end() {
    for stop in ALL {
        both(|d| {
            let mut chain = directed(d, vec![vec![on(on_headers(d), stop)], vec![]]);
            chain.headers(d, true);
            assert!(chain.out(d).is_empty());
            let first = index_of(&chain, d, 1);
            chain.outside(first, |cb| cb.continue_iteration(d));
            assert_eq!(seen(&mut chain, d), ["1: headers end", "2: headers end"]);
            assert_eq!(chain.out(d), ["headers end"]);
        });
    }
}

#[test]
fn a_filter_may_stop_again_at_the_body() {
    both(|d| {
        let hold = vec![on(on_headers(d), Answer::StopAllBuffer), on(on_data(d), Answer::Buffer)];
        let mut chain = directed(d, vec![hold, vec![]]);
        chain.headers(d, false);
        chain.data(d, "one", true);
        let first = index_of(&chain, d, 1);
        chain.outside(first, |cb| cb.continue_iteration(d));
        assert_eq!(chain.out(d), ["headers"]);
        chain.outside(first, |cb| cb.continue_iteration(d));
        assert_eq!(chain.out(d), ["data 'one' end"]);
    });
}
