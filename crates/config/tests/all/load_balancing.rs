//! Load balancing of clusters.

use sandgate_config::model::{
    ConsistentHashing, HashFunction, LbPolicy, LeastRequest, LoadBalancing, Maglev, MetadataValue, SelectorFallback,
    ZoneAware,
};

use crate::support::{Slot, accepted, config, refused, table};

const OK: Option<&str> = None;
const TYPES: &str = "type.googleapis.com/envoy.extensions.load_balancing_policies";

fn typed(policy: &str, fields: &str) -> String {
    format!(
        "load_balancing_policy: {{policies: [{{typed_extension_config: {{name: x, typed_config: {{\"@type\": {TYPES}.{policy}{fields}}}}}}}]}}"
    )
}

fn balancing(text: &str) -> LoadBalancing {
    LoadBalancing::clone(&accepted(&config(Slot::Cluster, text)).clusters.remove(0).load_balancing)
}

#[test]
fn rules() {
    let ring = |fields: &str| format!("lb_policy: RING_HASH\nring_hash_lb_config: {{{fields}}}");
    let maglev = |fields: &str| format!("lb_policy: MAGLEV\nmaglev_lb_config: {{{fields}}}");
    let slow = |fields: &str| format!("round_robin_lb_config: {{slow_start_config: {{{fields}}}}}");
    let names = "\ncommon_lb_config: {consistent_hashing_lb_config: {use_hostname_for_hashing: true}}";
    table(
        Slot::Cluster,
        &[
            ("lb_policy: LEAST_REQUEST\nleast_request_lb_config: {choice_count: 2}", OK),
            (
                "lb_policy: LEAST_REQUEST\nleast_request_lb_config: {choice_count: 1}",
                Some("greater than or equal to 2"),
            ),
            (&ring("minimum_ring_size: 10, maximum_ring_size: 10"), OK),
            (
                &ring("minimum_ring_size: 11, maximum_ring_size: 10"),
                Some("minimum_ring_size (11) > maximum_ring_size (10)"),
            ),
            (&ring("maximum_ring_size: 8388609"), Some("less than or equal to 8388608")),
            (&ring("hash_function: MURMUR_HASH_2"), OK),
            (&format!("lb_policy: RING_HASH{names}"), Some("Cannot use hostname for consistent hashing")),
            (&maglev("table_size: 65537"), OK),
            (&maglev("table_size: 65536"), Some("must be prime number")),
            (&maglev("table_size: 5000012"), Some("less than or equal to 5000011")),
            (&format!("lb_policy: MAGLEV{names}"), Some("Cannot use hostname for consistent hashing")),
            (&slow("slow_start_window: 5s"), OK),
            ("common_lb_config: {healthy_panic_threshold: {value: 100}}", OK),
            ("common_lb_config: {healthy_panic_threshold: {value: 101}}", Some("inside range [0, 100]")),
            ("common_lb_config: {zone_aware_lb_config: {}, locality_weighted_lb_config: {}}", Some("common_lb_config")),
            ("common_lb_config: {override_host_status: {}}", Some("override_host_status is not implemented")),
            (&typed("round_robin.v3.RoundRobin", ""), OK),
            (&typed("least_request.v3.LeastRequest", ", selection_method: FULL_SCAN"), OK),
            (&typed("random.v3.Random", ""), OK),
            (
                &typed("ring_hash.v3.RingHash", ", minimum_ring_size: 11, maximum_ring_size: 10"),
                Some("minimum_ring_size (11)"),
            ),
            (&typed("maglev.v3.Maglev", ", table_size: 4"), Some("must be prime number")),
            (&typed("subset.v3.Subset", ""), Some("subset_lb_policy")),
            ("load_balancing_policy: {}", Some("no load balancing policy is given")),
        ],
    );
}

