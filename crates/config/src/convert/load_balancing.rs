//! How an endpoint is chosen: Envoy's old fields of the cluster, and `load_balancing_policy`, which goes before them.

use std::time::Duration;

use super::{Context, hash_policy, subset, type_name};
use crate::{
    model::{
        self, ConsistentHashing, Discovery, HashFunction, LbPolicy, LeastRequest, LoadBalancing, Maglev, RingHash,
        SlowStart, ZoneAware,
    },
    proto::envoy::{
        config::{
            cluster::v3::{
                self as proto, cluster as legacy,
                cluster::{LbConfig, LbPolicy as Policy, common_lb_config::LocalityConfigSpecifier as LegacyLocality},
            },
            core::v3::RuntimeDouble,
        },
        extensions::load_balancing_policies::{
            common::v3::{self as common, locality_lb_config::LocalityConfigSpecifier as Locality},
            least_request::v3::{LeastRequest as TypedLeastRequest, least_request::SelectionMethod},
            maglev::v3::Maglev as TypedMaglev,
            random::v3::Random,
            ring_hash::v3::{RingHash as TypedRingHash, ring_hash::HashFunction as TypedHashFunction},
            round_robin::v3::RoundRobin,
            subset::v3::Subset,
        },
        r#type::v3::Percent,
    },
};

const PACKAGE: &str = "envoy.extensions.load_balancing_policies.";
/// Entries of a Maglev table, at most (Envoy's).
const LARGEST_TABLE: u64 = 5_000_011;

/// The policy of a cluster.
pub(super) fn load_balancing(
    context: &mut Context<'_>,
    message: &proto::Cluster,
    discovery: Option<&Discovery>,
) -> Option<LoadBalancing> {
    let common = message.common_lb_config.unwrap_or_default();
    let mut balancing = LoadBalancing {
        panic_threshold: percent(common.healthy_panic_threshold.as_ref(), 50.0),
        ..LoadBalancing::default()
    };
    match &common.locality_config_specifier {
        Some(LegacyLocality::LocalityWeightedLbConfig(_)) => balancing.locality_weighted = true,
        Some(LegacyLocality::ZoneAwareLbConfig(zone)) => {
            balancing.fail_traffic_on_panic = zone.fail_traffic_on_panic;
            balancing.zone_aware = zone_aware(zone.routing_enabled.as_ref(), zone.min_cluster_size);
        }
        None => {}
    }
    if let Some(policy) = message.load_assignment.as_ref().and_then(|assignment| assignment.policy.as_ref()) {
        balancing.overprovisioning_factor = policy.overprovisioning_factor.unwrap_or(140);
        balancing.weighted_priority_health = policy.weighted_priority_health;
    }
    if let Some(policies) = &message.load_balancing_policy {
        if message.lb_subset_config.is_some() {
            context.error("cluster: load_balancing_policy cannot be combined with lb_subset_config");
        }
        return context.field("load_balancing_policy", |context| typed(context, policies, balancing));
    }
    balancing.subsets =
        message.lb_subset_config.as_ref().and_then(|config| subset::subsets(context, config)).map(Box::new);
    if balancing.subsets.as_ref().is_some_and(|subsets| subsets.locality_weight_aware) && !balancing.locality_weighted {
        context.error_at(
            "lb_subset_config",
            format!(
                "Locality weight aware subset LB requires that a locality_weighted_lb_config be set in {}",
                message.name
            ),
        );
    }
    let hashing = consistent(&common);
    balancing.policy = match Policy::try_from(message.lb_policy).ok()? {
        Policy::RoundRobin => LbPolicy::RoundRobin(legacy_slow_start(
            context,
            "round_robin_lb_config",
            match &message.lb_config {
                Some(LbConfig::RoundRobinLbConfig(config)) => config.slow_start_config.as_ref(),
                _ => None,
            },
        )),
        Policy::LeastRequest => {
            let config = match &message.lb_config {
                Some(LbConfig::LeastRequestLbConfig(config)) => config.clone(),
                _ => Default::default(),
            };
            LbPolicy::LeastRequest(LeastRequest {
                choice_count: config.choice_count.unwrap_or(2),
                active_request_bias: factor(config.active_request_bias.as_ref()),
                full_scan: false,
                slow_start: legacy_slow_start(context, "least_request_lb_config", config.slow_start_config.as_ref()),
            })
        }
        Policy::Random => LbPolicy::Random,
        Policy::RingHash => {
            let config = match &message.lb_config {
                Some(LbConfig::RingHashLbConfig(config)) => *config,
                _ => Default::default(),
            };
            let ring = RingHash {
                hash_function: match legacy::ring_hash_lb_config::HashFunction::try_from(config.hash_function).ok()? {
                    legacy::ring_hash_lb_config::HashFunction::XxHash => HashFunction::XxHash,
                    legacy::ring_hash_lb_config::HashFunction::MurmurHash2 => HashFunction::MurmurHash2,
                },
                minimum_ring_size: config.minimum_ring_size.unwrap_or(1024),
                maximum_ring_size: config.maximum_ring_size.unwrap_or(8 << 20),
                hashing,
            };
            LbPolicy::RingHash(context.field("ring_hash_lb_config", |context| checked_ring(context, ring, discovery))?)
        }
        Policy::Maglev => {
            let table_size = match &message.lb_config {
                Some(LbConfig::MaglevLbConfig(config)) => config.table_size,
                _ => None,
            };
            let table_size = table_size.unwrap_or(65537);
            let maglev = Maglev { table_size, hashing };
            LbPolicy::Maglev(context.field("maglev_lb_config", |context| checked_maglev(context, maglev, discovery))?)
        }
        Policy::ClusterProvided => {
            context.error_at("lb_policy", "the cluster provides no load balancing policy");
            return None;
        }
        Policy::LoadBalancingPolicyConfig => {
            context.error_at("lb_policy", "cluster: field load_balancing_policy need to be set");
            return None;
        }
    };
    Some(balancing)
}

