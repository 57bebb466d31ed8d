//! The buffer limit.

use crate::harness::*;
use crate::script::{Act, Answer, On};

fn big(length: usize) -> String {
    "x".repeat(length)
}

#[test]
fn a_request_over_the_limit_is_answered_413() {
    let hold = vec![on(On::ReqData, Answer::Buffer), on(On::ReqData, Answer::Buffer)];
    let mut chain = chain(vec![vec![], hold]);
    chain.req_headers(false);
    chain.req_data(&big(100), false);
    assert!(chain.down().is_empty(), "the limit itself is allowed");
    chain.req_data("y", false);
    assert_eq!(chain.down(), ["headers", "data 'Payload Too Large' end"]);
    assert_eq!(chain.response(), [":status: 413", "content-length: 17", "content-type: text/plain"]);
    assert_eq!(chain.details(), "request_payload_too_large");
    assert!(chain.manager.decode_stopped());
    assert_eq!(chain.up(), ["headers"]);
}

#[test]
fn a_response_over_the_limit_before_its_headers_left_is_500() {
    let hold = vec![on(On::ResHeaders, Answer::Stop), on(On::ResData, Answer::Buffer)];
    let mut chain = chain(vec![hold, vec![]]);
    chain.req_headers(true);
    chain.res_headers(false);
    chain.log();
    chain.res_data(&big(101), false);
    assert_eq!(chain.down(), ["headers", "data 'Internal Server Error' end"]);
    assert_eq!(chain.response()[0], ":status: 500");
    assert_eq!(chain.details(), "response_payload_too_large");
    chain.log();
    chain.res_data("more", true);
    assert!(chain.log().is_empty());
    assert!(chain.down().is_empty());
}

#[test]
fn a_response_over_the_limit_after_its_headers_left_is_reset() {
    let hold = vec![on(On::ResData, Answer::Buffer)];
    let mut chain = chain(vec![hold]);
    chain.req_headers(true);
    chain.res_headers(false);
    chain.res_data(&big(101), false);
    assert_eq!(chain.down(), ["headers", "reset"]);
    assert_eq!(chain.details(), "response_payload_too_large");
}

#[test]
fn accumulating_over_the_limit_says_so_to_the_filter() {
    let hold = vec![on(On::ReqData, Answer::Buffer), (On::ReqData, vec![Act::Accumulate(REQ)], Answer::Continue)];
    let mut chain = chain(vec![hold]);
    chain.req_headers(false);
    chain.req_data(&big(60), false);
    chain.req_data(&big(60), true);
    assert!(chain.log().iter().any(|line| line.starts_with("a: all") && line.ends_with("false")));
    assert_eq!(chain.up(), ["headers"]);
    assert_eq!(chain.down(), ["headers", "data 'Payload Too Large' end"]);
}

#[test]
fn stopping_all_in_buffer_mode_overflows() {
    let mut chain = chain(vec![vec![on(On::ReqHeaders, Answer::StopAllBuffer)]]);
    chain.req_headers(false);
    chain.req_data(&big(101), false);
    assert_eq!(chain.down(), ["headers", "data 'Payload Too Large' end"]);
}

#[test]
fn watermark_mode_pauses_the_source_until_half_is_gone() {
    both(|d| {
        let hold = vec![on(on_headers(d), Answer::StopAllWatermark)];
        let mut chain = directed(d, vec![hold]);
        let wants = |chain: &Chain| match d {
            REQ => chain.manager.wants_request_data(),
            RES => chain.manager.wants_response_data(),
        };
        chain.headers(d, false);
        chain.data(d, &big(100), false);
        assert!(wants(&chain));
        chain.data(d, &big(101), false);
        assert!(!wants(&chain));
        assert!(chain.out(d).is_empty(), "no failure");
        chain.outside(0, |cb| cb.continue_iteration(d));
        assert!(!wants(&chain), "now the far end's queue is full");
        assert_eq!(chain.out(d).len(), 2);
        assert!(wants(&chain));
    });
}

#[test]
fn data_in_watermark_mode_pauses_too() {
    both(|d| {
        let mut chain = directed(d, vec![vec![on(on_data(d), Answer::Watermark)]]);
        chain.headers(d, false);
        chain.data(d, &big(101), false);
        let wants = if d == REQ { chain.manager.wants_request_data() } else { chain.manager.wants_response_data() };
        assert!(!wants);
        assert_eq!(chain.out(d), ["headers"]);
    });
}

#[test]
fn a_slow_sink_pauses_its_source() {
    let mut chain = chain(vec![]);
    chain.req_headers(false);
    chain.req_data(&big(60), false);
    assert!(chain.manager.wants_request_data());
    chain.req_data(&big(60), false);
    assert!(!chain.manager.wants_request_data());
    assert!(chain.manager.wants_response_data());
    chain.manager.next_decode_event();
    assert!(!chain.manager.wants_request_data());
    chain.manager.next_decode_event();
    assert!(!chain.manager.wants_request_data(), "60 of 100 are left: more than half");
    chain.manager.next_decode_event();
    assert!(chain.manager.wants_request_data());
}

#[test]
fn a_limit_of_zero_never_overflows() {
    let mut chain = chain_with_limit(0, vec![vec![on(On::ReqData, Answer::Buffer)]]);
    chain.req_headers(false);
    chain.req_data(&big(10_000), false);
    assert!(chain.down().is_empty());
    assert!(chain.manager.wants_request_data());
}
