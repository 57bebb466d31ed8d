#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::collections::BTreeMap;

use sandgate_config::model::{Endpoint, EndpointAddress, HealthStatus, LbMetadata, SubsetSelector};

use super::*;
use crate::{Host, Locality};

fn text(value: &str) -> MetadataValue {
    MetadataValue::String(value.into())
}

fn criteria(fields: &[(&str, MetadataValue)]) -> MetadataCriteria {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    MetadataCriteria::of_value(&MetadataValue::Struct(fields.collect()))
}

/// A host of a zone with these fields.
fn host(port: u16, priority: u32, zone: &str, fields: &[(&str, MetadataValue)]) -> Arc<Host> {
    host_of(port, priority, zone, fields, HealthStatus::Unknown)
}

fn host_of(
    port: u16,
    priority: u32,
    zone: &str,
    fields: &[(&str, MetadataValue)],
    health_status: HealthStatus,
) -> Arc<Host> {
    let address = ([127, 0, 0, 1], port).into();
    let lb_metadata = LbMetadata { fields: Some(Arc::new(criteria(fields))), ..LbMetadata::default() };
    let endpoint = Endpoint { lb_metadata, health_status, ..Endpoint::new(EndpointAddress::Ip(address)) };
    let locality = Arc::new(Locality { zone: zone.into(), ..Locality::default() });
    Host::new(&endpoint, address, priority, &locality, false)
}

fn selector(keys: &[&str]) -> SubsetSelector {
    let keys = keys.iter().map(|key| (*key).to_owned()).collect();
    SubsetSelector { keys, fallback: None, single_host_per_subset: false }
}

fn keys_fallback(keys: &[&str], fewer: &[&str]) -> SubsetSelector {
    let fewer = fewer.iter().map(|key| (*key).to_owned()).collect();
    SubsetSelector { fallback: Some(SelectorFallback::Keys(fewer)), ..selector(keys) }
}

struct Fixture {
    balancer: SubsetBalancer,
    set: Arc<PrioritySet>,
    changes: SubsetChanges,
}

impl Fixture {
    fn new(subsets: SubsetLoadBalancing, hosts: Vec<Arc<Host>>) -> Self {
        Self::weighted(LoadBalancing::default(), subsets, PrioritySet::new(hosts, Vec::new()))
    }

    fn weighted(config: LoadBalancing, subsets: SubsetLoadBalancing, set: PrioritySet) -> Self {
        let mut balancer = SubsetBalancer::new(&Arc::new(config), &subsets, Rng::with_seed(7));
        let set = Arc::new(set);
        let changes = balancer.update(&set, RuntimeValues::of(&LoadBalancing::default()), Instant::now());
        Self { balancer, set, changes }
    }

    fn update(&mut self, hosts: Vec<Arc<Host>>) -> SubsetChanges {
        self.set = Arc::new(PrioritySet::new(hosts, Vec::new()));
        self.balancer.update(&self.set, RuntimeValues::of(&LoadBalancing::default()), Instant::now())
    }

    /// The ports of the hosts that requests get, each once, in order.
    fn ports(&mut self, asked: Option<&MetadataCriteria>) -> Vec<u16> {
        self.counts(asked).into_keys().collect()
    }

    fn counts(&mut self, asked: Option<&MetadataCriteria>) -> BTreeMap<u16, u32> {
        let mut ports = BTreeMap::new();
        for _ in 0..60 {
            if let Some(index) = self.choose(asked).host {
                *ports.entry(self.set.hosts[index].address().port()).or_default() += 1;
            }
        }
        ports
    }

    fn choose(&mut self, criteria: Option<&MetadataCriteria>) -> Choice {
        self.balancer.choose(&mut LbContext { criteria, ..LbContext::default() }, Instant::now())
    }
}

fn stages() -> Vec<Arc<Host>> {
    vec![
        host(1, 0, "", &[("stage", text("prod")), ("version", text("1"))]),
        host(2, 0, "", &[("stage", text("prod")), ("version", text("2"))]),
        host(3, 0, "", &[("stage", text("dev")), ("version", text("2"))]),
        host(4, 0, "", &[]),
    ]
}