/// The first policy that is known, as in Envoy. What else the cluster says of load balancing does not count then.
fn typed(
    context: &mut Context<'_>,
    policies: &proto::LoadBalancingPolicy,
    defaults: LoadBalancing,
) -> Option<LoadBalancing> {
    let mut found = context.list("policies", policies.policies.iter().collect(), |context, policy| {
        context.field("typed_extension_config", |context| {
            let extension = policy.typed_extension_config.as_ref()?;
            let any = extension.typed_config.as_ref();
            let name = any.map(type_name).unwrap_or_default();
            let mut balancing = LoadBalancing { locality_weighted: false, ..defaults.clone() };
            let Some(policy) = name.strip_prefix(PACKAGE).zip(any) else {
                context.unknown_extension("load balancing policy", &extension.name, any);
                return None;
            };
            if let ("subset.v3.Subset", any) = policy {
                let config = context.unpack::<Subset>(any)?;
                let subsets = subset::typed_subsets(context, &config);
                let inner = config.subset_lb_policy.unwrap_or_default();
                let inner = context.field("subset_lb_policy", |context| typed(context, &inner, balancing))?;
                if inner.subsets.is_some() {
                    context.error_at("subset_lb_policy", "subsets of subsets are not implemented");
                }
                return Some(LoadBalancing { subsets: Some(Box::new(subsets)), ..inner });
            }
            balancing.policy = match policy {
                ("round_robin.v3.RoundRobin", any) => {
                    let config = context.unpack::<RoundRobin>(any)?;
                    locality(config.locality_lb_config.as_ref(), &mut balancing);
                    LbPolicy::RoundRobin(slow_start(context, config.slow_start_config.as_ref()))
                }
                ("least_request.v3.LeastRequest", any) => {
                    let config = context.unpack::<TypedLeastRequest>(any)?;
                    locality(config.locality_lb_config.as_ref(), &mut balancing);
                    LbPolicy::LeastRequest(LeastRequest {
                        choice_count: config.choice_count.unwrap_or(2),
                        active_request_bias: factor(config.active_request_bias.as_ref()),
                        full_scan: config.enable_full_scan.unwrap_or(false)
                            || config.selection_method == SelectionMethod::FullScan as i32,
                        slow_start: slow_start(context, config.slow_start_config.as_ref()),
                    })
                }
                ("random.v3.Random", any) => {
                    let config = context.unpack::<Random>(any)?;
                    locality(config.locality_lb_config.as_ref(), &mut balancing);
                    LbPolicy::Random
                }
                ("ring_hash.v3.RingHash", any) => {
                    let config = context.unpack::<TypedRingHash>(any)?;
                    balancing.locality_weighted = config.locality_weighted_lb_config.is_some();
                    let legacy = (config.use_hostname_for_hashing, config.hash_balance_factor);
                    let ring = RingHash {
                        hash_function: match TypedHashFunction::try_from(config.hash_function).ok()? {
                            TypedHashFunction::DefaultHash | TypedHashFunction::XxHash => HashFunction::XxHash,
                            TypedHashFunction::MurmurHash2 => HashFunction::MurmurHash2,
                        },
                        minimum_ring_size: config.minimum_ring_size.unwrap_or(1024),
                        maximum_ring_size: config.maximum_ring_size.unwrap_or(8 << 20),
                        hashing: typed_consistent(context, config.consistent_hashing_lb_config.as_ref(), legacy),
                    };
                    LbPolicy::RingHash(checked_ring(context, ring, None)?)
                }
                ("maglev.v3.Maglev", any) => {
                    let config = context.unpack::<TypedMaglev>(any)?;
                    balancing.locality_weighted = config.locality_weighted_lb_config.is_some();
                    let maglev = Maglev {
                        table_size: config.table_size.unwrap_or(65537),
                        hashing: typed_consistent(context, config.consistent_hashing_lb_config.as_ref(), (false, None)),
                    };
                    LbPolicy::Maglev(checked_maglev(context, maglev, None)?)
                }
                (_, any) => {
                    context.unknown_extension("load balancing policy", &extension.name, Some(any));
                    return None;
                }
            };
            Some(balancing)
        })
    });
    if found.is_empty() {
        if !context.report.is_broken("") {
            context.error("no load balancing policy is given");
        }
        return None;
    }
    Some(found.swap_remove(0))
}

