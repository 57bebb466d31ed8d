//! Which hosts and priorities a retry goes to.

use std::sync::Arc;

use sandgate_config::model::{RetryHostPredicate, RetryPriority};
use sandgate_load_balancing::{Host, PriorityLoad, PrioritySet};

use super::policy::CompiledRetryPolicy;
use crate::cluster::{LbContext, WorkerCluster};

/// Where the request was tried, if that is of interest.
#[derive(Debug, Default)]
pub(super) struct HostSelection {
    attempted: Vec<Arc<Host>>,
    /// Those that `previous_priorities` counts: it forgets them when it begins anew.
    counted: Vec<u32>,
    excluded: Vec<u32>,
    load: Option<PriorityLoad>,
}

// === impl HostSelection ===

impl HostSelection {
    /// Whether retries of `policy` go by it.
    pub(super) fn matters(policy: &CompiledRetryPolicy) -> bool {
        !policy.config.host_predicates.is_empty() || policy.config.retry_priority.is_some()
    }

    /// The request went to `host`.
    pub(super) fn attempted(&mut self, host: &Arc<Host>) {
        self.attempted.push(Arc::clone(host));
        self.counted.push(host.priority);
    }

    /// Chooses with the wishes of `policy`.
    pub(super) fn choose<R>(
        &mut self,
        policy: &CompiledRetryPolicy,
        cluster: &WorkerCluster,
        wishes: LbContext<'_>,
        choose: impl FnOnce(&mut LbContext<'_>) -> R,
    ) -> R {
        let Self { attempted, counted, excluded, load } = self;
        let predicates = &policy.config.host_predicates;
        let mut reject = |host: &Host| predicates.iter().any(|predicate| rejects(predicate, attempted, host));
        let config = &cluster.config.load_balancing;
        let mut priority_load = |set: &PrioritySet, original: &PriorityLoad| {
            let Some(RetryPriority::PreviousPriorities { update_frequency }) = policy.config.retry_priority else {
                return original.clone();
            };
            let frequency = usize::try_from(update_frequency).unwrap_or(usize::MAX);
            if counted.len() < frequency {
                return original.clone();
            }
            if counted.len().is_multiple_of(frequency) {
                excluded.extend_from_slice(counted);
                *load = PriorityLoad::without(set, config, excluded);
                if load.is_none() {
                    // Every priority was tried: all of them count again.
                    (*excluded, *counted) = (Vec::new(), Vec::new());
                    *load = PriorityLoad::without(set, config, &[]);
                }
            }
            load.clone().unwrap_or_else(|| original.clone())
        };
        let (hash, criteria) = (wishes.hash, wishes.criteria);
        let mut context = LbContext { hash, criteria, ..LbContext::default() };
        if !predicates.is_empty() {
            context.reject = Some(&mut reject);
            context.max_retries = policy.config.host_selection_max_attempts;
        }
        if policy.config.retry_priority.is_some() {
            context.priority_load = Some(&mut priority_load);
        }
        choose(&mut context)
    }
}

fn rejects(predicate: &RetryHostPredicate, attempted: &[Arc<Host>], host: &Host) -> bool {
    match predicate {
        RetryHostPredicate::PreviousHosts => attempted.iter().any(|tried| tried.address() == host.address()),
        RetryHostPredicate::OmitCanaryHosts => host.canary,
        RetryHostPredicate::OmitHostMetadata { names, metadata } => names.iter().all(|name| {
            let value = |metadata| sandgate_attributes::metadata_value(metadata, b"envoy.lb", [name.as_bytes()]);
            value(&host.metadata) == value(metadata)
        }),
    }
}
