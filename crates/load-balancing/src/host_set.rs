//! The hosts of a cluster at one moment, sorted by what load balancing asks for.

use std::sync::{Arc, OnceLock};

use sandgate_config::model::LoadBalancing;

use crate::priority_load::PriorityState;
use crate::{HashTables, Health, Host, Locality};

/// Hosts of one priority, as indices into [`PrioritySet::hosts`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostSet {
    /// All of them.
    pub all: Vec<usize>,
    /// Those that are healthy.
    pub healthy: Vec<usize>,
    /// Those that are degraded.
    pub degraded: Vec<usize>,
    /// Those that do not count where shares of healthy hosts are taken.
    pub excluded: Vec<usize>,
    /// The same by locality, in order of region, zone and sub-zone.
    pub localities: Vec<LocalityHosts>,
}

/// Hosts of one locality within a priority.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalityHosts {
    /// Where they are.
    pub locality: Arc<Locality>,
    /// Its `load_balancing_weight`; 0 if not set: with locality weighted balancing it takes no requests.
    pub weight: u32,
    /// All of them.
    pub all: Vec<usize>,
    /// Those that are healthy.
    pub healthy: Vec<usize>,
    /// Those that are degraded.
    pub degraded: Vec<usize>,
    /// Those that do not count.
    pub excluded: Vec<usize>,
}

/// An immutable set of hosts of all priorities, made on the main thread and pushed to the workers. Health is that of
/// the moment it was made: a change of flags needs a new set ([`PrioritySet::with_health_now`]).
#[derive(Clone, Debug, Default)]
pub struct PrioritySet {
    /// All hosts, in the order of the configuration.
    pub hosts: Vec<Arc<Host>>,
    /// By priority.
    pub priorities: Vec<HostSet>,
    weights: Vec<(u32, Arc<Locality>, u32)>,
    /// What came with the hosts; it takes the place of the cluster's own.
    policy: Option<AssignmentPolicy>,
    /// Localities have no weights, whatever the policy says.
    no_locality_weights: bool,
    /// Made by the worker that first asks.
    tables: OnceLock<Arc<HashTables>>,
}

/// What a control plane says of hosts together (`ClusterLoadAssignment.policy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AssignmentPolicy {
    /// See [`LoadBalancing::overprovisioning_factor`].
    pub overprovisioning_factor: u32,
    /// See [`LoadBalancing::weighted_priority_health`].
    pub weighted_priority_health: bool,
}

/// How many hosts there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Membership {
    /// All.
    pub total: usize,
    /// Healthy.
    pub healthy: usize,
    /// Degraded.
    pub degraded: usize,
    /// Excluded.
    pub excluded: usize,
}

// === impl PrioritySet ===

impl PrioritySet {
    /// A set of `hosts`; `weights` are those of all configured localities, by priority.
    #[must_use]
    pub fn new(hosts: Vec<Arc<Host>>, weights: Vec<(u32, Arc<Locality>, u32)>) -> Self {
        let priorities = hosts.iter().map(|host| host.priority).chain(weights.iter().map(|(priority, ..)| *priority));
        let count = priorities.max().unwrap_or(0) as usize + 1;
        let mut set = Self { hosts, priorities: Vec::new(), weights, ..Self::default() };
        set.priorities = (0..count).map(|priority| set.host_set(priority)).collect();
        set
    }

    /// The same hosts, sorted by the health they have now.
    #[must_use]
    pub fn with_health_now(&self) -> Self {
        Self { policy: self.policy, ..Self::new(self.hosts.clone(), self.weights.clone()) }
    }

    /// Those of the hosts that are to stay.
    #[must_use]
    pub fn without(&self, is_gone: impl Fn(&Host) -> bool) -> Self {
        let hosts = self.hosts.iter().filter(|host| !is_gone(host)).cloned().collect();
        Self { policy: self.policy, ..Self::new(hosts, self.weights.clone()) }
    }

    /// The same hosts with that policy.
    #[must_use]
    pub fn with_policy(self, policy: AssignmentPolicy) -> Self {
        Self { policy: Some(policy), ..self }
    }

    /// What came with the hosts, or else the cluster's own.
    pub(crate) fn policy(&self, config: &LoadBalancing) -> AssignmentPolicy {
        self.policy.unwrap_or(AssignmentPolicy {
            overprovisioning_factor: config.overprovisioning_factor,
            weighted_priority_health: config.weighted_priority_health,
        })
    }

    /// Those of the hosts that are `members`, in the same order, priorities and localities, and with the same health. `weight` says
    /// what a locality weighs of which so many hosts are left; they all have no weight unless `weighted`.
    pub(crate) fn subset(
        &self,
        members: &[usize],
        weighted: bool,
        weight: impl Fn(&LocalityHosts, usize) -> u32,
    ) -> Self {
        let mut places = vec![None; self.hosts.len()];
        for (place, member) in members.iter().enumerate() {
            if let Some(known) = places.get_mut(*member) {
                *known = Some(place);
            }
        }
        let left = |hosts: &[usize]| -> Vec<usize> {
            hosts.iter().filter_map(|index| places.get(*index).copied().flatten()).collect()
        };
        let locality = |hosts: &LocalityHosts| {
            let all = left(&hosts.all);
            LocalityHosts {
                locality: Arc::clone(&hosts.locality),
                weight: if weighted { weight(hosts, all.len()) } else { 0 },
                all,
                healthy: left(&hosts.healthy),
                degraded: left(&hosts.degraded),
                excluded: left(&hosts.excluded),
            }
        };
        let priority = |hosts: &HostSet| HostSet {
            all: left(&hosts.all),
            healthy: left(&hosts.healthy),
            degraded: left(&hosts.degraded),
            excluded: left(&hosts.excluded),
            localities: hosts.localities.iter().map(locality).collect(),
        };
        Self {
            hosts: members.iter().filter_map(|index| self.hosts.get(*index)).cloned().collect(),
            priorities: self.priorities.iter().map(priority).collect(),
            no_locality_weights: !weighted,
            policy: self.policy,
            ..Self::default()
        }
    }