#[test]
fn values() {
    assert_eq!(balancing(""), LoadBalancing::default());
    let common = "common_lb_config: {healthy_panic_threshold: {value: 12.6}, locality_weighted_lb_config: {}}";
    assert_eq!(
        balancing(common),
        LoadBalancing { panic_threshold: 13, locality_weighted: true, ..LoadBalancing::default() }
    );
    assert!(balancing("common_lb_config: {zone_aware_lb_config: {fail_traffic_on_panic: true}}").fail_traffic_on_panic);
    let zones =
        balancing("common_lb_config: {zone_aware_lb_config: {routing_enabled: {value: 49.6}, min_cluster_size: 2}}");
    assert_eq!(zones.zone_aware, ZoneAware { routing_enabled: 50, min_cluster_size: 2 });
    assert_eq!(balancing("").zone_aware, ZoneAware { routing_enabled: 100, min_cluster_size: 6 });
    let LbPolicy::RingHash(ring) = balancing(
        "lb_policy: RING_HASH\nring_hash_lb_config: {hash_function: MURMUR_HASH_2}\ncommon_lb_config: {consistent_hashing_lb_config: {hash_balance_factor: 150}}",
    )
    .policy
    else {
        panic!("not a ring")
    };
    assert_eq!(
        (ring.hash_function, ring.minimum_ring_size, ring.maximum_ring_size),
        (HashFunction::MurmurHash2, 1024, 8 << 20)
    );
    assert_eq!(
        ring.hashing,
        ConsistentHashing { use_hostname_for_hashing: false, hash_balance_factor: 150, ..ConsistentHashing::default() }
    );
    // The typed policy goes before everything else.
    let text = format!(
        "lb_policy: RANDOM\ncommon_lb_config: {{locality_weighted_lb_config: {{}}}}\n{}",
        typed("maglev.v3.Maglev", ", table_size: 7, consistent_hashing_lb_config: {use_hostname_for_hashing: true}")
    );
    let hashing =
        ConsistentHashing { use_hostname_for_hashing: true, hash_balance_factor: 0, ..ConsistentHashing::default() };
    assert_eq!(
        balancing(&text),
        LoadBalancing { policy: LbPolicy::Maglev(Maglev { table_size: 7, hashing }), ..LoadBalancing::default() }
    );
    let LbPolicy::LeastRequest(least) = balancing(&typed("least_request.v3.LeastRequest", ", choice_count: 5, locality_lb_config: {locality_weighted_lb_config: {}}, slow_start_config: {slow_start_window: 3s, min_weight_percent: {value: 25}}")).policy else { panic!("not least request") };
    assert_eq!((least.choice_count, least.active_request_bias.default, least.full_scan), (5, 1.0, false));
    assert_eq!(
        least.slow_start.map(|slow| (slow.window.as_secs(), slow.min_weight, slow.aggression.default)),
        Some((3, 0.25, 1.0))
    );
    let legacy = "lb_policy: LEAST_REQUEST\nleast_request_lb_config: {active_request_bias: {default_value: 0.5, runtime_key: k}}";
    let LbPolicy::LeastRequest(LeastRequest { active_request_bias, choice_count: 2, .. }) = balancing(legacy).policy
    else {
        panic!("not least request")
    };
    assert_eq!((active_request_bias.default, active_request_bias.key.as_str()), (0.5, "k"));
}

#[test]
fn subsets() {
    let old = |fields: &str| format!("lb_subset_config: {{{fields}}}");
    let selectors = "subset_selectors: [{keys: [b, a], fallback_policy: KEYS_SUBSET, fallback_keys_subset: [a]}]";
    table(
        Slot::Cluster,
        &[
            (&old(selectors), OK),
            (&old("subset_selectors: [{keys: [a], fallback_keys_subset: [a]}]"), Some("only for KEYS_SUBSET")),
            (&old("subset_selectors: [{keys: [a], fallback_policy: KEYS_SUBSET}]"), Some("cannot be empty")),
            (&old(&selectors.replace("[a]", "[c]")), Some("must be a subset of selector keys")),
            (&old(&selectors.replace("[a]", "[a, b]")), Some("cannot be equal to keys")),
            (&old(&format!("{selectors}, fallback_policy: 7")), Some("fallback_policy")),
            (
                &old(&format!("{selectors}, locality_weight_aware: true")),
                Some("Locality weight aware subset LB requires"),
            ),
            (
                &format!("{}\n{}", old(selectors), typed("random.v3.Random", "")),
                Some("cannot be combined with lb_subset_config"),
            ),
        ],
    );
    assert_eq!(balancing(&old("fallback_policy: ANY_ENDPOINT")).subsets, None);
    let inner = typed("random.v3.Random", "").replace("load_balancing_policy", ", subset_lb_policy");
    let fields = "default_subset: {b: 1}, list_as_any: true, metadata_fallback_policy: FALLBACK_LIST";
    let new = typed("subset.v3.Subset", &format!(", {selectors}, {fields}, allow_redundant_keys: true{inner}"));
    let (old, new) = (balancing(&old(&format!("{selectors}, {fields}"))), balancing(&new));
    let (mut old, policy, new) = (*old.subsets.unwrap(), new.policy, *new.subsets.unwrap());
    old.allow_redundant_keys = true;
    assert_eq!((old, policy), (new.clone(), LbPolicy::Random));
    let [selector] = new.selectors.as_slice() else { panic!("one selector") };
    assert_eq!(selector.fallback, Some(SelectorFallback::Keys(["a".to_owned()].into())));
    assert_eq!(new.default_subset.get("b"), Some(&MetadataValue::Number(1_f64.to_bits())));
}

#[test]
fn the_local_cluster_is_one_of_the_bootstrap() {
    let text = |name: &str| config(Slot::Top, &format!("cluster_manager: {{local_cluster_name: {name}}}"));
    let node = "node: {id: i1, cluster: c1, locality: {region: r, zone: z}}";
    let bootstrap = accepted(&format!("{}\n{node}\n", text("c")));
    assert_eq!(bootstrap.local_cluster_name.as_deref(), Some("c"));
    let locality = bootstrap.node.locality.unwrap();
    assert_eq!((&*locality.region, &*locality.zone, &*locality.sub_zone), ("r", "z", ""));
    refused(&text("other"), "local cluster 'other' must be defined");
}
