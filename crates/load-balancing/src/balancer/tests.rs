use std::sync::atomic::Ordering::Relaxed;

use sandgate_config::model::{HealthStatus, LeastRequest, Maglev, RingHash};

use super::*;
use crate::testing::{host, host_in};
use crate::{Host, HostStats};

fn balancer(policy: LbPolicy, hosts: Vec<Arc<Host>>) -> LoadBalancer {
    with(LoadBalancing { policy, ..LoadBalancing::default() }, hosts, Vec::new())
}

fn with(config: LoadBalancing, hosts: Vec<Arc<Host>>, weights: Vec<(u32, &str, u32)>) -> LoadBalancer {
    let locality = |zone: &str| Arc::new(crate::Locality { zone: zone.into(), ..crate::Locality::default() });
    let weights = weights.into_iter().map(|(priority, zone, weight)| (priority, locality(zone), weight)).collect();
    let set = Arc::new(PrioritySet::new(hosts, weights));
    let runtime = RuntimeValues::of(&config);
    LoadBalancer::new(&Arc::new(config), &set, runtime, Rng::with_seed(11), Instant::now())
}

fn counts(balancer: &mut LoadBalancer, rounds: usize) -> Vec<usize> {
    let mut counts = vec![0; balancer.set().hosts.len()];
    for _ in 0..rounds {
        if let Some(index) = balancer.choose(&mut LbContext::default(), Instant::now()).host {
            counts[index] += 1;
        }
    }
    counts
}

fn near(counts: &[usize], wanted: &[usize]) -> bool {
    counts.iter().zip(wanted).all(|(count, wanted)| count.abs_diff(*wanted) <= 60)
}

#[test]
fn round_robin_takes_turns() {
    assert_eq!(counts(&mut balancer(LbPolicy::default(), vec![host(1, 1), host(2, 1), host(3, 1)]), 9), [3, 3, 3]);
    let weighted = counts(&mut balancer(LbPolicy::default(), vec![host(1, 1), host(2, 3), host(3, 2)]), 60);
    assert!(weighted.iter().zip([10, 30, 20]).all(|(count, wanted)| count.abs_diff(wanted) <= 1), "{weighted:?}");
    assert_eq!(balancer(LbPolicy::default(), Vec::new()).choose(&mut LbContext::default(), Instant::now()).host, None);
}

#[test]
fn turns_go_on_over_an_update() {
    let mut balancer = balancer(LbPolicy::default(), vec![host(1, 1), host(2, 1)]);
    let choose = |balancer: &mut LoadBalancer| balancer.choose(&mut LbContext::default(), Instant::now()).host;
    for _ in 0..5 {
        let first = choose(&mut balancer);
        let set = Arc::new(balancer.set().with_health_now());
        let runtime = RuntimeValues::of(&balancer.config);
        balancer.update(&set, runtime, Instant::now());
        assert_ne!(first, choose(&mut balancer));
        choose(&mut balancer);
    }
}

#[test]
fn health_decides() {
    use HealthStatus::{Degraded, Healthy, Unhealthy};
    let hosts = |statuses: &[HealthStatus]| -> Vec<_> {
        (1..).zip(statuses).map(|(port, status)| host_in(port, 1, 0, "", *status)).collect()
    };
    for (statuses, wanted) in [
        (&[Healthy, Unhealthy][..], &[400, 0][..]),
        (&[Healthy, Degraded], &[280, 120]),
        (&[Unhealthy, Degraded], &[0, 400]),
        (&[Healthy, Unhealthy, Unhealthy], &[133, 133, 133]),
    ] {
        let found = counts(&mut balancer(LbPolicy::default(), hosts(statuses)), 400);
        assert!(near(&found, wanted), "{statuses:?}: {found:?}");
    }
    let mut panic = balancer(LbPolicy::default(), hosts(&[Unhealthy]));
    assert_eq!(
        panic.choose(&mut LbContext::default(), Instant::now()),
        Choice { host: Some(0), panic: true, ..Choice::default() }
    );
    let config = LoadBalancing { fail_traffic_on_panic: true, ..LoadBalancing::default() };
    let mut failing = with(config, hosts(&[Unhealthy]), Vec::new());
    assert_eq!(
        failing.choose(&mut LbContext::default(), Instant::now()),
        Choice { host: None, panic: true, ..Choice::default() }
    );
}

#[test]
fn priorities_share_as_their_health_says() {
    let status = |healthy: bool| if healthy { HealthStatus::Healthy } else { HealthStatus::Unhealthy };
    let hosts = (1..).zip([(0, true), (0, false), (1, true), (1, true)]);
    let hosts = hosts.map(|(port, (priority, healthy))| host_in(port, 1, priority, "", status(healthy))).collect();
    let found = counts(&mut balancer(LbPolicy::Random, hosts), 1000);
    assert!(near(&found, &[700, 0, 150, 150]), "{found:?}");
}

