//! The chain of one attempt at a request, in front of its host.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;
use std::time::Instant;

use sandgate_filter::Stream;

use crate::harness::*;
use crate::script::{Act, Answer, On, Table};

#[test]
fn what_an_attempt_changes_in_the_request_stays_changed_for_the_next() {
    let set = vec![(On::ReqHeaders, vec![Act::SetHeader(REQ, "x-a", "1")], Answer::Continue)];
    let (origin, mut first) = attempt_of(vec![set], None);
    origin.set_headers(REQ, map(&[(":method", "GET")]));
    first.manager.decode_headers(true);
    let (_, second) = attempt_of(vec![], Some(&origin));
    assert_eq!(second.manager.stream().headers(REQ).unwrap().get(b"x-a"), Some(&b"1"[..]));
}

#[test]
fn the_requests_trailers_are_an_attempts_once_they_have_come() {
    let (origin, mut attempt) = attempt_of(vec![vec![]], None);
    origin.set_headers(REQ, map(&[(":method", "POST")]));
    origin.set_trailers(REQ, map(&[("t", "1")]));
    attempt.manager.decode_headers(false);
    attempt.req_data("one", false);
    assert!(attempt.manager.stream().trailers(REQ).is_none());
    attempt.manager.decode_shared_trailers();
    assert!(attempt.manager.stream().trailers(REQ).is_some());
    assert_eq!(attempt.log(), ["a: req headers", "a: req data 'one'", "a: req trailers"]);
    assert_eq!(attempt.up(), ["headers", "data 'one'", "trailers"]);
}

#[test]
fn a_local_reply_passes_no_response_filter_of_an_attempt() {
    let reply = vec![(On::ReqHeaders, vec![Act::Reply(418, "teapot")], Answer::Stop)];
    let (origin, mut attempt) = attempt_of(vec![reply, vec![]], None);
    origin.set_headers(REQ, map(&[(":method", "GET")]));
    attempt.manager.decode_headers(true);
    assert_eq!(attempt.log(), ["a: req headers end"]);
    assert!(attempt.down().is_empty());
    assert_eq!(attempt.manager.take_local_reply().unwrap().status, 418);
    assert!(attempt.manager.take_local_reply().is_none());
    attempt.res_headers(true);
    assert!(attempt.down().is_empty());
}

#[test]
fn the_origin_alone_counts_and_logs() {
    let (origin, mut attempt) = attempt_of(vec![vec![]], None);
    origin.set_headers(REQ, map(&[(":method", "POST")]));
    attempt.manager.decode_headers(false);
    attempt.req_data("hello", true);
    attempt.res_headers(false);
    attempt.res_data("world", true);
    assert_eq!((origin.info().bytes_received, origin.info().bytes_sent), (0, 0));
    assert_eq!(origin.info().response_code, None);
    attempt.log();
    attempt.manager.log(Instant::now());
    attempt.manager.destroy();
    assert_eq!(attempt.log(), ["a: destroy"]);
}

#[test]
fn held_headers_go_on_before_the_body_that_was_held_with_them() {
    let (origin, mut attempt) = attempt_of(vec![vec![], vec![on(On::ResHeaders, Answer::StopAllBuffer)]], None);
    origin.set_headers(REQ, map(&[(":method", "GET")]));
    attempt.manager.decode_headers(true);
    attempt.res_headers(false);
    attempt.res_data("one", true);
    attempt.log();
    attempt.outside(1, |callbacks| callbacks.continue_encoding());
    assert_eq!(attempt.log(), ["a: res headers"]);
    assert_eq!(attempt.down(), ["headers"]);
    attempt.manager.run_pending();
    assert_eq!(attempt.log(), ["b: res data 'one' end", "a: res data 'one' end"]);
    assert_eq!(attempt.down(), ["data 'one' end"]);
}

#[test]
fn what_an_attempt_has_left_over_comes_before_what_comes_in() {
    let (origin, mut attempt) = attempt_of(vec![vec![on(On::ResHeaders, Answer::StopAllBuffer)]], None);
    origin.set_headers(REQ, map(&[(":method", "GET")]));
    attempt.manager.decode_headers(true);
    attempt.res_headers(false);
    attempt.res_data("one", false);
    attempt.outside(0, |callbacks| callbacks.continue_encoding());
    attempt.res_data("two", true);
    attempt.manager.run_pending();
    assert_eq!(attempt.down(), ["headers", "data 'one'", "data 'two' end"]);
}

#[test]
fn what_is_asked_for_later_wakes_whoever_moves_the_origin() {
    let (origin, mut attempt) = attempt_of(vec![vec![on(On::ReqHeaders, Answer::Stop)]], None);
    origin.set_headers(REQ, map(&[(":method", "GET")]));
    attempt.manager.decode_headers(true);
    let count = Arc::new(Counter::default());
    origin.register_waker(&Arc::clone(&count).into());
    attempt.outside(0, |callbacks| callbacks.continue_decoding());
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
    assert_eq!(attempt.up(), ["headers end"]);
}

#[derive(Default)]
struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn attempt_of(tables: Vec<Table>, origin: Option<&Rc<Stream>>) -> (Rc<Stream>, Chain) {
    let origin = origin.map_or_else(|| Rc::clone(chain(vec![]).manager.stream()), Rc::clone);
    let attempt = chain_over(Stream::attempt_of(&origin), tables);
    (origin, attempt)
}
