//! Who is told what, and what the control plane hears of it.

use std::cell::RefCell;
use std::rc::Rc;

use sandgate_xds::{DeltaDiscoveryRequest, DiscoveryRequest, DiscoveryResponse};

use super::control_plane::{ControlPlane, ServerStream};
use super::fixture::{Fixture, api, eventually};
use super::{Any, Bytes, any, anywhere, delta, delta_line, line, names, run, sotw};
use crate::xds::Names;
use crate::xds::ResourceType::{Cluster, Endpoint, Listener, Route};

async fn next(stream: &mut ServerStream) -> String {
    line(&stream.request::<DiscoveryRequest>().await)
}

#[test]
fn a_refusal_is_heard_and_counted() {
    run(async {
        let mut server = ControlPlane::start(anywhere()).await;
        let fixture = Fixture::new(server.address, api(false));
        let (listeners, _lds) = fixture.ads(Listener, Names::Wildcard, "listener_manager.lds.");
        let mut stream = server.stream().await;
        next(&mut stream).await;
        stream.send(&sotw(Listener, "l1", "n1", &["a"]));
        assert_eq!(next(&mut stream).await, "Listener v=l1 n=n1 []");
        listeners.refuses.replace(Some("not that".to_owned()));
        stream.send(&sotw(Listener, "l2", "n2", &["b"]));
        assert_eq!(next(&mut stream).await, "Listener v=l1 n=n2 [] ERR not that");
        // What nobody is told is refused as well.
        stream.send(&DiscoveryResponse { resources: vec![any(Route, "r")], ..sotw(Listener, "l3", "n3", &[]) });
        assert!(next(&mut stream).await.starts_with("Listener v=l1 n=n3 [] ERR type.googleapis.com/"));
        listeners.refuses.replace(None);
        stream.send(&sotw(Listener, "l4", "n4", &["b"]));
        assert_eq!(next(&mut stream).await, "Listener v=l4 n=n4 []");
        listeners.told(3).await;
        let stat = |name: &str| fixture.stat(&format!("listener_manager.lds.{name}"));
        assert_eq!((stat("update_success"), stat("update_rejected"), stat("update_attempt")), (2, 2, 5));
    });
}

#[test]
fn what_is_sent_again_at_once_is_refused_each_time_and_then_taken() {
    run(async {
        let mut server = ControlPlane::start(anywhere()).await;
        let fixture = Fixture::new(server.address, api(false));
        let (listeners, _lds) = fixture.ads(Listener, Names::Wildcard, "lds.");
        let mut stream = server.stream().await;
        next(&mut stream).await;
        listeners.refuses.replace(Some("not that".to_owned()));
        for nonce in ["n1", "n2", "n3", "n4", "n5", "n6"] {
            stream.send(&sotw(Listener, "l1", nonce, &["a"]));
            assert_eq!(next(&mut stream).await, format!("Listener v= n={nonce} [] ERR not that"));
        }
        // A refusal that waits gives way to what is right.
        stream.send(&sotw(Listener, "l1", "n7", &["a"]));
        eventually("the last refusal", || fixture.stat("lds.update_rejected") == 7).await;
        listeners.refuses.replace(None);
        stream.send(&sotw(Listener, "l2", "n8", &["b"]));
        let mut said = next(&mut stream).await;
        // Unless this has taken longer than it waits.
        if said == "Listener v= n=n7 [] ERR not that" {
            said = next(&mut stream).await;
        }
        assert_eq!(said, "Listener v=l2 n=n8 []");
    });
}

#[test]
fn a_refused_difference_counts_twice_as_an_attempt() {
    run(async {
        let mut server = ControlPlane::start(anywhere()).await;
        let fixture = Fixture::new(server.address, api(true));
        let (routes, _rds) = fixture.ads(Route, names(&["r"]), "rds.");
        routes.refuses.replace(Some("not that".to_owned()));
        let mut stream = server.stream().await;
        assert_eq!(delta_line(&stream.request().await), "Route n= +r - = node");
        stream.send(&delta(Route, "n1", &[("r", "1")], &[]));
        let request: DeltaDiscoveryRequest = stream.request().await;
        assert_eq!(request.error_detail.map(|error| (error.code, error.message)), Some((13, "not that".to_owned())));
        assert_eq!((fixture.stat("rds.update_attempt"), fixture.stat("rds.update_rejected")), (3, 1));
    });
}

