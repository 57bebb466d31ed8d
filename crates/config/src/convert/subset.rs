//! Load balancing over subsets of hosts: Envoy's old field of the cluster, and the policy that took its place.

use std::collections::BTreeSet;

use prost_types::Struct;

use super::Context;
use crate::{
    model::{SelectorFallback, SubsetFallback, SubsetLoadBalancing, SubsetSelector},
    proto::envoy::{
        config::cluster::v3::cluster::{
            LbSubsetConfig,
            lb_subset_config::{LbSubsetSelector, lb_subset_selector::LbSubsetSelectorFallbackPolicy as Policy},
        },
        extensions::load_balancing_policies::subset::v3::{Subset, subset::LbSubsetSelector as TypedSelector},
    },
};

/// Converts the old form. Without selectors it means nothing, as in Envoy.
pub(super) fn subsets(context: &mut Context<'_>, message: &LbSubsetConfig) -> Option<SubsetLoadBalancing> {
    if message.subset_selectors.is_empty() {
        return None;
    }
    context.field("lb_subset_config", |context| {
        Some(SubsetLoadBalancing {
            fallback: fallback(message.fallback_policy),
            default_subset: criteria(message.default_subset.as_ref()),
            selectors: context.list("subset_selectors", message.subset_selectors.clone(), selector),
            locality_weight_aware: message.locality_weight_aware,
            scale_locality_weight: message.scale_locality_weight,
            panic_mode_any: message.panic_mode_any,
            list_as_any: message.list_as_any,
            allow_redundant_keys: false,
            metadata_fallback_list: message.metadata_fallback_policy != 0,
        })
    })
}

/// Converts the policy, without the one for the hosts of a subset. The numbers of its enums are those of the old form.
pub(super) fn typed_subsets(context: &mut Context<'_>, message: &Subset) -> SubsetLoadBalancing {
    let selectors = message.subset_selectors.iter().cloned().map(|selector| {
        let TypedSelector { keys, single_host_per_subset, fallback_policy, fallback_keys_subset } = selector;
        LbSubsetSelector { keys, single_host_per_subset, fallback_policy, fallback_keys_subset }
    });
    SubsetLoadBalancing {
        fallback: fallback(message.fallback_policy),
        default_subset: criteria(message.default_subset.as_ref()),
        selectors: context.list("subset_selectors", selectors.collect(), selector),
        locality_weight_aware: message.locality_weight_aware,
        scale_locality_weight: message.scale_locality_weight,
        panic_mode_any: message.panic_mode_any,
        list_as_any: message.list_as_any,
        allow_redundant_keys: message.allow_redundant_keys,
        metadata_fallback_list: message.metadata_fallback_policy != 0,
    }
}

fn criteria(fields: Option<&Struct>) -> crate::model::MetadataCriteria {
    fields.cloned().unwrap_or_default().into()
}

/// A rule has seen to the range.
fn fallback(policy: i32) -> SubsetFallback {
    match policy {
        1 => SubsetFallback::AnyEndpoint,
        2 => SubsetFallback::DefaultSubset,
        _ => SubsetFallback::None,
    }
}

fn selector(context: &mut Context<'_>, message: LbSubsetSelector) -> Option<SubsetSelector> {
    let keys: BTreeSet<_> = message.keys.into_iter().collect();
    let fallback_keys: BTreeSet<_> = message.fallback_keys_subset.into_iter().collect();
    let policy = Policy::try_from(message.fallback_policy).ok()?;
    let wrong = match policy {
        Policy::KeysSubset if fallback_keys.is_empty() => Some("fallback_keys_subset cannot be empty"),
        Policy::KeysSubset if !fallback_keys.is_subset(&keys) => {
            Some("fallback_keys_subset must be a subset of selector keys")
        }
        // Else it would go on for ever.
        Policy::KeysSubset if fallback_keys.len() == keys.len() => Some("fallback_keys_subset cannot be equal to keys"),
        Policy::KeysSubset => None,
        _ if !fallback_keys.is_empty() => Some("fallback_keys_subset can be set only for KEYS_SUBSET fallback_policy"),
        _ => None,
    };
    if let Some(wrong) = wrong {
        context.error(wrong);
        return None;
    }
    let fallback = match policy {
        Policy::NotDefined => None,
        Policy::NoFallback => Some(SelectorFallback::Policy(SubsetFallback::None)),
        Policy::AnyEndpoint => Some(SelectorFallback::Policy(SubsetFallback::AnyEndpoint)),
        Policy::DefaultSubset => Some(SelectorFallback::Policy(SubsetFallback::DefaultSubset)),
        Policy::KeysSubset => Some(SelectorFallback::Keys(fallback_keys)),
    };
    Some(SubsetSelector { keys, fallback, single_host_per_subset: message.single_host_per_subset })
}
