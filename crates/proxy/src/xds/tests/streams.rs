//! How streams begin and end.

use sandgate_config::model::{ConfigSourceKind, RateLimit};
use sandgate_xds::{DeltaDiscoveryRequest, DiscoveryRequest};

use super::control_plane::{ControlPlane, ServerStream};
use super::fixture::{Fixture, api};
use super::{Duration, anywhere, delta, delta_line, line, names, run, sotw};
use crate::xds::Names;
use crate::xds::ResourceType::{Cluster, Endpoint, Listener, Route};

async fn next(stream: &mut ServerStream) -> String {
    line(&stream.request::<DiscoveryRequest>().await)
}

async fn next_delta(stream: &mut ServerStream) -> String {
    delta_line(&stream.request::<DeltaDiscoveryRequest>().await)
}

#[test]
fn a_stream_begins_anew_with_what_was_taken() {
    run(async {
        let mut server = ControlPlane::start(anywhere()).await;
        let fixture = Fixture::new(server.address, api(false));
        let (clusters, _cds) = fixture.ads(Cluster, Names::Wildcard, "cluster_manager.cds.");
        let (endpoints, _eds) = fixture.ads(Endpoint, names(&["a"]), "cluster.a.");
        let mut stream = server.stream().await;
        assert_eq!(stream.path, "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources");
        assert_eq!(next(&mut stream).await, "Cluster v= n= [] node");
        assert_eq!(next(&mut stream).await, "Endpoint v= n= [a]");
        stream.send(&sotw(Cluster, "c1", "n1", &["a"]));
        stream.send(&sotw(Endpoint, "e1", "n2", &["a"]));
        assert_eq!(next(&mut stream).await, "Cluster v=c1 n=n1 []");
        assert_eq!(next(&mut stream).await, "Endpoint v=e1 n=n2 [a]");
        clusters.told(1).await;
        endpoints.told(1).await;
        assert_eq!(fixture.stat("control_plane.connected_state"), 1);
        assert_eq!(fixture.stat("cluster_manager.cds.update_attempt"), 2);
        assert_eq!(fixture.stat("cluster_manager.cds.update_success"), 1);
        // xxHash64 of "c1" as Envoy shows it.
        assert_eq!(fixture.stat("cluster_manager.cds.version"), 814_672_407_442_807_801);

        let address = server.address;
        drop((server, stream));
        fixture.reaches("cluster_manager.cds.update_failure", 5).await;
        assert_eq!(fixture.stat("control_plane.connected_state"), 0);
        let mut server = ControlPlane::start(address).await;
        let mut stream = server.stream().await;
        assert_eq!(next(&mut stream).await, "Cluster v=c1 n= [] node");
        assert_eq!(next(&mut stream).await, "Endpoint v=e1 n= [a]");
        // An end with a status is one, too.
        stream.end("14");
        let mut stream = server.stream().await;
        assert_eq!(next(&mut stream).await, "Cluster v=c1 n= [] node");
        clusters.told(1).await;
    });
}

#[test]
fn a_delta_stream_begins_anew_with_versions() {
    run(async {
        let mut server = ControlPlane::start(anywhere()).await;
        let fixture = Fixture::new(server.address, api(true));
        let (clusters, _cds) = fixture.ads(Cluster, Names::Wildcard, "cluster_manager.cds.");
        let mut stream = server.stream().await;
        assert_eq!(stream.path, "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources");
        assert_eq!(next_delta(&mut stream).await, "Cluster n= + - = node");
        stream.send(&delta(Cluster, "n1", &[("a", "1"), ("b", "1")], &[]));
        assert_eq!(next_delta(&mut stream).await, "Cluster n=n1 + - =");
        stream.send(&delta(Cluster, "n2", &[], &["a"]));
        assert_eq!(next_delta(&mut stream).await, "Cluster n=n2 + - =");
        clusters.told(2).await;
        assert_eq!(clusters.updates.borrow()[1].removed, ["a"]);
        stream.end("0");
        let mut stream = server.stream().await;
        assert_eq!(next_delta(&mut stream).await, "Cluster n= + - =b@1 node");
    });
}

#[test]
fn a_server_that_ends_says_nothing_and_listens_to_nothing() {
    run(async {
        let mut server = ControlPlane::start(anywhere()).await;
        for delta in [false, true] {
            let fixture = Fixture::new(server.address, api(delta));
            let (clusters, _cds) = fixture.ads(Cluster, Names::Wildcard, "cds.");
            let (_, eds) = fixture.ads(Endpoint, names(&["a"]), "cluster.a.");
            let mut stream = server.stream().await;
            for _ in 0..2 {
                stream.request::<DiscoveryRequest>().await;
            }
            fixture.client.close();
            drop(eds);
            // Both protocols can read that.
            stream.send(&sotw(Cluster, "c1", "n1", &[]));
            stream.end("0");
            stream.no_more_requests().await;
            fixture.reaches("cds.update_failure", 1).await;
            assert_eq!(clusters.updates.borrow().len(), 0);
            // Nor is there another stream: the next one is somebody else's.
            let other = Fixture::new(server.address, api(false));
            let _other = other.own(Endpoint, names(&["b"]), "cluster.b.");
            assert!(server.stream().await.path.ends_with("StreamEndpoints"));
        }
    });
}