#[test]
fn one_request_has_all_names_that_come_of_an_update() {
    run(async {
        let mut server = ControlPlane::start(anywhere()).await;
        let fixture = Rc::new(Fixture::new(server.address, api(false)));
        let (clusters, _cds) = fixture.ads(Cluster, Names::Wildcard, "cds.");
        let kept = Rc::new(RefCell::new(Vec::new()));
        let (of, keep) = (Rc::clone(&fixture), Rc::clone(&kept));
        clusters.then.replace(Some(Box::new(move || {
            for name in ["b", "a"] {
                keep.borrow_mut().push(of.ads(Endpoint, names(&[name]), &format!("cluster.{name}.")));
            }
        })));
        let mut stream = server.stream().await;
        next(&mut stream).await;
        stream.send(&sotw(Cluster, "c1", "n1", &["b", "a"]));
        assert_eq!(next(&mut stream).await, "Endpoint v= n= [a b]");
        assert_eq!(next(&mut stream).await, "Cluster v=c1 n=n1 []");
        // One goes while an update is taken.
        let keep = Rc::clone(&kept);
        clusters.then.replace(Some(Box::new(move || {
            let gone = keep.borrow_mut().pop();
            drop(gone);
        })));
        let waiting = fixture.client.pause(Cluster);
        stream.send(&sotw(Cluster, "c2", "n2", &["b"]));
        assert_eq!(next(&mut stream).await, "Endpoint v= n= [b]");
        stream.send(&sotw(Endpoint, "e1", "n3", &["a", "b", "c"]));
        assert_eq!(next(&mut stream).await, "Endpoint v=e1 n=n3 [b]");
        assert_eq!(kept.borrow()[0].0.last(), ["b"]);
        drop(waiting);
        assert_eq!(next(&mut stream).await, "Cluster v=c2 n=n2 []");
    });
}

#[test]
fn whoever_is_gone_is_told_nothing() {
    run(async {
        let mut server = ControlPlane::start(anywhere()).await;
        let fixture = Rc::new(Fixture::new(server.address, api(false)));
        let (first, _one) = fixture.ads(Route, names(&["r"]), "one.");
        let (second, other) = fixture.ads(Route, names(&["r"]), "other.");
        // The last is told first, and takes the first with it; then itself.
        let both = RefCell::new(Some((_one, other)));
        second.then.replace(Some(Box::new(move || drop(both.take()))));
        let mut stream = server.stream().await;
        stream.send(&sotw(Route, "r1", "n1", &["r"]));
        second.told(1).await;
        while next(&mut stream).await != "Route v=r1 n=n1 []" {}
        assert!(first.updates.borrow().is_empty());
    });
}

#[test]
fn ten_thousand_subscribers_are_told() {
    run(async {
        let mut server = ControlPlane::start(anywhere()).await;
        let fixture = Fixture::new(server.address, api(false));
        let waiting = fixture.client.pause(Endpoint);
        let all: Vec<_> = (0..10_000).map(|n| format!("cluster-{n}")).collect();
        let told: Vec<_> = all.iter().map(|name| fixture.ads(Endpoint, Names::one(name.as_str()), "eds.")).collect();
        drop(waiting);
        let mut stream = server.stream().await;
        assert_eq!(stream.request::<DiscoveryRequest>().await.resource_names.len(), 10_000);
        let listed: Vec<_> = all.iter().map(String::as_str).collect();
        stream.send(&sotw(Endpoint, "e1", "n1", &listed));
        assert_eq!(stream.request::<DiscoveryRequest>().await.version_info, "e1");
        for ((recorder, _), name) in told.iter().zip(&all) {
            assert_eq!(recorder.last(), [name.as_str()]);
        }
        let waiting = fixture.client.pause(Endpoint);
        drop(told);
        drop(waiting);
        assert!(stream.request::<DiscoveryRequest>().await.resource_names.is_empty());
    });
}

#[test]
fn fifty_megabytes_are_a_message() {
    run(async {
        let mut server = ControlPlane::start(anywhere()).await;
        let fixture = Fixture::new(server.address, api(false));
        let (clusters, _cds) = fixture.ads(Cluster, Names::Wildcard, "cds.");
        let mut stream = server.stream().await;
        next(&mut stream).await;
        // A name and an unknown field.
        let mut body = vec![0x0a, 1, b'a', 0xfa, 0x7f, 0x90, 0x4e];
        body.resize(body.len() + 10_000, b'x');
        let large = Any { type_url: Cluster.type_url().to_owned(), value: Bytes::from(body) };
        stream.send(&DiscoveryResponse { resources: vec![large; 5_000], ..sotw(Cluster, "c1", "n1", &[]) });
        assert_eq!(next(&mut stream).await, "Cluster v=c1 n=n1 []");
        assert_eq!(clusters.updates.borrow()[0].resources.len(), 5_000);
    });
}
