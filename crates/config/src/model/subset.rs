//! Load balancing over those hosts of a cluster whose metadata fits.

use std::collections::BTreeSet;

use super::MetadataCriteria;

/// Envoy's `LbSubsetConfig`, in either of its places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubsetLoadBalancing {
    /// Where requests go for which there is no subset.
    pub fallback: SubsetFallback,
    /// What hosts of the default subset have.
    pub default_subset: MetadataCriteria,
    /// By which keys hosts are put into subsets.
    pub selectors: Vec<SubsetSelector>,
    /// Subsets keep the weights of localities.
    pub locality_weight_aware: bool,
    /// These weights shrink with the number of hosts.
    pub scale_locality_weight: bool,
    /// If the fallback has no host, any one is taken.
    pub panic_mode_any: bool,
    /// A host with a list of values has each of them.
    pub list_as_any: bool,
    /// What is asked for beyond the keys of a selector does not count.
    pub allow_redundant_keys: bool,
    /// `FALLBACK_LIST`: requests may name several sets of criteria, which are tried one after the other.
    pub metadata_fallback_list: bool,
}

/// Envoy's `LbSubsetFallbackPolicy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SubsetFallback {
    /// Nowhere.
    #[default]
    None,
    /// To any host.
    AnyEndpoint,
    /// To the default subset.
    DefaultSubset,
}

/// Envoy's `LbSubsetSelector`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubsetSelector {
    /// Hosts that have all of them are in a subset with those that have the same values.
    pub keys: BTreeSet<String>,
    /// Where requests with exactly these keys go if there is no subset; `None` is as for all.
    pub fallback: Option<SelectorFallback>,
    /// Each of its subsets has one host.
    pub single_host_per_subset: bool,
}

/// Envoy's `LbSubsetSelectorFallbackPolicy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SelectorFallback {
    /// One that all have.
    Policy(SubsetFallback),
    /// As if the request had asked for these keys alone.
    Keys(BTreeSet<String>),
}
