//! Headers through the chain.

use crate::harness::*;
use crate::script::{Act, Answer, On};

#[test]
fn an_empty_chain_passes_everything() {
    let mut chain = chain(vec![]);
    chain.req_headers(false);
    chain.req_data("in", false);
    chain.req_trailers();
    assert_eq!(chain.up(), ["headers", "data 'in'", "trailers"]);
    chain.res_headers(false);
    chain.res_data("out", true);
    assert_eq!(chain.down(), ["headers", "data 'out' end"]);
    assert!(chain.manager.encode_complete());
}

#[test]
fn requests_go_in_order_and_responses_in_reverse() {
    let mut chain = chain(vec![vec![], vec![], vec![]]);
    chain.req_headers(true);
    chain.res_headers(true);
    assert_eq!(
        chain.log(),
        [
            "a: req headers end",
            "b: req headers end",
            "c: req headers end",
            "c: res headers end",
            "b: res headers end",
            "a: res headers end"
        ]
    );
    assert_eq!(chain.up(), ["headers end"]);
    assert_eq!(chain.down(), ["headers end"]);
}

#[test]
fn later_filters_see_what_earlier_ones_changed() {
    let set = vec![(On::ReqHeaders, vec![Act::SetHeader(REQ, "x", "1")], Answer::Continue)];
    let mut chain = chain(vec![set, vec![]]);
    chain.req_headers(true);
    let stream = chain.manager.stream();
    assert_eq!(stream.headers(REQ).unwrap().get(b"x"), Some(&b"1"[..]));
    chain.log();
}

#[test]
fn a_stop_at_headers_holds_them_until_continued() {
    both(|d| {
        let mut chain = directed(d, vec![vec![on(on_headers(d), Answer::Stop)], vec![]]);
        chain.headers(d, true);
        assert_eq!(seen(&mut chain, d), ["1: headers end"]);
        assert!(chain.out(d).is_empty());
        let first = index_of(&chain, d, 1);
        chain.outside(first, |cb| cb.continue_iteration(d));
        assert_eq!(seen(&mut chain, d), ["2: headers end"]);
        assert_eq!(chain.out(d), ["headers end"]);
    });
}

#[test]
fn each_filter_can_stop_in_turn() {
    both(|d| {
        let stop = || vec![on(on_headers(d), Answer::Stop)];
        let mut chain = directed(d, vec![stop(), stop(), stop()]);
        chain.headers(d, true);
        for place in 1..=3 {
            assert_eq!(seen(&mut chain, d), [format!("{place}: headers end")]);
            let index = index_of(&chain, d, place);
            chain.outside(index, |cb| cb.continue_iteration(d));
        }
        assert_eq!(chain.out(d), ["headers end"]);
    });
}

#[test]
fn a_body_added_to_headers_only_follows_them() {
    both(|d| {
        let add = vec![(on_headers(d), vec![Act::Add(d, "new")], Answer::Continue)];
        let mut chain = directed(d, vec![vec![], add, vec![]]);
        chain.headers(d, true);
        assert_eq!(
            seen(&mut chain, d),
            ["1: headers end", "2: headers end", "2: add true", "3: headers", "3: data 'new' end"]
        );
        assert_eq!(chain.out(d), ["headers", "data 'new' end"]);
    });
}

#[test]
fn a_body_added_by_a_filter_that_stops_waits_with_the_headers() {
    both(|d| {
        let add = vec![(on_headers(d), vec![Act::Add(d, "new")], Answer::Stop)];
        let mut chain = directed(d, vec![add, vec![]]);
        chain.headers(d, true);
        assert_eq!(seen(&mut chain, d), ["1: headers end", "1: add true"]);
        let first = index_of(&chain, d, 1);
        chain.outside(first, |cb| cb.continue_iteration(d));
        assert_eq!(seen(&mut chain, d), ["2: headers", "2: data 'new' end"]);
        assert_eq!(chain.out(d), ["headers", "data 'new' end"]);
    });
}

