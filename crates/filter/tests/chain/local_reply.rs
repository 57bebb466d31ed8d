//! Local replies at each point.

use sandgate_http::LocalReply;

use crate::harness::*;
use crate::script::{Act, Answer, On, reply};

fn sends(on: On) -> Vec<(On, Vec<Act>, Answer)> {
    vec![(on, vec![Act::Reply(403, "no")], Answer::Continue)]
}

#[test]
fn from_request_headers_it_runs_through_all_encoder_filters() {
    let mut chain = chain(vec![vec![], sends(On::ReqHeaders), vec![]]);
    chain.req_headers(false);
    assert_eq!(
        chain.log(),
        [
            "a: req headers",
            "b: req headers",
            "c: res headers",
            "b: res headers",
            "a: res headers",
            "c: res data 'no' end",
            "b: res data 'no' end",
            "a: res data 'no' end"
        ]
    );
    assert!(chain.up().is_empty());
    assert_eq!(chain.down(), ["headers", "data 'no' end"]);
    assert_eq!(chain.response(), [":status: 403", "content-length: 2", "content-type: text/plain"]);
    assert_eq!(chain.details(), "scripted");
    assert_eq!(chain.manager.stream().info().response_code, Some(403));
    chain.req_data("late", true);
    assert!(chain.log().is_empty(), "the rest of the request is dropped");
}

#[test]
fn from_request_data_and_trailers_too() {
    for at in [On::ReqData, On::ReqTrailers] {
        let mut chain = chain(vec![sends(at), vec![]]);
        chain.req_headers(false);
        chain.req_data("one", false);
        chain.req_trailers();
        assert_eq!(chain.down(), ["headers", "data 'no' end"]);
        assert!(!chain.up().contains(&"trailers".to_owned()));
        assert_eq!(chain.log().iter().filter(|line| line.contains("res headers")).count(), 2);
    }
}

#[test]
fn from_response_headers_it_goes_directly() {
    let mut chain = chain(vec![vec![], sends(On::ResHeaders), vec![]]);
    chain.req_headers(true);
    chain.log();
    chain.res_headers(false);
    assert_eq!(chain.log(), ["c: res headers", "b: res headers"]);
    assert_eq!(chain.down(), ["headers", "data 'no' end"]);
    assert_eq!(chain.response()[0], ":status: 403");
    chain.res_data("late", true);
    assert!(chain.log().is_empty());
    assert!(chain.down().is_empty());
}

#[test]
fn from_response_data_it_depends_on_whether_headers_have_left() {
    let mut chain1 = chain(vec![sends(On::ResData)]);
    chain1.req_headers(true);
    chain1.res_headers(false);
    chain1.res_data("one", true);
    assert_eq!(chain1.down(), ["headers", "reset"]);

    let mut table = sends(On::ResData);
    table.push(on(On::ResHeaders, Answer::Stop));
    let mut chain2 = chain(vec![table]);
    chain2.req_headers(true);
    chain2.res_headers(false);
    chain2.res_data("one", true);
    assert_eq!(chain2.down(), ["headers", "data 'no' end"]);
}

#[test]
fn from_response_trailers_too() {
    let mut chain = chain(vec![sends(On::ResTrailers)]);
    chain.req_headers(true);
    chain.res_headers(false);
    chain.res_trailers();
    assert_eq!(chain.down(), ["headers", "reset"]);
}

#[test]
fn from_outside_while_stopped() {
    let mut chain = chain(vec![vec![on(On::ReqHeaders, Answer::StopAllWatermark)], vec![]]);
    chain.req_headers(true);
    chain.log();
    chain.outside(0, |cb| cb.send_local_reply(reply(401, "")));
    assert_eq!(chain.log(), ["b: res headers end", "a: res headers end"]);
    assert_eq!(chain.down(), ["headers end"]);
    chain.outside(0, |cb| cb.continue_decoding());
    assert!(chain.up().is_empty());
}

#[test]
fn of_the_connection_manager_before_any_headers() {
    let mut chain = chain(vec![vec![]]);
    chain.manager.local_reply(reply(400, "Bad Request"));
    assert_eq!(chain.log(), ["a: res headers", "a: res data 'Bad Request' end"]);
    assert_eq!(chain.down(), ["headers", "data 'Bad Request' end"]);
}

#[test]
fn of_the_router_while_the_response_is_held() {
    let mut chain = chain(vec![vec![on(On::ResHeaders, Answer::Stop)]]);
    chain.req_headers(true);
    chain.res_headers(false);
    chain.manager.local_reply(reply(504, "timeout"));
    assert_eq!(chain.down(), ["headers", "data 'timeout' end"]);
    assert_eq!(chain.response()[0], ":status: 504");
}

#[test]
fn of_the_router_after_headers_have_left() {
    let mut chain = chain(vec![vec![]]);
    chain.req_headers(true);
    chain.res_headers(false);
    chain.manager.local_reply(reply(504, "timeout"));
    assert_eq!(chain.down(), ["headers", "reset"]);
}

#[test]
fn only_the_first_of_a_callback_counts() {
    let twice = vec![(On::ReqHeaders, vec![Act::Reply(403, "one"), Act::Reply(500, "two")], Answer::Stop)];
    let mut chain = chain(vec![twice]);
    chain.req_headers(true);
    assert_eq!(chain.down(), ["headers", "data 'one' end"]);
    assert_eq!(chain.response()[0], ":status: 403");
}

