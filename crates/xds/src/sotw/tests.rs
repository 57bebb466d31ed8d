#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::time::Duration;

use super::*;
use crate::ResourceType::{Cluster, Endpoint, Listener, Route};
use crate::messages::ControlPlane;
use crate::testing::{any, node, receive, refused, seconds, sent, set, sotw, take, wrapped, wrapper};

fn opened(first_only: bool) -> SotwMux {
    let mut mux = SotwMux::new(node(first_only));
    mux.opened();
    mux
}

#[test]
fn a_first_start_asks_as_envoy_does() {
    let (mut mux, now) = (opened(true), Instant::now());
    mux.subscribe(Cluster, Names::Wildcard);
    assert_eq!(sent(&mut mux), ["Cluster v= n= [] node"]);
    // Clusters come, and each asks for its endpoints while the update is taken.
    let clusters = sotw(Cluster, "c1", "n1", vec![any(Cluster, "b"), any(Cluster, "a")]);
    let mut response = receive(&mut mux, &clusters);
    let told = std::mem::take(&mut response.deliveries);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].update.resources.iter().map(|r| &r.name[..]).collect::<Vec<_>>(), ["b", "a"]);
    assert_eq!(told[0].update.version, "c1");
    mux.pause(Endpoint);
    mux.subscribe(Endpoint, set(&["b"]));
    mux.subscribe(Endpoint, set(&["a"]));
    assert!(!mux.has_request());
    mux.resume(Endpoint);
    mux.finish(response, Ok(()), now);
    assert_eq!(sent(&mut mux), ["Endpoint v= n= [a b]", "Cluster v=c1 n=n1 []"]);
    let endpoints = sotw(Endpoint, "e1", "n2", vec![any(Endpoint, "a"), any(Endpoint, "nobody's")]);
    assert_eq!(take(&mut mux, &endpoints, Ok(()), now), [(3, "a".to_owned(), String::new())]);
    assert_eq!(sent(&mut mux), ["Endpoint v=e1 n=n2 [a b]"]);
}

#[test]
fn a_new_stream_begins_with_what_is_there() {
    let (mut mux, now) = (opened(true), Instant::now());
    mux.subscribe(Cluster, Names::Wildcard);
    let a = mux.subscribe(Endpoint, set(&["a"]));
    assert_eq!(sent(&mut mux).len(), 2);
    take(&mut mux, &sotw(Endpoint, "e1", "n1", vec![any(Endpoint, "a")]), Ok(()), now);
    mux.closed();
    assert!(!mux.has_request());
    mux.subscribe(Endpoint, set(&["b"]));
    assert!(!mux.has_request());
    mux.opened();
    assert_eq!(sent(&mut mux), ["Cluster v= n= [] node", "Endpoint v=e1 n= [b a]"]);
    mux.unsubscribe(a);
    assert_eq!(sent(&mut mux), ["Endpoint v=e1 n= [b]"]);
}

#[test]
fn a_refusal_names_the_last_version_once() {
    let (mut mux, now) = (opened(false), Instant::now());
    mux.subscribe(Listener, Names::Wildcard);
    sent(&mut mux);
    take(&mut mux, &sotw(Listener, "l1", "n1", vec![any(Listener, "l")]), Ok(()), now);
    assert_eq!(sent(&mut mux), ["Listener v=l1 n=n1 [] node"]);
    take(&mut mux, &sotw(Listener, "l2", "n2", vec![any(Listener, "l")]), Err("no"), now);
    assert_eq!(sent(&mut mux), ["Listener v=l1 n=n2 [] node ERR no"]);
    take(&mut mux, &sotw(Listener, "l3", "n3", vec![]), Ok(()), now);
    assert_eq!(sent(&mut mux), ["Listener v=l3 n=n3 [] node"]);
}

#[test]
fn what_cannot_be_taken_is_refused_as_a_whole() {
    let mut mux = opened(false);
    mux.subscribe(Route, set(&["r"]));
    let wrong_inside = sotw(Route, "1", "n", vec![any(Route, "r"), any(Cluster, "c")]);
    let detail = "type.googleapis.com/envoy.config.cluster.v3.Cluster does not match the message-wide type URL \
                  type.googleapis.com/envoy.config.route.v3.RouteConfiguration in DiscoveryResponse";
    refused(&receive(&mut mux, &wrong_inside), detail, "inside");
    let unreadable = "Unable to unpack as envoy.config.route.v3.RouteConfiguration";
    let broken = Any { type_url: Route.type_url().to_owned(), value: Bytes::from_static(b"\xff\xff") };
    refused(&receive(&mut mux, &sotw(Route, "1", "n", vec![broken])), unreadable, "broken");
    let wrong = wrapped(&wrapper("r", "1", Some(any(Cluster, "r"))));
    refused(&receive(&mut mux, &sotw(Route, "1", "n", vec![wrong])), unreadable, "wrapped");
}

