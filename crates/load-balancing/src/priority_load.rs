//! How much of the load each priority takes.

use sandgate_config::model::LoadBalancing;

use crate::{HostSet, PrioritySet};

/// Percentages by priority; together they are 100.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PriorityLoad {
    /// For healthy hosts.
    pub healthy: Vec<u32>,
    /// For degraded hosts.
    pub degraded: Vec<u32>,
}

/// Health of the priorities, in percent with overprovisioning, and what follows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PriorityState {
    pub(crate) load: PriorityLoad,
    /// Priorities in which health is ignored.
    pub(crate) panic: Vec<bool>,
}

/// Which hosts of a priority are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Availability {
    Healthy,
    Degraded,
}

// === impl PriorityLoad ===

impl PriorityLoad {
    /// The loads that follow from the health of the priorities, leaving out those in `excluded`; `None` if none is
    /// left that could take any (Envoy's `previous_priorities` then begins anew).
    #[must_use]
    pub fn without(set: &PrioritySet, config: &LoadBalancing, excluded: &[u32]) -> Option<Self> {
        let is_excluded = |priority: usize| excluded.iter().any(|p| *p as usize == priority);
        let (mut healthy, mut degraded) = health(set, config);
        for (priority, health) in healthy.iter_mut().chain(&mut degraded).enumerate() {
            if is_excluded(priority % set.priorities.len().max(1)) {
                *health = 0;
            }
        }
        Self::distribute(&healthy, &degraded)
    }

    /// 100 over the priorities: the first ones take what they can, healthy hosts before degraded ones.
    fn distribute(healthy: &[u32], degraded: &[u32]) -> Option<Self> {
        let total = total_availability(healthy, degraded);
        if total == 0 {
            return None;
        }
        let mut left = 100;
        let mut share = |health: &u32| {
            let load = left.min(health * 100 / total);
            left -= load;
            load
        };
        let mut load = Self {
            healthy: healthy.iter().map(&mut share).collect(),
            degraded: degraded.iter().map(&mut share).collect(),
        };
        // What is left comes from rounding.
        let first = match healthy.iter().position(|health| *health > 0) {
            Some(first) => load.healthy.get_mut(first),
            None => degraded.iter().position(|health| *health > 0).and_then(|first| load.degraded.get_mut(first)),
        };
        if let Some(first) = first {
            *first += left;
        }
        Some(load)
    }

    /// The priority that a hash or a random number falls into.
    pub(crate) fn choose(&self, hash: u64) -> (usize, Availability) {
        let hash = u32::try_from(hash % 100).unwrap_or(0) + 1;
        let mut sum = 0;
        for (loads, availability) in [(&self.healthy, Availability::Healthy), (&self.degraded, Availability::Degraded)]
        {
            for (priority, load) in loads.iter().enumerate() {
                sum += load;
                if hash <= sum {
                    return (priority, availability);
                }
            }
        }
        (0, Availability::Healthy)
    }
}

// === impl PriorityState ===

impl PriorityState {
    /// What `set` comes to. `panic_threshold` is in percent.
    pub(crate) fn new(set: &PrioritySet, config: &LoadBalancing, panic_threshold: u32) -> Self {
        let (healthy, degraded) = health(set, config);
        let total = total_availability(&healthy, &degraded);
        let count = set.priorities.len();
        let all_on_first = || PriorityLoad {
            healthy: (0..count).map(|priority| if priority == 0 { 100 } else { 0 }).collect(),
            degraded: vec![0; count],
        };
        if panic_threshold == 0 && total == 0 {
            return Self { load: all_on_first(), panic: vec![false; count] };
        }
        // Enough hosts over all priorities: no panic, whatever a single one looks like.
        let in_panic = |hosts: &HostSet| total < 100 && available_percent(hosts) < f64::from(panic_threshold.min(100));
        let panic: Vec<_> = set.priorities.iter().map(in_panic).collect();
        let load = if panic.iter().all(|panic| *panic) {
            by_number(set).unwrap_or_else(all_on_first)
        } else {
            PriorityLoad::distribute(&healthy, &degraded).unwrap_or_else(all_on_first)
        };
        Self { load, panic }
    }
}

/// Health and degraded health of each priority: the share of hosts, times the overprovisioning factor, at most 100.
fn health(set: &PrioritySet, config: &LoadBalancing) -> (Vec<u32>, Vec<u32>) {
    let policy = set.policy(config);
    let amount = |hosts: &[usize]| -> u64 {
        if policy.weighted_priority_health {
            hosts.iter().filter_map(|index| set.hosts.get(*index)).map(|host| u64::from(host.weight)).sum()
        } else {
            hosts.len() as u64
        }
    };
    let share = |part: &[usize], hosts: &HostSet| match amount(&hosts.all).saturating_sub(amount(&hosts.excluded)) {
        0 => 0,
        total => {
            u32::try_from(u64::from(policy.overprovisioning_factor) * amount(part) / total).unwrap_or(100).min(100)
        }
    };
    let healthy = set.priorities.iter().map(|hosts| share(&hosts.healthy, hosts)).collect();
    (healthy, set.priorities.iter().map(|hosts| share(&hosts.degraded, hosts)).collect())
}

fn total_availability(healthy: &[u32], degraded: &[u32]) -> u32 {
    healthy.iter().chain(degraded).sum::<u32>().min(100)
}

fn available_percent(hosts: &HostSet) -> f64 {
    match hosts.all.len().saturating_sub(hosts.excluded.len()) {
        0 => 0.0,
        total => {
            let percent = |part: &[usize]| 100.0 * count(part) / total as f64;
            percent(&hosts.healthy) + percent(&hosts.degraded)
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "there are fewer than 2^52 hosts")]
fn count(hosts: &[usize]) -> f64 {
    hosts.len() as f64
}

/// In a panic of all priorities the number of hosts decides.
fn by_number(set: &PrioritySet) -> Option<PriorityLoad> {
    let total = set.hosts.len();
    if total == 0 {
        return None;
    }
    let share = |hosts: &HostSet| u32::try_from(100 * hosts.all.len() / total).unwrap_or(0);
    let mut healthy: Vec<_> = set.priorities.iter().map(share).collect();
    let left = 100 - healthy.iter().sum::<u32>();
    let first = set.priorities.iter().position(|hosts| !hosts.all.is_empty());
    if let Some(first) = first.and_then(|first| healthy.get_mut(first)) {
        *first += left;
    }
    let degraded = vec![0; healthy.len()];
    Some(PriorityLoad { healthy, degraded })
}

#[cfg(test)]
mod tests;
