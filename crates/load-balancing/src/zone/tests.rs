#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::time::Instant;

use sandgate_config::model::{HealthStatus, LoadBalancing, ZoneAware};

use super::*;
use crate::testing::host_in;
use crate::{LbContext, LoadBalancer};

fn set(zones: &[&str], health: HealthStatus) -> Arc<PrioritySet> {
    let hosts = zones.iter().zip(1..).map(|(zone, port)| host_in(port, 1, 0, zone, health));
    Arc::new(PrioritySet::new(hosts.collect(), Vec::new()))
}

fn well(zones: &[&str]) -> Arc<PrioritySet> {
    set(zones, HealthStatus::Unknown)
}

/// A process in zone `a` of some.
fn local(zones: &[&str]) -> Rc<LocalHosts> {
    let local = LocalHosts::new(Some(Locality { zone: "a".into(), ..Locality::default() }));
    local.update(&well(zones));
    local
}

fn config(min_cluster_size: u64) -> LoadBalancing {
    let zone_aware = ZoneAware { min_cluster_size, ..ZoneAware::default() };
    LoadBalancing { zone_aware, ..LoadBalancing::default() }
}

fn balancer(config: LoadBalancing, local: &Rc<LocalHosts>, hosts: &Arc<PrioritySet>) -> LoadBalancer {
    let runtime = RuntimeValues::of(&config);
    let random = Rng::with_seed(5);
    let mut balancer = LoadBalancer::new(&Arc::new(config), &Arc::default(), runtime, random, Instant::now());
    balancer.keep_in_zone(local);
    balancer.update(hosts, runtime, Instant::now());
    balancer
}

/// How often each host is chosen.
fn chosen(balancer: &mut LoadBalancer, rounds: u32) -> Vec<u32> {
    let mut counts = vec![0; balancer.set().hosts.len()];
    for _ in 0..rounds {
        if let Some(index) = balancer.choose(&mut LbContext::default(), Instant::now()).host {
            counts[index] += 1;
        }
    }
    counts
}

fn near(counts: &[u32], wanted: &[u32]) -> bool {
    counts.iter().zip(wanted).all(|(count, wanted)| count.abs_diff(*wanted) <= 120)
}

#[test]
fn a_zone_with_its_share_of_hosts_keeps_all() {
    let mut balancer = balancer(config(1), &local(&["a", "b"]), &well(&["a", "b", "a", "b"]));
    assert_eq!(chosen(&mut balancer, 40), [20, 0, 20, 0]);
    let counts = balancer.take_zone_counts().unwrap();
    assert_eq!(counts, ZoneCounts { recalculated: 1, all_directly: 40, ..ZoneCounts::default() });
    assert_eq!(balancer.take_zone_counts(), Some(ZoneCounts::default()));
}

#[test]
fn others_get_what_a_zone_has_no_hosts_for() {
    // Two thirds of the processes, one quarter of the hosts: 3/8 stay. Of the others, `b` has no more than its share, `c` has room.
    let mut balancer = balancer(config(1), &local(&["a", "a", "b"]), &well(&["a", "b", "c", "c"]));
    let counts = chosen(&mut balancer, 4000);
    assert!(near(&counts, &[1500, 0, 1250, 1250]), "{counts:?}");
    let ZoneCounts { sampled, cross_zone, .. } = balancer.take_zone_counts().unwrap();
    assert_eq!((u64::from(counts[0]), sampled + cross_zone), (sampled, 4000));
}

#[test]
fn a_zone_without_hosts_sends_all_to_others() {
    let mut balancer = balancer(config(1), &local(&["a", "b"]), &well(&["b", "c", "d"]));
    let counts = chosen(&mut balancer, 2000);
    assert!(near(&counts, &[0, 1000, 1000]), "{counts:?}");
}

#[test]
fn zones_count_as_soon_as_the_processes_are_known() {
    let local = local(&[]);
    let mut balancer = balancer(config(1), &local, &well(&["a", "b"]));
    assert_eq!(chosen(&mut balancer, 10), [5, 5]);
    local.update(&well(&["a", "b"]));
    assert_eq!(chosen(&mut balancer, 10), [10, 0]);
    assert_eq!(balancer.take_zone_counts().unwrap().recalculated, 2);
}

#[test]
fn small_clusters_and_weighted_localities_have_no_zones() {
    let hosts = well(&["a", "b"]);
    let mut small = balancer(config(3), &local(&["a", "b"]), &hosts);
    assert_eq!(chosen(&mut small, 10), [5, 5]);
    assert_eq!(small.take_zone_counts().unwrap().too_small, 1);

    let zones = ["a", "b"].map(|zone| (0, Arc::new(Locality { zone: zone.into(), ..Locality::default() }), 1));
    let hosts = Arc::new(PrioritySet::new(hosts.hosts.clone(), zones.into()));
    let weighted = LoadBalancing { locality_weighted: true, ..config(1) };
    let mut weighted = balancer(weighted, &local(&["a", "b"]), &hosts);
    assert_eq!(chosen(&mut weighted, 10), [5, 5]);
}

#[test]
fn unwell_processes_are_not_gone_by() {
    let local = local(&["a", "b"]);
    local.update(&set(&["a", "b"], HealthStatus::Unhealthy));
    let hosts = well(&["a", "b"]);
    let mut any = balancer(config(1), &local, &hosts);
    assert_eq!(chosen(&mut any, 10), [5, 5]);
    assert_eq!(any.take_zone_counts().unwrap().local_not_ok, 10);
    let mut none = balancer(LoadBalancing { fail_traffic_on_panic: true, ..config(1) }, &local, &hosts);
    assert_eq!(chosen(&mut none, 10), [0, 0]);
}

#[test]
fn as_many_go_by_zones_as_the_runtime_says() {
    let mut config = config(1);
    config.zone_aware.routing_enabled = 50;
    let mut balancer = balancer(config, &local(&["a", "b"]), &well(&["a", "b"]));
    let counts = chosen(&mut balancer, 4000);
    assert!(near(&counts, &[3000, 1000]), "{counts:?}");
}
