#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::time::Duration;

use super::*;
use crate::ResourceType::{Cluster, Endpoint, Listener, Route};
use crate::testing::{any, delta, node, receive, refused, seconds, sent_delta as sent, set, take, wrapper};

fn opened(first_only: bool) -> DeltaMux {
    let mut mux = DeltaMux::new(node(first_only));
    mux.opened();
    mux
}

fn of(kind: ResourceType, name: &str, version: &str) -> ResourceWrapper {
    wrapper(name, version, Some(any(kind, name)))
}

#[test]
fn a_first_start_asks_as_envoy_does() {
    let (mut mux, now) = (opened(true), Instant::now());
    mux.subscribe(Cluster, Names::Wildcard);
    assert_eq!(sent(&mut mux), ["Cluster n= node"]);
    let clusters = delta(Cluster, "n1", vec![of(Cluster, "b", "1"), of(Cluster, "a", "1")], &[]);
    let response = receive(&mut mux, &clusters);
    assert_eq!(response.deliveries[0].update.version, "v-n1");
    mux.pause(Endpoint);
    mux.subscribe(Endpoint, set(&["b"]));
    mux.subscribe(Endpoint, set(&["a"]));
    assert!(!mux.has_request());
    mux.resume(Endpoint);
    assert_eq!(sent(&mut mux), ["Endpoint n= +a,b"]);
    mux.finish(response, Ok(()), now);
    assert_eq!(sent(&mut mux), ["Cluster n=n1"]);
    let endpoints = delta(Endpoint, "n2", vec![of(Endpoint, "a", "1"), of(Endpoint, "nobody's", "1")], &[]);
    assert_eq!(take(&mut mux, &endpoints, Ok(()), now), [(3, "a".to_owned(), String::new())]);
    assert_eq!(sent(&mut mux), ["Endpoint n=n2"]);
}

#[test]
fn a_new_stream_begins_with_the_versions_that_are_there() {
    let (mut mux, now) = (opened(true), Instant::now());
    mux.subscribe(Cluster, Names::Wildcard);
    mux.subscribe(Endpoint, set(&["a"]));
    mux.subscribe(Endpoint, set(&["b"]));
    let only = mux.subscribe(Route, set(&["r"]));
    sent(&mut mux);
    take(&mut mux, &delta(Cluster, "1", vec![of(Cluster, "a", "7"), of(Cluster, "b", "7")], &[]), Ok(()), now);
    take(&mut mux, &delta(Cluster, "2", vec![of(Cluster, "a", "8")], &["b", "c"]), Ok(()), now);
    take(&mut mux, &delta(Cluster, "3", vec![of(Cluster, "a", "9")], &[]), Err("no"), now);
    take(&mut mux, &delta(Endpoint, "4", vec![of(Endpoint, "a", "1"), of(Endpoint, "x", "1")], &[]), Ok(()), now);
    mux.closed();
    assert!(!mux.has_request());
    mux.unsubscribe(only);
    mux.opened();
    // Nothing of routes: without a name they would all be asked for.
    assert_eq!(sent(&mut mux), ["Cluster n= =a@8 node", "Endpoint n= +a,b =a@1"]);
}

#[test]
fn answers_come_first_and_carry_changes() {
    let (mut mux, now) = (opened(true), Instant::now());
    mux.subscribe(Cluster, Names::Wildcard);
    let a = mux.subscribe(Endpoint, set(&["a"]));
    sent(&mut mux);
    take(&mut mux, &delta(Endpoint, "n1", vec![of(Endpoint, "a", "1")], &[]), Ok(()), now);
    take(&mut mux, &delta(Cluster, "n2", vec![], &[]), Err("no"), now);
    mux.subscribe(Listener, Names::Wildcard);
    mux.unsubscribe(a);
    mux.subscribe(Endpoint, set(&["b"]));
    assert_eq!(mux.queued(), 2);
    assert_eq!(sent(&mut mux), ["Endpoint n=n1 +b -a", "Cluster n=n2 ERR no", "Listener n="]);
}

#[test]
fn an_answer_waits_while_its_type_is_paused() {
    let (mut mux, now) = (opened(true), Instant::now());
    mux.subscribe(Cluster, Names::Wildcard);
    mux.subscribe(Listener, Names::Wildcard);
    sent(&mut mux);
    mux.pause(Cluster);
    take(&mut mux, &delta(Cluster, "c", vec![], &[]), Ok(()), now);
    take(&mut mux, &delta(Listener, "l", vec![], &[]), Ok(()), now);
    assert_eq!(sent(&mut mux), ["Listener n=l"]);
    mux.resume(Cluster);
    assert_eq!(sent(&mut mux), ["Cluster n=c"]);
    // What a stream that is over has not answered is never answered.
    take(&mut mux, &delta(Listener, "m", vec![], &[]), Ok(()), now);
    mux.opened();
    assert_eq!(sent(&mut mux), ["Cluster n= node", "Listener n="]);
}