#[test]
fn bytes_that_are_no_message_end_a_stream() {
    run(async {
        let mut server = ControlPlane::start(anywhere()).await;
        for delta in [false, true] {
            let fixture = Fixture::new(server.address, api(delta));
            let (clusters, _cds) = fixture.ads(Cluster, Names::Wildcard, "cds.");
            let mut stream = server.stream().await;
            stream.send_bytes(b"\xff\xff\xff");
            stream.given_up().await;
            let mut stream = server.stream().await;
            stream.send(&sotw(Route, "nobody asked", "n", &["a"]));
            // Both protocols can read that.
            stream.send(&sotw(Cluster, "c1", "n1", &[]));
            clusters.told(1).await;
            assert_eq!(fixture.stat("cds.update_failure"), 1);
        }
    });
}

#[test]
fn a_subscription_of_its_own_has_a_stream_of_its_own() {
    run(async {
        let mut server = ControlPlane::start(anywhere()).await;
        let fixture = Fixture::new(server.address, api(false));
        let (endpoints, eds) = fixture.own(Endpoint, names(&["a"]), "cluster.a.");
        let (_, _eds) = fixture.own(Endpoint, names(&["b"]), "cluster.b.");
        let (mut one, mut other) = (server.stream().await, server.stream().await);
        assert_eq!(one.path, "/envoy.service.endpoint.v3.EndpointDiscoveryService/StreamEndpoints");
        let lines = [next(&mut one).await, next(&mut other).await];
        assert!(lines.contains(&"Endpoint v= n= [a] node".to_owned()), "{lines:?}");
        assert!(lines.contains(&"Endpoint v= n= [b] node".to_owned()), "{lines:?}");
        if lines[0].contains("[b]") {
            std::mem::swap(&mut one, &mut other);
        }
        one.send(&sotw(Endpoint, "e1", "n1", &["a", "b"]));
        assert_eq!(next(&mut one).await, "Endpoint v=e1 n=n1 [a]");
        assert_eq!(endpoints.last(), ["a"]);
        assert_eq!(fixture.stat("cluster.a.control_plane.connected_state"), 1);
        drop(eds);
        one.given_up().await;
        assert_eq!(fixture.stat("cluster.a.control_plane.connected_state"), 0);
        eds_still_serves(&mut other).await;
        server.no_stream();
    });
}

async fn eds_still_serves(stream: &mut ServerStream) {
    stream.send(&sotw(Endpoint, "e2", "n2", &["b"]));
    assert_eq!(next(stream).await, "Endpoint v=e2 n=n2 [b]");
}

#[test]
fn nobody_waits_for_ever_unless_told_to() {
    run(async {
        let mut server = ControlPlane::start(anywhere()).await;
        let fixture = Fixture::new(server.address, api(false));
        let soon = Some(Duration::from_millis(5));
        let subscribe =
            |kind, timeout, prefix| fixture.subscribe(ConfigSourceKind::Ads, timeout, kind, Names::Wildcard, prefix);
        let (clusters, _cds) = subscribe(Cluster, soon, "cds.");
        let (listeners, _lds) = subscribe(Listener, None, "lds.");
        let late = Some(Duration::from_millis(200));
        let (routes, _rds) = fixture.subscribe(ConfigSourceKind::Ads, late, Route, names(&["r"]), "rds.");
        let mut stream = server.stream().await;
        stream.send(&sotw(Route, "r1", "n", &["r"]));
        routes.told(1).await;
        fixture.reaches("cds.init_fetch_timeout", 1).await;
        assert_eq!(clusters.timeouts.get(), 1);
        assert_eq!(fixture.stat("cds.update_attempt"), 2);
        stream.send(&sotw(Cluster, "c1", "n", &[]));
        clusters.told(1).await;
        tokio::time::sleep(Duration::from_millis(220)).await;
        assert_eq!((clusters.timeouts.get(), listeners.timeouts.get(), routes.timeouts.get()), (1, 0, 0));
    });
}

#[test]
fn requests_are_as_fast_as_they_may_be() {
    run(async {
        let mut server = ControlPlane::start(anywhere()).await;
        let rate_limit = Some(RateLimit { max_tokens: 2, fill_rate: 100.0 });
        let fixture = Fixture::new(server.address, sandgate_config::model::ApiConfig { rate_limit, ..api(false) });
        let (_, _cds) = fixture.ads(Cluster, Names::Wildcard, "cds.");
        let mut stream = server.stream().await;
        for version in 1..=20 {
            stream.send(&sotw(Cluster, &format!("c{version}"), "n", &[]));
        }
        fixture.reaches("control_plane.pending_requests", 1).await;
        for _ in 0..20 {
            next(&mut stream).await;
        }
        assert_eq!(next(&mut stream).await, "Cluster v=c20 n=n []");
        assert_eq!(fixture.stat("control_plane.pending_requests"), 0);
        assert!(fixture.stat("control_plane.rate_limit_enforced") >= 10);
        stream.no_request();
    });
}