#[test]
fn localities_share_by_weight() {
    let zone = |port, zone: &str| host_in(port, 1, 0, zone, HealthStatus::Healthy);
    let config = LoadBalancing { locality_weighted: true, ..LoadBalancing::default() };
    let hosts = vec![zone(1, "a"), zone(2, "b"), zone(3, "b"), zone(4, "c")];
    let found = counts(&mut with(config, hosts, vec![(0, "a", 1), (0, "b", 4), (0, "c", 0)]), 100);
    assert!(found[0].abs_diff(20) <= 1 && found[1].abs_diff(40) <= 1 && found[3] == 0, "{found:?}");
}

#[test]
fn least_request_avoids_the_busy() {
    let hosts = || vec![host(1, 1), host(2, 1), host(3, 1)];
    let busy = |hosts: &[Arc<Host>]| (0..9).for_each(|_| HostStats::inc(&hosts[1].stats.rq_active));
    let least = |full_scan, choice_count| {
        LbPolicy::LeastRequest(LeastRequest { full_scan, choice_count, ..LeastRequest::default() })
    };
    let mut two = balancer(least(false, 2), hosts());
    busy(&two.set().hosts);
    let found = counts(&mut two, 900);
    assert!(near(&found, &[400, 100, 400]), "{found:?}");
    let mut all = balancer(least(true, 2), hosts());
    busy(&all.set().hosts);
    let found = counts(&mut all, 900);
    assert!(near(&found, &[450, 0, 450]), "{found:?}");
}

#[test]
fn least_request_divides_weights_by_requests_in_flight() {
    let mut balancer = balancer(LbPolicy::LeastRequest(LeastRequest::default()), vec![host(1, 3), host(2, 1)]);
    let hosts = &balancer.set().hosts;
    hosts[0].stats.rq_active.store(2, Relaxed);
    let runtime = RuntimeValues::of(&balancer.config);
    balancer.update(&Arc::clone(balancer.set()), runtime, Instant::now());
    let found = counts(&mut balancer, 100);
    assert!(found[0].abs_diff(50) <= 1, "{found:?}");
}

#[test]
fn hashing_sticks_to_a_host_and_leaves_the_rest_where_it_is() {
    for policy in [LbPolicy::RingHash(RingHash::default()), LbPolicy::Maglev(Maglev::default())] {
        let hosts: Vec<_> = (1..=10).map(|port| host(port, 1)).collect();
        let mut all = balancer(policy.clone(), hosts.clone());
        let mut fewer = balancer(policy, hosts[..9].to_vec());
        let mut random = Rng::with_seed(3);
        let mut moved = 0;
        for _ in 0..1000 {
            let mut context = LbContext { hash: Some(random.u64(..)), ..LbContext::default() };
            let (a, again) = (all.choose(&mut context, Instant::now()), all.choose(&mut context, Instant::now()));
            assert_eq!(a, again);
            let b = fewer.choose(&mut context, Instant::now());
            moved += usize::from(a.host != Some(9) && a.host != b.host);
        }
        assert!(moved < 120, "{moved} of 900 moved although their host stayed");
    }
}

#[test]
fn bounded_load_goes_elsewhere_always_to_the_same_host() {
    let hashing = sandgate_config::model::ConsistentHashing { hash_balance_factor: 125, ..Default::default() };
    let policy = LbPolicy::Maglev(Maglev { hashing, ..Maglev::default() });
    let mut balancer = balancer(policy, (1..=5).map(|port| host(port, 1)).collect());
    let mut choose =
        |hash| balancer.choose(&mut LbContext { hash: Some(hash), ..LbContext::default() }, Instant::now());
    let first = choose(42).host.unwrap_or(0);
    let set = Arc::clone(balancer.set());
    set.hosts[first].stats.rq_active.store(10, Relaxed);
    let mut choose =
        |hash| balancer.choose(&mut LbContext { hash: Some(hash), ..LbContext::default() }, Instant::now());
    let second = choose(42).host;
    assert!(second != Some(first) && second == choose(42).host);
}

#[test]
fn refused_hosts_are_tried_again_as_often_as_allowed() {
    let mut balancer = balancer(LbPolicy::default(), vec![host(1, 1), host(2, 1), host(3, 1)]);
    let mut asked = Vec::new();
    let mut reject = |host: &Host| {
        asked.push(host.address().port());
        host.address().port() != 2
    };
    let mut context = LbContext { reject: Some(&mut reject), max_retries: 5, ..LbContext::default() };
    assert_eq!(balancer.choose(&mut context, Instant::now()).host, Some(1));
    let mut asked = 0;
    let mut never = |_: &Host| {
        asked += 1;
        true
    };
    let mut context = LbContext { reject: Some(&mut never), max_retries: 2, ..LbContext::default() };
    assert!(balancer.choose(&mut context, Instant::now()).host.is_some());
    assert_eq!(asked, 3);
}