#[test]
fn what_cannot_be_taken_is_refused_as_a_whole() {
    let (mut mux, now) = (opened(true), Instant::now());
    mux.subscribe(Route, set(&["r"]));
    let twice = delta(Route, "1", vec![of(Route, "r", "1"), of(Route, "r", "2")], &[]);
    refused(&receive(&mut mux, &twice), "duplicate name r found among added/updated resources", "twice");
    let both = delta(Route, "1", vec![of(Route, "r", "1")], &["r"]);
    refused(&receive(&mut mux, &both), "duplicate name r found in the union of added+removed resources", "both");
    let wrong = delta(Route, "1", vec![of(Cluster, "r", "1")], &[]);
    let detail = |found: &str| {
        format!(
            "type URL {found} embedded in an individual Any does not match the message-wide type URL {} in \
             DeltaDiscoveryResponse",
            Route.type_url()
        )
    };
    refused(&receive(&mut mux, &wrong), &detail(Cluster.type_url()), "wrong");
    let empty = delta(Route, "1", vec![wrapper("r", "1", None)], &[]);
    refused(&receive(&mut mux, &empty), &detail(""), "empty");
    sent(&mut mux);
    take(&mut mux, &twice, Ok(()), now);
    assert_eq!(sent(&mut mux), ["Route n=1 ERR duplicate name r found among added/updated resources"]);
}

#[test]
fn what_nobody_asked_for_is_no_response() {
    let mut mux = opened(true);
    let clusters = Bytes::from(delta(Cluster, "1", vec![], &[]).encode_to_vec());
    assert!(mux.receive(clusters.clone()).unwrap().response.is_none());
    mux.subscribe(Route, set(&["r"]));
    assert!(mux.receive(clusters).unwrap().response.is_none());
    assert!(mux.receive(Bytes::from_static(b"\xff\xff")).is_err());
}

#[test]
fn each_watch_hears_of_its_own() {
    let (mut mux, now) = (opened(true), Instant::now());
    mux.subscribe(Route, set(&["a", "b"]));
    mux.subscribe(Route, set(&["b"]));
    mux.subscribe(Cluster, Names::Wildcard);
    let told = take(&mut mux, &delta(Route, "1", vec![of(Route, "a", "1")], &["b", "z"]), Ok(()), now);
    assert_eq!(told, [(2, String::new(), "b".to_owned()), (1, "a".to_owned(), "b".to_owned())]);
    assert!(take(&mut mux, &delta(Route, "2", vec![], &[]), Ok(()), now).is_empty());
    assert_eq!(take(&mut mux, &delta(Cluster, "2", vec![], &[]), Ok(()), now), [(3, String::new(), String::new())]);
}

#[test]
fn all_and_a_name_go_together() {
    let (mut mux, now) = (opened(true), Instant::now());
    mux.subscribe(Cluster, Names::Wildcard);
    sent(&mut mux);
    let a = mux.subscribe(Cluster, set(&["a"]));
    assert_eq!(sent(&mut mux), ["Cluster n= +a"]);
    let told =
        take(&mut mux, &delta(Cluster, "1", vec![of(Cluster, "a", "1"), of(Cluster, "b", "1")], &[]), Ok(()), now);
    assert_eq!(told, [(2, "a".to_owned(), String::new()), (1, "a b".to_owned(), String::new())]);
    sent(&mut mux);
    mux.opened();
    assert_eq!(sent(&mut mux), ["Cluster n= +*,a =a@1,b@1 node"]);
    mux.unsubscribe(a);
    assert_eq!(sent(&mut mux), ["Cluster n= -a"]);
    mux.opened();
    assert_eq!(sent(&mut mux), ["Cluster n= =a@1,b@1 node"]);
}

#[test]
fn resources_live_as_long_as_they_are_renewed() {
    let (mut mux, start) = (opened(true), Instant::now());
    mux.subscribe(Route, set(&["r"]));
    sent(&mut mux);
    let ttl = seconds(10);
    let first = ResourceWrapper { ttl: ttl.clone(), ..of(Route, "r", "1") };
    take(&mut mux, &delta(Route, "1", vec![first], &[]), Ok(()), start);
    let heartbeat = ResourceWrapper { ttl, ..wrapper("r", "1", None) };
    let five = start + Duration::from_secs(5);
    assert!(take(&mut mux, &delta(Route, "2", vec![heartbeat], &[]), Ok(()), five).is_empty());
    assert_eq!(sent(&mut mux), ["Route n=1", "Route n=2"]);
    assert!(mux.expire(start + Duration::from_secs(14)).is_empty());
    let over = mux.expire(start + Duration::from_secs(15));
    assert_eq!((over.len(), &over[0].update.removed[..]), (1, &["r".to_owned()][..]));
    mux.opened();
    assert_eq!(sent(&mut mux), ["Route n= +r node"], "the version is gone");
}
