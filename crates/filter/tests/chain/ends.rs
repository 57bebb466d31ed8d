//! The end of a stream.

use std::time::{Duration, Instant};

use sandgate_attributes::AttributeSource;

use crate::harness::*;

#[test]
fn log_comes_for_all_before_destroy_for_all_and_each_once() {
    let mut chain = chain(vec![vec![], vec![]]);
    chain.req_headers(true);
    chain.res_headers(true);
    chain.log();
    let start = chain.manager.stream().info().start;
    assert_eq!(chain.manager.stream().duration(), None);
    chain.manager.log(start + Duration::from_millis(5));
    chain.manager.log(start + Duration::from_millis(9));
    assert_eq!(chain.manager.stream().duration(), Some(Duration::from_millis(5)));
    chain.manager.destroy();
    chain.manager.destroy();
    assert_eq!(chain.log(), ["a: log", "b: log", "a: destroy", "b: destroy"]);
}

#[test]
fn dropping_the_manager_ends_the_stream() {
    let log = {
        let mut chain = chain(vec![vec![]]);
        chain.req_headers(false);
        chain.log();
        let log = chain.shared_log();
        drop(chain);
        log
    };
    assert_eq!(log.take(), ["a: log", "a: destroy"]);
}

#[test]
fn inputs_after_the_end_do_nothing() {
    let mut chain = chain(vec![vec![]]);
    chain.req_headers(true);
    chain.res_headers(true);
    chain.manager.log(Instant::now());
    chain.manager.destroy();
    chain.log();
    chain.up();
    chain.down();
    chain.req_data("x", true);
    chain.req_trailers();
    chain.res_headers(true);
    chain.res_data("x", true);
    chain.res_trailers();
    chain.manager.encode_1xx(map(&[]));
    chain.manager.local_reply(crate::script::reply(500, ""));
    chain.manager.reset("x");
    assert!(chain.log().is_empty());
    assert!(chain.up().is_empty());
    assert!(chain.down().is_empty());
}

#[test]
fn destroying_in_the_middle_silences_inputs() {
    let mut chain = chain(vec![vec![]]);
    chain.req_headers(false);
    chain.manager.destroy();
    chain.log();
    chain.up();
    chain.req_data("x", true);
    chain.res_headers(true);
    chain.manager.local_reply(crate::script::reply(500, ""));
    assert!(chain.log().is_empty());
    assert!(chain.up().is_empty());
    assert!(chain.down().is_empty());
}