/// In whole percent, rounded, as Envoy does.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the rules keep it within 0 and 100")]
fn percent(percent: Option<&Percent>, default: f64) -> u32 {
    percent.map_or(default, |percent| percent.value).round() as u32
}

/// A factor that is 1 unless somebody says otherwise.
fn factor(runtime: Option<&RuntimeDouble>) -> model::RuntimeDouble {
    runtime.cloned().map_or(model::RuntimeDouble { default: 1.0, key: String::new() }, Into::into)
}

fn legacy_slow_start(
    context: &mut Context<'_>,
    field: &str,
    config: Option<&legacy::SlowStartConfig>,
) -> Option<SlowStart> {
    let config = config?;
    let config = common::SlowStartConfig {
        slow_start_window: config.slow_start_window,
        aggression: config.aggression.clone(),
        min_weight_percent: config.min_weight_percent,
    };
    context.field(field, |context| slow_start(context, Some(&config)))
}

fn slow_start(context: &mut Context<'_>, config: Option<&common::SlowStartConfig>) -> Option<SlowStart> {
    let config = config?;
    let window =
        context.field("slow_start_config", |context| context.duration("slow_start_window", config.slow_start_window));
    Some(SlowStart {
        window: window.filter(|window| *window > Duration::ZERO)?,
        aggression: factor(config.aggression.as_ref()),
        min_weight: config.min_weight_percent.as_ref().map_or(0.1, |percent| percent.value / 100.0),
    })
}

fn locality(config: Option<&common::LocalityLbConfig>, balancing: &mut LoadBalancing) {
    match config.and_then(|config| config.locality_config_specifier.as_ref()) {
        Some(Locality::LocalityWeightedLbConfig(_)) => balancing.locality_weighted = true,
        Some(Locality::ZoneAwareLbConfig(zone)) => {
            balancing.fail_traffic_on_panic = zone.fail_traffic_on_panic;
            balancing.zone_aware = zone_aware(zone.routing_enabled.as_ref(), zone.min_cluster_size);
        }
        None => {}
    }
}

fn zone_aware(routing_enabled: Option<&Percent>, min_cluster_size: Option<u64>) -> ZoneAware {
    let default = ZoneAware::default();
    ZoneAware {
        routing_enabled: percent(routing_enabled, f64::from(default.routing_enabled)),
        min_cluster_size: min_cluster_size.unwrap_or(default.min_cluster_size),
    }
}

fn consistent(common: &legacy::CommonLbConfig) -> ConsistentHashing {
    let config = common.consistent_hashing_lb_config.unwrap_or_default();
    ConsistentHashing {
        use_hostname_for_hashing: config.use_hostname_for_hashing,
        hash_balance_factor: config.hash_balance_factor.unwrap_or(0),
        hash_policies: Vec::new(),
    }
}

fn typed_consistent(
    context: &mut Context<'_>,
    config: Option<&common::ConsistentHashingLbConfig>,
    legacy: (bool, Option<u32>),
) -> ConsistentHashing {
    let (use_hostname_for_hashing, factor) =
        config.map_or(legacy, |config| (config.use_hostname_for_hashing, config.hash_balance_factor));
    let policies = config.map(|config| config.hash_policy.clone()).unwrap_or_default();
    let hash_policies = context.field("consistent_hashing_lb_config", |context| {
        context.list("hash_policy", policies, hash_policy::hash_policy)
    });
    ConsistentHashing { use_hostname_for_hashing, hash_balance_factor: factor.unwrap_or(0), hash_policies }
}

fn checked_hashing(context: &mut Context<'_>, hashing: &ConsistentHashing, discovery: Option<&Discovery>) {
    if hashing.use_hostname_for_hashing && matches!(discovery, Some(Discovery::Static)) {
        context.error(
            "Cannot use hostname for consistent hashing loadbalancing for cluster of type: 'envoy.cluster.static'",
        );
    }
}

fn checked_ring(context: &mut Context<'_>, ring: RingHash, discovery: Option<&Discovery>) -> Option<RingHash> {
    checked_hashing(context, &ring.hashing, discovery);
    if ring.minimum_ring_size > ring.maximum_ring_size {
        context.error(format!(
            "ring hash: minimum_ring_size ({}) > maximum_ring_size ({})",
            ring.minimum_ring_size, ring.maximum_ring_size
        ));
        return None;
    }
    Some(ring)
}

fn checked_maglev(context: &mut Context<'_>, maglev: Maglev, discovery: Option<&Discovery>) -> Option<Maglev> {
    checked_hashing(context, &maglev.hashing, discovery);
    if maglev.table_size > LARGEST_TABLE || !is_prime(maglev.table_size) {
        context.error_at("table_size", "The table size of maglev must be prime number");
        return None;
    }
    Some(maglev)
}

fn is_prime(number: u64) -> bool {
    let divides = |divisor: &u64| number.is_multiple_of(*divisor);
    number > 1 && !(2..).take_while(|divisor| divisor * divisor <= number).any(|divisor| divides(&divisor))
}