#[test]
fn requests_get_hosts_with_what_they_ask_for() {
    let selectors = vec![selector(&["stage"]), selector(&["version", "stage"])];
    let mut fixture = Fixture::new(SubsetLoadBalancing { selectors, ..Default::default() }, stages());
    assert_eq!(fixture.changes, SubsetChanges { created: 5, removed: 0, active: 5 });
    assert_eq!(fixture.ports(Some(&criteria(&[("stage", text("prod"))]))), [1, 2]);
    assert_eq!(fixture.ports(Some(&criteria(&[("version", text("2")), ("stage", text("dev"))]))), [3]);
    // No selector has just this key, these values, or these keys and one more.
    for fields in
        [&[("version", text("2"))][..], &[("stage", text("x"))], &[("a", text("")), ("stage", text("dev"))], &[]]
    {
        assert_eq!(fixture.choose(Some(&criteria(fields))), Choice::default());
    }
    assert_eq!(fixture.choose(None), Choice::default());
}

#[test]
fn fallbacks() {
    let default_subset = criteria(&[("version", text("2"))]);
    let selectors = vec![selector(&["stage"])];
    let with = |fallback| {
        let (default_subset, selectors) = (default_subset.clone(), selectors.clone());
        SubsetLoadBalancing { fallback, default_subset, selectors, ..Default::default() }
    };
    let other = criteria(&[("stage", text("x"))]);
    assert_eq!(Fixture::new(with(SubsetFallback::AnyEndpoint), stages()).ports(Some(&other)), [1, 2, 3, 4]);
    let mut fixture = Fixture::new(with(SubsetFallback::DefaultSubset), stages());
    assert_eq!(fixture.ports(Some(&other)), [2, 3]);
    assert!(fixture.choose(None).fallback);
    // Nobody is in the default subset any more: then anybody, if that is allowed.
    let config = SubsetLoadBalancing { panic_mode_any: true, ..with(SubsetFallback::DefaultSubset) };
    let mut fixture = Fixture::new(config, vec![host(5, 0, "", &[])]);
    assert_eq!(fixture.ports(None), [5]);
    let choice = fixture.choose(None);
    assert!(choice.fallback_panic && !choice.fallback);
}

#[test]
fn selectors_have_fallbacks_of_their_own() {
    let any = SubsetSelector {
        fallback: Some(SelectorFallback::Policy(SubsetFallback::AnyEndpoint)),
        ..selector(&["version"])
    };
    let selectors = vec![selector(&["stage"]), any, keys_fallback(&["stage", "version"], &["stage"])];
    let mut fixture = Fixture::new(SubsetLoadBalancing { selectors, ..Default::default() }, stages());
    assert_eq!(fixture.ports(Some(&criteria(&[("version", text("9"))]))), [1, 2, 3, 4]);
    assert_eq!(fixture.ports(Some(&criteria(&[("version", text("9")), ("stage", text("prod"))]))), [1, 2]);
    assert!(fixture.ports(Some(&criteria(&[("version", text("9")), ("stage", text("x"))]))).is_empty());
    // A selector whose keys are the beginning of an earlier one's has none.
    let late = SubsetSelector {
        fallback: Some(SelectorFallback::Policy(SubsetFallback::AnyEndpoint)),
        ..selector(&["stage"])
    };
    let selectors = vec![selector(&["stage", "version"]), late];
    let mut fixture = Fixture::new(SubsetLoadBalancing { selectors, ..Default::default() }, stages());
    assert!(fixture.ports(Some(&criteria(&[("stage", text("x"))]))).is_empty());
}