#[test]
fn what_nobody_asked_for_is_no_response() {
    let (mut mux, now) = (opened(false), Instant::now());
    let encoded = |response: &DiscoveryResponse| Bytes::from(response.encode_to_vec());
    let clusters = encoded(&sotw(Cluster, "1", "n", vec![any(Cluster, "c")]));
    assert!(mux.receive(clusters.clone()).unwrap().response.is_none());
    assert!(mux.receive(Bytes::from_static(b"\xff")).is_err());
    let watch = mux.subscribe(Endpoint, set(&["a"]));
    sent(&mut mux);
    assert!(mux.receive(clusters).unwrap().response.is_none());
    assert!(sent(&mut mux).is_empty());
    take(&mut mux, &sotw(Endpoint, "e1", "n1", vec![any(Endpoint, "a")]), Ok(()), now);
    sent(&mut mux);
    mux.unsubscribe(watch);
    assert_eq!(sent(&mut mux), ["Endpoint v=e1 n=n1 [] node"]);
    // Nothing of what nobody watches any more is an agreement; something is not.
    assert!(mux.receive(encoded(&sotw(Endpoint, "e2", "n2", vec![]))).unwrap().response.is_none());
    assert!(sent(&mut mux).is_empty());
    let some = encoded(&sotw(Endpoint, "e3", "n3", vec![any(Endpoint, "x")]));
    assert!(mux.receive(some).unwrap().response.is_none());
    assert_eq!(sent(&mut mux), ["Endpoint v=e2 n=n3 [] node"]);
}

#[test]
fn an_answer_waits_while_its_type_is_paused() {
    let (mut mux, now) = (opened(true), Instant::now());
    mux.subscribe(Cluster, Names::Wildcard);
    sent(&mut mux);
    mux.pause(Cluster);
    take(&mut mux, &sotw(Cluster, "c1", "n1", vec![]), Ok(()), now);
    assert!(!mux.has_request());
    mux.pause(Cluster);
    mux.resume(Cluster);
    assert!(!mux.has_request());
    mux.resume(Cluster);
    assert_eq!(sent(&mut mux), ["Cluster v=c1 n=n1 []"]);
    // A type that waits is left out of a new stream's first requests.
    mux.subscribe(Listener, Names::Wildcard);
    mux.pause(Cluster);
    mux.opened();
    assert_eq!(sent(&mut mux), ["Listener v= n= [] node"]);
    mux.resume(Cluster);
    assert_eq!(sent(&mut mux), ["Cluster v=c1 n= []"]);
}

#[test]
fn each_watch_hears_of_its_own() {
    let (mut mux, now) = (opened(true), Instant::now());
    mux.subscribe(Route, set(&["a", "b"]));
    mux.subscribe(Route, set(&["b"]));
    mux.subscribe(Route, set(&["z"]));
    mux.subscribe(Cluster, Names::Wildcard);
    let routes = sotw(Route, "1", "n", ["b", "x", "a", "a"].map(|name| any(Route, name)).to_vec());
    let told = take(&mut mux, &routes, Ok(()), now);
    assert_eq!(told, [(2, "b".to_owned(), String::new()), (1, "a b".to_owned(), String::new())]);
    assert!(take(&mut mux, &sotw(Route, "2", "n", vec![]), Ok(()), now).is_empty());
    let none = take(&mut mux, &sotw(Cluster, "2", "n", vec![]), Ok(()), now);
    assert_eq!(none, [(4, String::new(), String::new())]);
}

#[test]
fn requests_that_wait_for_a_token_say_what_is_true_then() {
    let (mut mux, now) = (opened(true), Instant::now());
    mux.subscribe(Cluster, Names::Wildcard);
    for version in ["c1", "c2"] {
        take(&mut mux, &sotw(Cluster, version, version, vec![]), Ok(()), now);
    }
    assert_eq!(mux.queued(), 3);
    assert_eq!(sent(&mut mux), ["Cluster v=c2 n=c2 [] node", "Cluster v=c2 n=c2 []", "Cluster v=c2 n=c2 []"]);
}

#[test]
fn wrapped_resources_live_as_long_as_they_are_renewed() {
    let (mut mux, start) = (opened(true), Instant::now());
    mux.subscribe(Route, set(&["r"]));
    let body = Some(any(Route, "inside"));
    let first = ResourceWrapper { ttl: seconds(10), ..wrapper("r", "7", body) };
    let response = receive(&mut mux, &sotw(Route, "1", "n", vec![wrapped(&first)]));
    let resource = &response.deliveries[0].update.resources[0];
    assert_eq!((&resource.name[..], &resource.version[..]), ("r", "1"));
    assert_eq!(resource.ttl, Some(Duration::from_secs(10)));
    mux.finish(response, Ok(()), start);
    let heartbeat = ResourceWrapper { ttl: seconds(10), ..wrapper("r", "7", None) };
    let five = start + Duration::from_secs(5);
    assert!(take(&mut mux, &sotw(Route, "1", "n", vec![wrapped(&heartbeat)]), Ok(()), five).is_empty());
    assert_eq!(mux.next_expiry(), Some(start + Duration::from_secs(15)));
    assert!(mux.expire(start + Duration::from_secs(14)).is_empty());
    let over = mux.expire(start + Duration::from_secs(15));
    assert_eq!((over.len(), &over[0].update.removed[..]), (1, &["r".to_owned()][..]));
    assert!(over[0].update.is_delta && over[0].update.version.is_empty());
    // Of another version it is a resource that has nothing in it.
    let response = receive(&mut mux, &sotw(Route, "2", "n", vec![wrapped(&heartbeat)]));
    assert_eq!(response.deliveries[0].update.resources[0].body, None);
}

#[test]
fn the_control_plane_says_who_it_is() {
    let mut mux = opened(true);
    mux.subscribe(Cluster, Names::Wildcard);
    let control_plane = Some(ControlPlane { identifier: "CP-1".to_owned() });
    let response = DiscoveryResponse { control_plane, ..sotw(Cluster, "1", "n", vec![]) };
    let received = mux.receive(response.encode_to_vec().into()).unwrap();
    assert_eq!(received.control_plane.as_deref(), Some("CP-1"));
}