#[test]
fn a_reset_asked_for_in_the_same_request_callback_wins() {
    let acts = [vec![Act::Reply(403, "no"), Act::Reset("why")], vec![Act::Reset("why"), Act::Reply(403, "no")]];
    for acts in acts {
        let mut chain = chain(vec![vec![(On::ReqHeaders, acts, Answer::Stop)]]);
        chain.req_headers(true);
        assert_eq!(chain.down(), ["reset"]);
        assert_eq!(chain.details(), "scripted", "as in Envoy");
    }
}

#[test]
fn one_from_outside_while_another_is_held_replaces_it() {
    let mut table = sends(On::ReqHeaders);
    table.push(on(On::ResHeaders, Answer::StopAllWatermark));
    let mut chain = chain(vec![table]);
    chain.req_headers(true);
    assert!(chain.down().is_empty());
    chain.outside(0, |cb| cb.send_local_reply(reply(500, "two")));
    assert_eq!(chain.down(), ["headers", "data 'two' end"]);
}

#[test]
fn an_encoder_filter_may_hold_and_change_it() {
    let mut table = sends(On::ReqHeaders);
    table.push((On::ResHeaders, vec![Act::SetHeader(RES, "x", "1")], Answer::StopAllBuffer));
    let mut chain = chain(vec![table]);
    chain.req_headers(true);
    assert!(chain.down().is_empty());
    chain.outside(0, |cb| cb.continue_encoding());
    assert_eq!(chain.down(), ["headers", "data 'no' end"]);
    assert_eq!(chain.response()[3], "x: 1");
}

#[test]
fn one_to_a_local_reply_replaces_it() {
    let second = vec![(On::ResHeaders, vec![Act::Reply(500, "two")], Answer::Continue)];
    let mut chain = chain(vec![second, sends(On::ReqHeaders)]);
    chain.req_headers(true);
    assert_eq!(chain.down(), ["headers", "data 'two' end"]);
    assert_eq!(chain.response()[0], ":status: 500");
}

#[test]
fn a_head_request_gets_the_length_without_the_body() {
    let mut chain = chain(vec![sends(On::ReqHeaders)]);
    chain.req_headers_with(&[(":method", "HEAD"), (":path", "/")], true);
    assert_eq!(chain.down(), ["headers end"]);
    assert_eq!(chain.response(), [":status: 403", "content-length: 2", "content-type: text/plain"]);
}

#[test]
fn its_headers_keep_their_order_and_lose_what_would_lie() {
    let reply = LocalReply {
        status: 200,
        body: b"12345".to_vec(),
        headers: [
            ("X-A", "1"),
            ("content-type", "a/b"),
            ("content-length", "99"),
            ("x-a", "2"),
            (":status", "201"),
            (":odd", "1"),
        ]
        .map(|(n, v)| (n.into(), v.into()))
        .to_vec(),
        grpc_status: None,
        details: "two words".to_owned(),
    };
    let mut chain1 = chain(vec![]);
    chain1.manager.local_reply(reply.clone());
    assert_eq!(
        chain1.response(),
        [":status: 200", ":odd: 1", "x-a: 1", "content-type: a/b", "content-length: 5", "x-a: 2"]
    );
    assert_eq!(chain1.details(), "two_words");

    let mut chain2 = chain(vec![]);
    chain2.manager.local_reply(LocalReply { body: Vec::new(), ..reply });
    assert_eq!(chain2.response(), [":status: 200", ":odd: 1", "x-a: 1", "x-a: 2"]);
    assert_eq!(chain2.down(), ["headers end"]);
}

#[test]
fn a_grpc_request_gets_trailers_only() {
    let grpc = [(":method", "POST"), (":path", "/s/m"), ("content-type", "application/grpc+proto")];
    for (status, code) in [(400, 13), (401, 16), (403, 7), (404, 12), (429, 14), (503, 14), (500, 2), (200, 2)] {
        let mut chain = chain(vec![]);
        chain.req_headers_with(&grpc, false);
        chain.manager.local_reply(reply(status, "50% ~\u{e4}\n"));
        assert_eq!(chain.down(), ["headers end"]);
        assert_eq!(
            chain.response(),
            [
                ":status: 200".to_owned(),
                "content-type: application/grpc".to_owned(),
                format!("grpc-status: {code}"),
                "grpc-message: 50%25 %7E%C3%A4%0A".to_owned()
            ]
        );
    }
    let mut chain = chain(vec![]);
    chain.req_headers_with(&grpc, false);
    chain.manager.local_reply(LocalReply { grpc_status: Some(9), ..reply(503, "") });
    assert_eq!(chain.response(), [":status: 200", "content-type: application/grpc", "grpc-status: 9"]);
}

#[test]
fn what_is_not_quite_grpc_gets_a_body() {
    for content_type in ["application/grpc-web", "application/json", "text/application/grpc"] {
        let mut chain = chain(vec![]);
        chain.req_headers_with(&[(":path", "/"), ("content-type", content_type)], false);
        chain.manager.local_reply(reply(403, "no"));
        assert_eq!(chain.down(), ["headers", "data 'no' end"], "{content_type}");
    }
}