#[test]
fn a_body_added_before_a_filter_that_stops_comes_to_it() {
    both(|d| {
        let add = vec![(on_headers(d), vec![Act::Add(d, "new")], Answer::Continue)];
        let stop = vec![on(on_headers(d), Answer::Stop), on(on_data(d), Answer::Buffer)];
        let mut chain = directed(d, vec![add, stop, vec![]]);
        chain.headers(d, true);
        assert_eq!(seen(&mut chain, d), ["1: headers end", "1: add true", "2: headers", "2: data 'new' end"]);
        let second = index_of(&chain, d, 2);
        chain.outside(second, |cb| cb.continue_iteration(d));
        assert_eq!(seen(&mut chain, d), ["3: headers", "3: data 'new' end"]);
        assert_eq!(chain.out(d), ["headers", "data 'new' end"]);
    });
}

#[test]
fn a_body_added_in_front_of_the_real_one_is_not_lost() {
    both(|d| {
        let add = vec![(on_headers(d), vec![Act::Add(d, "new ")], Answer::Continue)];
        let mut chain = directed(d, vec![add, vec![]]);
        chain.headers(d, false);
        chain.data(d, "old", true);
        assert_eq!(chain.out(d), ["headers", "data 'new '", "data 'old' end"]);
    });
}

#[test]
fn the_code_is_known_to_filters_and_follows_their_change() {
    let set = vec![(On::ResHeaders, vec![Act::SetHeader(RES, ":status", "418")], Answer::Continue)];
    let mut chain = chain(vec![set]);
    chain.req_headers(true);
    chain.res_headers(true);
    assert_eq!(chain.manager.stream().info().response_code, Some(418));
}

#[test]
fn a_response_without_status_becomes_502() {
    for bad in ["", "abc", "-1"] {
        let change = match bad {
            "" => Act::RemoveHeader(RES, ":status"),
            bad => Act::SetHeader(RES, ":status", bad),
        };
        let mut chain = chain(vec![vec![(On::ResHeaders, vec![change], Answer::Continue)], vec![]]);
        chain.req_headers(true);
        chain.res_headers(false);
        assert_eq!(chain.down(), ["headers", "data 'missing required header: :status' end"]);
        assert_eq!(chain.response()[0], ":status: 502");
        assert_eq!(chain.details(), "filter_removed_required_response_headers{missing_required_header:_:status}");
        chain.res_data("late", true);
        assert!(chain.down().is_empty());
    }
}

#[test]
fn informational_responses_pass_and_can_be_held() {
    let hold = vec![on(On::Res1xx, Answer::Stop)];
    let mut chain = chain(vec![vec![], hold, vec![]]);
    chain.req_headers(false);
    chain.log();
    chain.manager.encode_1xx(map(&[(":status", "100")]));
    assert_eq!(chain.log(), ["c: res 1xx", "b: res 1xx"]);
    assert!(chain.down().is_empty());
    chain.outside(1, |cb| cb.continue_encoding());
    assert_eq!(chain.log(), ["a: res 1xx"]);
    assert_eq!(chain.down(), ["1xx"]);
    chain.manager.encode_1xx(map(&[(":status", "100")]));
    assert!(chain.down().is_empty(), "only the first counts");
    chain.res_headers(true);
    assert_eq!(chain.down(), ["headers end"]);
}

#[test]
fn a_second_response_is_ignored() {
    let mut chain = chain(vec![vec![on(On::ResHeaders, Answer::Stop)]]);
    chain.req_headers(true);
    chain.res_headers(true);
    chain.manager.encode_headers(map(&[(":status", "500")]), true);
    chain.outside(0, |cb| cb.continue_encoding());
    assert_eq!(chain.down(), ["headers end"]);
    assert_eq!(chain.response(), [":status: 200"]);
}
