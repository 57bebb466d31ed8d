//! What a request asks of load balancing.

use sandgate_config::model::MetadataCriteria;

use crate::{Host, PriorityLoad, PrioritySet};

/// The loads of the priorities to those that are to count instead.
pub type PriorityLoadOverride<'a> = dyn FnMut(&PrioritySet, &PriorityLoad) -> PriorityLoad + 'a;

/// A request as load balancing sees it; the default has no wishes.
#[derive(Default)]
pub struct LbContext<'a> {
    /// Of the route's hash policy. Without one, hashing policies choose at random.
    pub hash: Option<u64>,
    /// Whether another host should be taken, if there is one (retry host predicates). The last one found is taken anyhow.
    pub reject: Option<&'a mut dyn FnMut(&Host) -> bool>,
    /// How often `reject` may ask for another host (`host_selection_retry_max_attempts`).
    pub max_retries: u32,
    /// Gives other loads of the priorities than those that follow from health (retry priorities).
    pub priority_load: Option<&'a mut PriorityLoadOverride<'a>>,
    /// What it asks of the host's metadata; counts where a cluster has subsets of hosts.
    pub criteria: Option<&'a MetadataCriteria>,
}

/// What came of a choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Index into [`PrioritySet::hosts`]; `None` if there is no host to use.
    pub host: Option<usize>,
    /// Health was ignored because too few hosts are healthy (stat `lb_healthy_panic`).
    pub panic: bool,
    /// Subsets that were there for the request (stat `lb_subsets_selected`).
    pub selected: u32,
    /// The host comes of the fallback for requests without a subset (stat `lb_subsets_fallback`).
    pub fallback: bool,
    /// The host is any one, since the fallback had none (stat `lb_subsets_fallback_panic`).
    pub fallback_panic: bool,
}
