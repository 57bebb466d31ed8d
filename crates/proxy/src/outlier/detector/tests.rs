#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed test may panic")]

use sandgate_config::model::{Endpoint, EndpointAddress};

use super::*;
use crate::stats::StatsStore;

const SECOND: Duration = Duration::from_secs(1);

/// A cluster whose clock stands still until it is told otherwise.
struct World {
    detector: Detector,
    hosts: Vec<Arc<Host>>,
    store: Arc<StatsStore>,
    now: Instant,
}

fn world(hosts: u16, config: OutlierDetection) -> World {
    world_with(hosts, config, || 0)
}

fn world_with(hosts: u16, config: OutlierDetection, random: fn() -> u64) -> World {
    let (config, runtime, store) = (Arc::new(config), Arc::new(Runtime::default()), StatsStore::new());
    let stats = OutlierDetectionStats::new(&store, "c");
    let mut detector = Detector::new(&config, &runtime, stats, Arc::default(), random);
    let hosts: Vec<_> = (1..=hosts)
        .map(|port| {
            let address = ([127, 0, 0, 1], port).into();
            Host::new(&Endpoint::new(EndpointAddress::Ip(address)), address, 0, &Arc::default(), false)
        })
        .collect();
    detector.set_hosts(&hosts, |_| HostMonitor::new(&config, &runtime, Box::new(|_| {})));
    World { detector, hosts, store, now: Instant::now() }
}

/// No more ejections than half of all.
fn half() -> OutlierDetection {
    OutlierDetection { max_ejection_percent: 50, ..OutlierDetection::default() }
}

impl World {
    fn sign(&mut self, host: usize, sign: Sign) {
        let host = Arc::clone(&self.hosts[host]);
        self.detector.on_sign(&host, sign, self.now);
    }

    /// So much later the interval ends.
    fn interval_after(&mut self, time: Duration) {
        self.now += time;
        self.detector.on_interval(self.now);
    }

    fn out(&self) -> Vec<usize> {
        let out = |(index, host): (usize, &Arc<Host>)| host.flags.has(HealthFlag::FailedOutlierCheck).then_some(index);
        self.hosts.iter().enumerate().filter_map(out).collect()
    }

    fn stat(&self, name: &str) -> u64 {
        self.store.snapshot()[&format!("cluster.c.outlier_detection.{name}")].value
    }

    /// Results of an interval: for each host how many, and how many of them failed.
    fn results(&self, results: &[(u32, u32)]) {
        for (host, (total, failed)) in self.hosts.iter().zip(results) {
            for index in 0..*total {
                host.outlier().put_http_response_code(if index < *failed { 500 } else { 200 });
            }
        }
    }
}

#[test]
fn a_host_is_out_for_a_while_and_comes_back_at_an_interval() {
    let mut world = world(2, half());
    world.sign(0, Sign::Consecutive5xx);
    assert_eq!(world.out(), [0]);
    let counts =
        ["ejections_active", "ejections_total", "ejections_enforced_total", "ejections_enforced_consecutive_5xx"];
    assert_eq!(counts.map(|name| world.stat(name)), [1; 4]);
    assert_eq!((world.stat("ejections_consecutive_5xx"), world.stat("ejections_detected_consecutive_5xx")), (1, 1));
    world.sign(0, Sign::GatewayFailure);
    assert_eq!(world.stat("ejections_detected_consecutive_gateway_failure"), 0, "it is out already");
    world.interval_after(29 * SECOND);
    assert_eq!(world.out(), [0]);
    world.interval_after(SECOND);
    assert_eq!((world.out().len(), world.stat("ejections_active")), (0, 0));
    let changes = world.detector.take_changes();
    let [ejected, back] = changes.as_slice() else { unreachable!("two changes: {changes:?}") };
    assert_eq!((ejected.ejections, ejected.since_last), (1, None));
    assert_eq!((back.what, back.since_last), (What::Unejected, Some(30 * SECOND)));
}

#[test]
fn each_time_is_longer_until_the_host_behaves() {
    let mut world = world(2, OutlierDetection { max_ejection_time: 70 * SECOND, ..half() });
    let lasts = |world: &mut World| {
        world.sign(0, Sign::Consecutive5xx);
        let begin = world.now;
        while !world.out().is_empty() {
            world.interval_after(SECOND);
        }
        (world.now - begin).as_secs()
    };
    assert_eq!([lasts(&mut world), lasts(&mut world), lasts(&mut world), lasts(&mut world)], [30, 60, 70, 70]);
    // Every interval in which it was in, ten seconds after it came back, takes one step back.
    for _ in 0..3 {
        world.interval_after(10 * SECOND);
    }
    assert_eq!(lasts(&mut world), 60);
    for _ in 0..9 {
        world.interval_after(10 * SECOND);
    }
    assert_eq!(lasts(&mut world), 30);
}

#[test]
fn jitter_is_added() {
    // 25,002 modulo 10,001 milliseconds.
    let mut world = world_with(2, OutlierDetection { max_ejection_time_jitter: 10 * SECOND, ..half() }, || 25_002);
    world.sign(0, Sign::Consecutive5xx);
    world.interval_after(34 * SECOND);
    assert_eq!(world.out(), [0]);
    world.interval_after(SECOND);
    assert_eq!(world.out(), [] as [usize; 0]);
}