#[test]
fn lists_redundant_keys_and_lists_of_fallbacks() {
    let list = MetadataValue::List(vec![text("a"), text("b")]);
    let hosts = || vec![host(1, 0, "", &[("k", list.clone())]), host(2, 0, "", &[("k", text("b"))])];
    let config = SubsetLoadBalancing { selectors: vec![selector(&["k"])], ..Default::default() };
    let b = criteria(&[("k", text("b"))]);
    assert_eq!(Fixture::new(config.clone(), hosts()).ports(Some(&b)), [2]);
    let as_any = SubsetLoadBalancing { list_as_any: true, ..config.clone() };
    assert_eq!(Fixture::new(as_any, hosts()).ports(Some(&b)), [1, 2]);
    let more = criteria(&[("k", text("b")), ("x", text("y"))]);
    assert!(Fixture::new(config.clone(), hosts()).ports(Some(&more)).is_empty());
    let redundant = SubsetLoadBalancing { allow_redundant_keys: true, ..config.clone() };
    assert_eq!(Fixture::new(redundant, hosts()).ports(Some(&more)), [2]);
    let one = |value: &str| MetadataValue::Struct([("k".to_owned(), text(value))].into());
    let asked = criteria(&[("fallback_list", MetadataValue::List(vec![one("z"), one("b")]))]);
    let listed = SubsetLoadBalancing { metadata_fallback_list: true, ..config };
    assert_eq!(Fixture::new(listed, hosts()).ports(Some(&asked)), [2]);
}

#[test]
fn a_subset_of_one_host_has_the_first() {
    let single = SubsetSelector { single_host_per_subset: true, ..selector(&["k"]) };
    let subsets = SubsetLoadBalancing { selectors: vec![single], ..Default::default() };
    let hosts = vec![
        host(1, 1, "", &[("k", text("a"))]),
        host_of(2, 0, "", &[("k", text("a"))], HealthStatus::Unhealthy),
        host(3, 0, "", &[("k", text("a"))]),
        host(4, 1, "", &[("k", text("a"))]),
    ];
    let mut fixture = Fixture::new(subsets.clone(), hosts);
    assert_eq!(subset_duplicates(&fixture.set, &subsets), 1);
    // Whatever its health.
    assert_eq!(fixture.ports(Some(&criteria(&[("k", text("a"))]))), [2]);
}

#[test]
fn subsets_come_and_go_with_their_hosts() {
    let selectors = vec![selector(&["stage"]), selector(&["stage", "version"])];
    let mut fixture = Fixture::new(SubsetLoadBalancing { selectors, ..Default::default() }, stages());
    let changes = fixture.update(stages().into_iter().take(2).collect());
    assert_eq!(changes, SubsetChanges { created: 0, removed: 2, active: 3 });
    assert!(fixture.ports(Some(&criteria(&[("stage", text("dev"))]))).is_empty());
    let changes = fixture.update(stages());
    assert_eq!(changes, SubsetChanges { created: 2, removed: 0, active: 5 });
    assert_eq!(fixture.ports(Some(&criteria(&[("stage", text("dev"))]))), [3]);
}

#[test]
fn localities_keep_their_weights_if_that_is_wanted() {
    let k = [("k", text("a"))];
    let hosts = || vec![host(1, 0, "a", &k), host(2, 0, "b", &k), host(3, 0, "b", &[])];
    let set = |hosts: Vec<Arc<Host>>| {
        let weights = [(0, 1), (1, 4)].map(|(index, weight)| (0, Arc::clone(&hosts[index].locality), weight));
        PrioritySet::new(hosts, weights.to_vec())
    };
    let config = LoadBalancing { locality_weighted: true, ..LoadBalancing::default() };
    for (aware, scale, first) in [(false, false, 30), (true, false, 12), (true, true, 20)] {
        let subsets = SubsetLoadBalancing {
            selectors: vec![selector(&["k"])],
            locality_weight_aware: aware,
            scale_locality_weight: scale,
            ..Default::default()
        };
        let mut fixture = Fixture::weighted(config.clone(), subsets, set(hosts()));
        let counts = fixture.counts(Some(&criteria(&k)));
        assert!(counts[&1].abs_diff(first) <= 1, "{aware} {scale}: {counts:?}");
    }
}
