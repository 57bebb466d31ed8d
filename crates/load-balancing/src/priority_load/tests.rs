use sandgate_config::model::{HealthStatus, LoadBalancing};

use super::*;
use crate::testing::host_in;

/// Priorities written as a letter for each host: h(ealthy), d(egraded), u(nhealthy), x (draining: excluded).
fn set(priorities: &[&str]) -> PrioritySet {
    let mut hosts = Vec::new();
    for (priority, letters) in (0_u32..).zip(priorities) {
        for letter in letters.chars() {
            let status = match letter {
                'd' => HealthStatus::Degraded,
                'u' => HealthStatus::Unhealthy,
                'x' => HealthStatus::Draining,
                _ => HealthStatus::Healthy,
            };
            hosts.push(host_in(u16::try_from(hosts.len()).unwrap_or(0), 1, priority, "", status));
        }
    }
    let weights = (0_u32..).zip(priorities).map(|(priority, _)| (priority, std::sync::Arc::default(), 0)).collect();
    PrioritySet::new(hosts, weights)
}

fn state(priorities: &[&str], threshold: u32) -> (Vec<u32>, Vec<u32>, Vec<bool>) {
    let PriorityState { load, panic } = PriorityState::new(&set(priorities), &LoadBalancing::default(), threshold);
    (load.healthy, load.degraded, panic)
}

/// The tables of Envoy's documentation (load balancing, priority levels, panic threshold, degraded endpoints).
#[test]
fn loads_spill_over() {
    for (priorities, healthy, degraded) in [
        (&["hhhh", "hhhh"][..], &[100, 0][..], &[0, 0][..]),
        (&["hhhu", "hhhh"], &[100, 0], &[0, 0]),
        (&["hhuu", "hhhh"], &[70, 30], &[0, 0]),
        (&["huuu", "hhhh"], &[35, 65], &[0, 0]),
        (&["uuuu", "hhhh"], &[0, 100], &[0, 0]),
        (&["huuu", "huuu"], &[50, 50], &[0, 0]),
        (&["dddd", "uuuu"], &[0, 0], &[100, 0]),
        (&["huuu", "dddd"], &[35, 0], &[0, 65]),
        (&["hxxx", "hhhh"], &[100, 0], &[0, 0]),
        (&["", "hh"], &[0, 100], &[0, 0]),
    ] {
        let (found_healthy, found_degraded, _) = state(priorities, 0);
        assert_eq!((&*found_healthy, &*found_degraded), (healthy, degraded), "{priorities:?}");
    }
}

#[test]
fn panic_where_too_few_are_available() {
    for (priorities, threshold, healthy, panic) in [
        (&["huu"][..], 50, &[100][..], &[true][..]),
        (&["hu"], 50, &[100], &[false]),
        (&["huu"], 33, &[100], &[false]),
        (&["uuu"], 0, &[100], &[false]),
        // Enough over both: no panic in the first, although only a quarter is healthy there.
        (&["huuu", "hhhh"], 50, &[35, 65], &[false, false]),
        (&["huuu", "hhuuuu"], 50, &[40, 60], &[true, true]),
        (&["huuuu", "hhuu"], 50, &[29, 71], &[true, false]),
        (&["uuuu", "uuuuuu"], 50, &[40, 60], &[true, true]),
        (&["x"], 50, &[100], &[true]),
        (&[""], 50, &[100], &[true]),
    ] {
        let (found, _, in_panic) = state(priorities, threshold);
        assert_eq!((&*found, &*in_panic), (healthy, panic), "{priorities:?} {threshold}");
    }
}

#[test]
fn loads_always_make_100() {
    let letters = ['h', 'd', 'u', 'x'];
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..2000 {
        let priorities: Vec<String> = (0..random.usize(1..4))
            .map(|_| (0..random.usize(0..6)).map(|_| letters[random.usize(..4)]).collect())
            .collect();
        let priorities: Vec<&str> = priorities.iter().map(String::as_str).collect();
        let (healthy, degraded, _) = state(&priorities, random.u32(0..=100));
        assert_eq!(healthy.iter().chain(&degraded).sum::<u32>(), 100, "{priorities:?}");
    }
}

#[test]
fn overprovisioning_and_weights() {
    let config = LoadBalancing { overprovisioning_factor: 100, ..LoadBalancing::default() };
    let load = |set: &PrioritySet, config: &LoadBalancing| PriorityState::new(set, config, 0).load.healthy;
    assert_eq!(load(&set(&["hhhu", "hhhh"]), &config), [75, 25]);
    let mut hosts = set(&["hu", "hh"]).hosts;
    hosts[0] = host_in(9, 3, 0, "", HealthStatus::Healthy);
    let set = PrioritySet::new(hosts, Vec::new());
    assert_eq!(load(&set, &config), [50, 50]);
    assert_eq!(load(&set, &LoadBalancing { weighted_priority_health: true, ..config }), [75, 25]);
}

#[test]
fn priorities_can_be_left_out() {
    let config = LoadBalancing::default();
    let set = set(&["hh", "hu", "d"]);
    let without =
        |excluded: &[u32]| PriorityLoad::without(&set, &config, excluded).map(|load| (load.healthy, load.degraded));
    assert_eq!(without(&[0]), Some((vec![0, 70, 0], vec![0, 0, 30])));
    assert_eq!(without(&[0, 1]), Some((vec![0, 0, 0], vec![0, 0, 100])));
    assert_eq!(without(&[0, 1, 2]), None);
}