#[test]
fn not_too_many_are_out() {
    let mut world = world(4, half());
    for host in 0..4 {
        world.sign(host, Sign::Consecutive5xx);
    }
    assert_eq!((world.out(), world.stat("ejections_overflow")), (vec![0, 1], 2));
    let mut small = self::world(4, OutlierDetection::default());
    small.sign(0, Sign::Consecutive5xx);
    assert_eq!((small.out().len(), small.stat("ejections_overflow"), small.stat("ejections_total")), (0, 1, 0));
    let mut always = self::world(4, OutlierDetection { always_eject_one_host: true, ..OutlierDetection::default() });
    always.sign(0, Sign::Consecutive5xx);
    always.sign(1, Sign::Consecutive5xx);
    assert_eq!(always.out(), [0]);
}

#[test]
fn what_is_not_enforced_is_counted() {
    let mut world = world(2, half());
    world.sign(0, Sign::GatewayFailure);
    assert_eq!((world.out().len(), world.stat("ejections_detected_consecutive_gateway_failure")), (0, 1));
    assert_eq!((world.stat("ejections_enforced_total"), world.stat("ejections_overflow")), (0, 0));
    let changes = world.detector.take_changes();
    assert!(matches!(changes.as_slice(), [Change { what: What::Ejected { enforced: false, .. }, .. }]));
}

#[test]
fn a_passed_check_brings_a_host_back() {
    let mut world = world(2, half());
    world.sign(0, Sign::Consecutive5xx);
    let host = Arc::clone(&world.hosts[0]);
    host.flags.set(HealthFlag::FailedActiveHc);
    world.detector.on_check_passed(&host, world.now);
    assert_eq!(world.out(), [0], "one of several successes");
    host.flags.clear(HealthFlag::FailedActiveHc);
    world.detector.on_check_passed(&host, world.now);
    assert_eq!(world.out(), [] as [usize; 0]);
    let config = OutlierDetection { successful_active_health_check_uneject_host: false, ..half() };
    let mut strict = self::world(2, config);
    strict.sign(0, Sign::Consecutive5xx);
    let host = Arc::clone(&strict.hosts[0]);
    strict.detector.on_check_passed(&host, strict.now);
    assert_eq!(strict.out(), [0]);
}

#[test]
fn the_worst_of_many_is_found() {
    let mut world = world(5, OutlierDetection { max_ejection_percent: 20, ..OutlierDetection::default() });
    world.results(&[(100, 50), (100, 0), (100, 0), (100, 0), (100, 0)]);
    world.interval_after(10 * SECOND);
    assert_eq!((world.out(), world.stat("ejections_enforced_success_rate")), (vec![0], 1));
    assert_eq!((world.stat("ejections_success_rate"), world.stat("ejections_total")), (1, 1));
    assert_eq!(world.detector.rates.get(true), Threshold { average: 90.0, ejection: 52.0 });
    assert_eq!(world.hosts[0].outlier().success_rate(true).to_bits(), 50.0_f64.to_bits());
    world.interval_after(10 * SECOND);
    assert_eq!(world.detector.rates.get(true), Threshold::NONE, "nothing came in that interval");
    assert_eq!(world.hosts[0].outlier().success_rate(true).to_bits(), (-1.0_f64).to_bits());
}

#[test]
fn too_few_requests_or_hosts_say_nothing() {
    for results in [&[(99, 99), (100, 0), (100, 0), (100, 0), (100, 0)][..], &[(100, 50), (100, 0), (100, 0), (100, 0)]]
    {
        let hosts = u16::try_from(results.len()).unwrap();
        let mut world = world(hosts, OutlierDetection { max_ejection_percent: 50, ..OutlierDetection::default() });
        world.results(results);
        world.interval_after(10 * SECOND);
        assert_eq!(world.out(), [] as [usize; 0]);
    }
}

#[test]
fn too_many_failures_count_by_themselves() {
    let config = OutlierDetection {
        enforcing_failure_percentage: 100,
        failure_percentage_minimum_hosts: 1,
        failure_percentage_request_volume: 10,
        ..half()
    };
    let mut world = world(2, config);
    world.results(&[(20, 17), (20, 16)]);
    world.interval_after(10 * SECOND);
    assert_eq!((world.out(), world.stat("ejections_enforced_failure_percentage")), (vec![0], 1));
    assert_eq!(world.stat("ejections_detected_failure_percentage"), 1);
}

#[test]
fn hosts_that_go_are_forgotten() {
    let mut world = world(2, half());
    world.sign(0, Sign::Consecutive5xx);
    let rest = vec![Arc::clone(&world.hosts[1])];
    world.detector.set_hosts(&rest, |_| unreachable!("no new host"));
    assert_eq!(world.stat("ejections_active"), 0);
    world.sign(0, Sign::Consecutive5xx);
    assert_eq!(world.stat("ejections_detected_consecutive_5xx"), 1);
}

#[test]
fn degraded_hosts_recover() {
    let mut world = world(1, OutlierDetection { detect_degraded_hosts: true, ..OutlierDetection::default() });
    world.sign(0, Sign::Degraded);
    world.sign(0, Sign::Degraded);
    let degraded = |world: &World| world.hosts[0].flags.has(HealthFlag::DegradedOutlierDetection);
    assert!(degraded(&world) && world.out().is_empty());
    assert_eq!((world.stat("ejections_detected_degradation"), world.stat("ejections_active")), (1, 0));
    world.interval_after(29 * SECOND);
    assert!(degraded(&world));
    world.interval_after(SECOND);
    assert!(!degraded(&world));
}
