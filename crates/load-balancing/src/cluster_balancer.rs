//! What chooses hosts for a cluster on one worker.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use fastrand::Rng;
use sandgate_config::model::LoadBalancing;

use crate::{
    Choice, LbContext, LoadBalancer, LocalHosts, PrioritySet, RuntimeValues, SubsetBalancer, SubsetChanges, ZoneCounts,
};

/// A load balancer over all hosts of a cluster, or one over subsets of them.
#[derive(Debug)]
pub enum ClusterBalancer {
    /// All are one set.
    Whole(Box<LoadBalancer>),
    /// Requests ask for some of them.
    Subsets(Box<SubsetBalancer>),
}

// === impl ClusterBalancer ===

impl ClusterBalancer {
    /// A load balancer without hosts. `random` decides where turns begin.
    #[must_use]
    pub fn new(config: &Arc<LoadBalancing>, runtime: RuntimeValues, random: Rng, now: Instant) -> Self {
        match &config.subsets {
            None => Self::Whole(Box::new(LoadBalancer::new(config, &Arc::default(), runtime, random, now))),
            Some(subsets) => Self::Subsets(Box::new(SubsetBalancer::new(config, subsets, random))),
        }
    }

    /// Goes by zones from now on, unless there are subsets, which do not.
    pub fn keep_in_zone(&mut self, local: &Rc<LocalHosts>) {
        if let Self::Whole(balancer) = self {
            balancer.keep_in_zone(local);
        }
    }

    /// What has been counted of zones since the last time; nothing if they do not count.
    pub fn take_zone_counts(&mut self) -> Option<ZoneCounts> {
        match self {
            Self::Whole(balancer) => balancer.take_zone_counts(),
            Self::Subsets(_) => None,
        }
    }

    /// Goes over to another set of hosts. Says what became of subsets, if there are any.
    pub fn update(&mut self, set: &Arc<PrioritySet>, runtime: RuntimeValues, now: Instant) -> Option<SubsetChanges> {
        match self {
            Self::Whole(balancer) => {
                balancer.update(set, runtime, now);
                None
            }
            Self::Subsets(balancer) => Some(balancer.update(set, runtime, now)),
        }
    }

    /// A host for a request, as an index into [`PrioritySet::hosts`].
    pub fn choose(&mut self, context: &mut LbContext<'_>, now: Instant) -> Choice {
        match self {
            Self::Whole(balancer) => balancer.choose(context, now),
            Self::Subsets(balancer) => balancer.choose(context, now),
        }
    }
}
