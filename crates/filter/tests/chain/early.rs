//! Responses that come before the request has ended, and resets.

use crate::harness::*;
use crate::script::{Act, Answer, On};

#[test]
fn a_response_in_progress_does_not_stop_the_request() {
    let mut chain = chain(vec![vec![]]);
    chain.req_headers(false);
    chain.res_headers(false);
    chain.req_data("one", false);
    chain.res_data("a", false);
    chain.req_data("two", true);
    chain.res_data("b", true);
    assert_eq!(chain.up(), ["headers", "data 'one'", "data 'two' end"]);
    assert_eq!(chain.down(), ["headers", "data 'a'", "data 'b' end"]);
}

#[test]
fn a_complete_response_stops_the_request() {
    let mut chain = chain(vec![vec![]]);
    chain.req_headers(false);
    chain.res_headers(true);
    assert!(chain.manager.decode_stopped());
    chain.log();
    chain.req_data("late", false);
    chain.req_trailers();
    assert!(chain.log().is_empty());
    assert_eq!(chain.up(), ["headers"]);
    assert!(chain.manager.wants_request_data(), "what is dropped needs no pause");
}

#[test]
fn a_complete_response_that_is_held_stops_the_request_too() {
    let mut chain = chain(vec![vec![on(On::ReqData, Answer::Buffer), on(On::ResHeaders, Answer::Stop)]]);
    chain.req_headers(false);
    chain.req_data("one", false);
    chain.res_headers(true);
    chain.outside(0, |cb| cb.continue_decoding());
    assert_eq!(chain.up(), ["headers"]);
    chain.outside(0, |cb| cb.continue_encoding());
    assert_eq!(chain.down(), ["headers end"]);
}

#[test]
fn a_reset_ends_everything_at_once() {
    for at in [On::ReqHeaders, On::ReqData, On::ResHeaders, On::ResData] {
        let mut chain = chain(vec![vec![], vec![(at, vec![Act::Reset("why")], Answer::Continue)], vec![]]);
        chain.req_headers(false);
        chain.req_data("one", true);
        chain.res_headers(false);
        chain.res_data("two", true);
        assert_eq!(chain.down().last().unwrap(), "reset", "{at:?}");
        assert_eq!(chain.details(), "why");
        assert!(chain.manager.encode_complete());
        let last = chain.log().pop().unwrap();
        assert!(last.starts_with("b: "), "{at:?}: nobody is called after it, but {last}");
    }
}

#[test]
fn a_reset_keeps_details_that_are_there() {
    let mut chain = chain(vec![]);
    chain.req_headers(true);
    chain.manager.stream().info_mut().response_code_details = Some("first".to_owned());
    chain.manager.reset("second");
    assert_eq!(chain.down(), ["reset"]);
    assert_eq!(chain.details(), "first");
    chain.manager.reset("third");
    assert!(chain.down().is_empty());
}

#[test]
fn continue_and_then_reply_happen_in_their_order() {
    let both = vec![(On::ReqHeaders, vec![Act::Continue(REQ), Act::Reply(403, "no")], Answer::Stop)];
    let mut chain = chain(vec![both, vec![]]);
    chain.req_headers(true);
    assert_eq!(chain.log()[..2], ["a: req headers end", "b: res headers"]);
    assert_eq!(chain.down(), ["headers", "data 'no' end"]);
}
