//! Continuing: from within callbacks, from outside, and where it makes no sense.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use crate::harness::*;
use crate::script::{Act, Answer, On};

#[test]
fn continuing_what_is_not_stopped_does_nothing() {
    both(|d| {
        let table = vec![
            (on_headers(d), vec![Act::Continue(d)], Answer::Continue),
            (on_data(d), vec![Act::Continue(d), Act::Continue(d)], Answer::Continue),
            (on_trailers(d), vec![Act::Continue(d)], Answer::Continue),
        ];
        let mut chain = directed(d, vec![table.clone(), table]);
        chain.headers(d, false);
        chain.data(d, "one", false);
        chain.trailers(d);
        assert_eq!(
            seen(&mut chain, d),
            ["1: headers", "2: headers", "1: data 'one'", "2: data 'one'", "1: trailers", "2: trailers"]
        );
        assert_eq!(chain.out(d), ["headers", "data 'one'", "trailers"]);
        chain.outside(0, |cb| cb.continue_iteration(d));
        assert!(chain.out(d).is_empty());
    });
}

#[test]
fn continuing_the_response_before_there_is_one_does_nothing() {
    for at in [On::ReqHeaders, On::ReqData, On::ReqTrailers] {
        let mut chain = chain(vec![vec![(at, vec![Act::Continue(RES)], Answer::Continue)]]);
        chain.req_headers(false);
        chain.req_data("one", false);
        chain.req_trailers();
        assert_eq!(chain.up(), ["headers", "data 'one'", "trailers"]);
        assert!(chain.down().is_empty());
        chain.res_headers(true);
        assert_eq!(chain.down(), ["headers end"]);
    }
}

#[test]
fn continuing_in_the_headers_callback_lets_them_go_before_the_answer_counts() {
    both(|d| {
        let table = vec![(on_headers(d), vec![Act::Continue(d)], Answer::StopAllWatermark)];
        let mut chain = directed(d, vec![table, vec![]]);
        chain.headers(d, false);
        assert_eq!(chain.out(d), ["headers"]);
        chain.data(d, "one", true);
        assert!(chain.out(d).is_empty(), "everything after the headers was stopped");
        let first = index_of(&chain, d, 1);
        chain.outside(first, |cb| cb.continue_iteration(d));
        assert_eq!(chain.out(d), ["data 'one' end"]);
    });
}

#[test]
fn continuing_in_the_data_callback_releases_what_was_held() {
    both(|d| {
        for answer in [Answer::Continue, Answer::Buffer] {
            let table = vec![
                on(on_headers(d), Answer::Stop),
                on(on_data(d), Answer::Buffer),
                (on_data(d), vec![Act::Accumulate(d), Act::Continue(d)], answer),
            ];
            let mut chain = directed(d, vec![table, vec![]]);
            chain.headers(d, false);
            chain.data(d, "one", false);
            chain.data(d, "two", true);
            assert_eq!(chain.out(d), ["headers", "data 'onetwo' end"]);
        }
    });
}

#[test]
fn a_filter_may_continue_an_earlier_one_of_its_stream() {
    let mut chain = chain(vec![vec![on(On::ReqData, Answer::Buffer)], vec![on(On::ReqHeaders, Answer::Continue)]]);
    chain.req_headers(false);
    chain.req_data("one", false);
    assert_eq!(chain.up(), ["headers"]);
    chain.res_headers(false);
    chain.outside(0, |cb| cb.continue_decoding());
    assert_eq!(chain.up(), ["data 'one'"]);
}

#[test]
fn asking_from_outside_wakes_the_pump() {
    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let mut chain = chain(vec![vec![on(On::ReqHeaders, Answer::Stop)]]);
    chain.req_headers(true);
    let count = Arc::new(Count(AtomicUsize::new(0)));
    chain.manager.stream().register_waker(&Waker::from(Arc::clone(&count)));
    chain.outside(0, |cb| {
        cb.continue_decoding();
        assert!(cb.stream().has_pending());
    });
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
    assert!(!chain.manager.stream().has_pending());
    assert_eq!(chain.up(), ["headers end"]);
}

#[test]
fn asking_within_a_callback_does_not_wake() {
    struct Never;
    impl Wake for Never {
        fn wake(self: Arc<Self>) {
            panic!("woken");
        }
    }
    let mut chain = chain(vec![vec![(On::ReqHeaders, vec![Act::Continue(REQ)], Answer::Stop)]]);
    chain.manager.stream().register_waker(&Waker::from(Arc::new(Never)));
    chain.req_headers(true);
    assert_eq!(chain.up(), ["headers end"]);
}

#[test]
fn everything_in_log_and_destroy_is_harmless() {
    for at in [On::Log, On::Destroy] {
        let acts = vec![
            Act::Continue(REQ),
            Act::Continue(RES),
            Act::Reply(500, "x"),
            Act::Reset("x"),
            Act::Add(REQ, "x"),
            Act::Add(RES, "x"),
            Act::AddTrailers(RES),
        ];
        let mut chain = chain(vec![vec![(at, acts, Answer::Continue)], vec![]]);
        chain.req_headers(true);
        chain.res_headers(false);
        chain.log();
        chain.down();
        chain.manager.log(std::time::Instant::now());
        chain.manager.destroy();
        chain.manager.run_pending();
        let log: Vec<_> = chain.log().into_iter().filter(|line| !line.contains("add")).collect();
        assert_eq!(log, ["a: log", "b: log", "a: destroy", "b: destroy"]);
        assert!(chain.down().is_empty());
        assert!(chain.up().len() == 1);
    }
}

#[test]
fn handles_of_a_stream_that_is_gone_do_nothing() {
    let mut chain1 = chain(vec![vec![on(On::ReqHeaders, Answer::Stop)]]);
    chain1.req_headers(true);
    let mut kept = None;
    chain1.outside(0, |cb| kept = Some(cb.clone()));
    drop(chain1);
    let kept = kept.unwrap();
    kept.continue_decoding();
    kept.reset_stream("late");
    assert!(kept.is_over());
    assert!(!kept.stream().has_pending());
    assert_eq!(kept.stream().info().response_code_details, None);
}