    /// Whether weights of localities count, if the policy says so.
    pub(crate) fn has_locality_weights(&self) -> bool {
        !self.no_locality_weights
    }

    /// Whether both have the same hosts in the same order and with the same health.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.hosts.len() == other.hosts.len()
            && self.hosts.iter().zip(&other.hosts).all(|(a, b)| Arc::ptr_eq(a, b))
            && self.priorities == other.priorities
            && self.policy == other.policy
    }

    /// Counts over all priorities.
    #[must_use]
    pub fn membership(&self) -> Membership {
        self.priorities.iter().fold(Membership::default(), |sum, set| Membership {
            total: sum.total + set.all.len(),
            healthy: sum.healthy + set.healthy.len(),
            degraded: sum.degraded + set.degraded.len(),
            excluded: sum.excluded + set.excluded.len(),
        })
    }

    /// The tables of a hashing policy; `None` until a load balancer has made them.
    #[must_use]
    pub fn made_hash_tables(&self) -> Option<&Arc<HashTables>> {
        self.tables.get()
    }

    pub(crate) fn hash_tables(&self, config: &LoadBalancing, state: &PriorityState) -> &Arc<HashTables> {
        self.tables.get_or_init(|| Arc::new(HashTables::new(self, config, state)))
    }

    fn host_set(&self, priority: usize) -> HostSet {
        let mut set = HostSet::default();
        for (index, host) in self.hosts.iter().enumerate().filter(|(_, host)| host.priority as usize == priority) {
            let place = match set.localities.binary_search_by(|known| known.locality.cmp(&host.locality)) {
                Ok(place) => place,
                Err(place) => {
                    let weight = self
                        .weights
                        .iter()
                        .find(|(p, locality, _)| *p as usize == priority && **locality == *host.locality);
                    let hosts = LocalityHosts {
                        locality: Arc::clone(&host.locality),
                        weight: weight.map_or(0, |(_, _, weight)| *weight),
                        ..LocalityHosts::default()
                    };
                    set.localities.insert(place, hosts);
                    place
                }
            };
            let Some(locality) = set.localities.get_mut(place) else { continue };
            set.all.push(index);
            locality.all.push(index);
            if host.flags.is_excluded() {
                set.excluded.push(index);
                locality.excluded.push(index);
            }
            match host.flags.health() {
                Health::Healthy => {
                    set.healthy.push(index);
                    locality.healthy.push(index);
                }
                Health::Degraded => {
                    set.degraded.push(index);
                    locality.degraded.push(index);
                }
                Health::Unhealthy => {}
            }
        }
        set
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test may panic")]

    use sandgate_config::model::HealthStatus;

    use super::*;
    use crate::HealthFlag;
    use crate::testing::host_in;

    fn host(port: u16, priority: u32, zone: &str, health: HealthStatus) -> Arc<Host> {
        host_in(port, 1, priority, zone, health)
    }

    #[test]
    fn hosts_are_sorted_by_priority_locality_and_health() {
        let hosts = vec![
            host(1, 1, "b", HealthStatus::Unknown),
            host(2, 0, "b", HealthStatus::Degraded),
            host(3, 0, "a", HealthStatus::Draining),
            host(4, 0, "b", HealthStatus::Unhealthy),
        ];
        let b = Arc::clone(&hosts[0].locality);
        let set = PrioritySet::new(hosts, vec![(0, b, 7)]);
        let [first, second] = set.priorities.as_slice() else { panic!("two priorities") };
        assert_eq!((&*first.all, &*first.healthy, &*first.degraded), (&[1, 2, 3][..], &[][..], &[1][..]));
        assert_eq!((&*first.excluded, &*second.healthy), (&[2][..], &[0][..]));
        let localities: Vec<_> = first.localities.iter().map(|l| (&*l.locality.zone, l.weight, &*l.all)).collect();
        assert_eq!(localities, [("a", 0, &[2][..]), ("b", 7, &[1, 3][..])]);
        assert_eq!(set.membership(), Membership { total: 4, healthy: 1, degraded: 1, excluded: 1 });
    }

    #[test]
    fn a_set_keeps_the_health_of_its_moment() {
        let set = PrioritySet::new(vec![host(1, 0, "", HealthStatus::Unknown)], Vec::new());
        set.hosts[0].flags.set(HealthFlag::FailedActiveHc);
        let now = set.with_health_now();
        assert_eq!((set.membership().healthy, now.membership().healthy), (1, 0));
        assert!(!now.is_same(&set) && now.is_same(&now.with_health_now()));
    }
}
