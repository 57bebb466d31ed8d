//! How an endpoint is chosen.

use std::time::Duration;

use super::{HashPolicy, RuntimeDouble, SubsetLoadBalancing};

/// Everything about the choice of an endpoint, from whichever of Envoy's places it was written in.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadBalancing {
    /// The algorithm.
    pub policy: LbPolicy,
    /// Below this share of available endpoints, in percent, health is ignored. 50 by default, 0 never.
    pub panic_threshold: u32,
    /// Requests go to some of the endpoints only.
    pub subsets: Option<Box<SubsetLoadBalancing>>,
    /// Whether localities share requests by their weights.
    pub locality_weighted: bool,
    /// In a panic, no endpoint is chosen instead of any (`fail_traffic_on_panic`).
    pub fail_traffic_on_panic: bool,
    /// How requests stay in the zone of this process, where there is a local cluster.
    pub zone_aware: ZoneAware,
    /// By how much, in percent, healthy endpoints of a priority or a locality are taken to be more than they are.
    /// 140 by default.
    pub overprovisioning_factor: u32,
    /// Whether the health of a priority goes by the weight of its endpoints, not their number.
    pub weighted_priority_health: bool,
}

/// Envoy's `ZoneAwareLbConfig`; it counts for all policies that have one, whether it is there or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZoneAware {
    /// How many requests go by zones, in percent. 100 by default.
    pub routing_enabled: u32,
    /// With fewer healthy endpoints, none do. 6 by default.
    pub min_cluster_size: u64,
}

/// Envoy's load balancing policies.
#[derive(Clone, Debug, PartialEq)]
pub enum LbPolicy {
    /// In turn, by weight.
    RoundRobin(Option<SlowStart>),
    /// The one with the fewest requests in flight among a few taken at random, or by weight.
    LeastRequest(LeastRequest),
    /// Any.
    Random,
    /// By the request's hash on a ring of hashes.
    RingHash(RingHash),
    /// By the request's hash in a Maglev table.
    Maglev(Maglev),
}

/// Envoy's `LeastRequest`.
#[derive(Clone, Debug, PartialEq)]
pub struct LeastRequest {
    /// How many endpoints are looked at. 2 by default, and never less.
    pub choice_count: u32,
    /// How much requests in flight count where weights differ. 1 by default; 0 is weighted round robin.
    pub active_request_bias: RuntimeDouble,
    /// All endpoints are looked at.
    pub full_scan: bool,
    /// New endpoints begin slowly.
    pub slow_start: Option<SlowStart>,
}

/// Envoy's `SlowStartConfig`: a new endpoint's weight grows over a time.
#[derive(Clone, Debug, PartialEq)]
pub struct SlowStart {
    /// How long. Not zero.
    pub window: Duration,
    /// Above 1 the weight grows fast at first; 1 by default: evenly.
    pub aggression: RuntimeDouble,
    /// What it begins with, as a share of the full weight. 0.1 by default.
    pub min_weight: f64,
}

/// Envoy's `RingHash`.
#[derive(Clone, Debug, PartialEq)]
pub struct RingHash {
    /// How a hash is taken of an endpoint.
    pub hash_function: HashFunction,
    /// 1024 by default.
    pub minimum_ring_size: u64,
    /// 8 Mi by default.
    pub maximum_ring_size: u64,
    /// What is common to hashing policies.
    pub hashing: ConsistentHashing,
}

/// Envoy's `RingHash.HashFunction`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HashFunction {
    /// xxHash, 64 bits, seed 0.
    #[default]
    XxHash,
    /// MurmurHash2, 64 bits, as in GNU's `std::hash`.
    MurmurHash2,
}

/// Envoy's `Maglev`.
#[derive(Clone, Debug, PartialEq)]
pub struct Maglev {
    /// A prime, 65537 by default.
    pub table_size: u64,
    /// What is common to hashing policies.
    pub hashing: ConsistentHashing,
}

/// Envoy's `ConsistentHashingLbConfig`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConsistentHashing {
    /// An endpoint's host name stands for it, not its address.
    pub use_hostname_for_hashing: bool,
    /// An endpoint takes at most so many percent of its share of the requests in flight; 0: no bound.
    pub hash_balance_factor: u32,
    /// What the hash is made of; if there are any, those of routes do not count.
    pub hash_policies: Vec<HashPolicy>,
}

// === impl LoadBalancing ===

impl Default for LoadBalancing {
    fn default() -> Self {
        Self {
            policy: LbPolicy::default(),
            subsets: None,
            panic_threshold: 50,
            locality_weighted: false,
            fail_traffic_on_panic: false,
            zone_aware: ZoneAware::default(),
            overprovisioning_factor: 140,
            weighted_priority_health: false,
        }
    }
}

// === impl ZoneAware ===

impl Default for ZoneAware {
    fn default() -> Self {
        Self { routing_enabled: 100, min_cluster_size: 6 }
    }
}

// === impl LbPolicy ===

impl Default for LbPolicy {
    fn default() -> Self {
        Self::RoundRobin(None)
    }
}

impl LbPolicy {
    /// What is common to the policies that go by a hash; nothing of others.
    #[must_use]
    pub fn hashing(&self) -> Option<&ConsistentHashing> {
        match self {
            Self::RingHash(ring) => Some(&ring.hashing),
            Self::Maglev(maglev) => Some(&maglev.hashing),
            Self::RoundRobin(_) | Self::LeastRequest(_) | Self::Random => None,
        }
    }
}

// === impl RingHash ===

impl Default for RingHash {
    fn default() -> Self {
        Self {
            hash_function: HashFunction::XxHash,
            minimum_ring_size: 1024,
            maximum_ring_size: 8 << 20,
            hashing: ConsistentHashing::default(),
        }
    }
}

// === impl Maglev ===

impl Default for Maglev {
    fn default() -> Self {
        Self { table_size: 65537, hashing: ConsistentHashing::default() }
    }
}

// === impl LeastRequest ===

impl Default for LeastRequest {
    fn default() -> Self {
        Self {
            choice_count: 2,
            active_request_bias: RuntimeDouble { default: 1.0, key: String::new() },
            full_scan: false,
            slow_start: None,
        }
    }
}
