//! Hashing policies: a table for each priority, shared by all workers.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use sandgate_config::model::{LbPolicy, LoadBalancing};

use crate::maglev::MaglevTable;
use crate::priority_load::PriorityState;
use crate::ring_hash::Ring;
use crate::{Choice, Host, HostSet, PrioritySet};

/// The tables of a set of hosts.
#[derive(Debug)]
pub struct HashTables {
    state: PriorityState,
    priorities: Vec<Priority>,
    balance_factor: u32,
}

#[derive(Debug)]
struct Priority {
    table: Table,
    /// Hosts and their shares of the load, which add up to 1.
    weights: Weights,
}

#[derive(Debug)]
enum Table {
    Ring(Ring),
    Maglev(MaglevTable),
}

/// How many entries hosts have in a table, for Envoy's gauges under `ring_hash_lb.` and `maglev_lb.`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableStats {
    /// Of the whole table.
    pub size: u64,
    /// Of the host with the fewest.
    pub min_per_host: u64,
    /// Of the host with the most.
    pub max_per_host: u64,
}

/// Hosts by index into [`PrioritySet::hosts`] and their normalized weights.
pub(crate) type Weights = Vec<(usize, f64)>;

// === impl HashTables ===

impl HashTables {
    pub(crate) fn new(set: &PrioritySet, config: &LoadBalancing, state: &PriorityState) -> Self {
        let hashing = config.policy.hashing().cloned().unwrap_or_default();
        let key = |index: usize| set.hosts.get(index).map(|host| hash_key(host, hashing.use_hostname_for_hashing));
        let priority = |(index, hosts): (usize, &HostSet)| {
            let panic = state.panic.get(index).copied().unwrap_or(false);
            let weights = normalized(set, hosts, panic, config.locality_weighted && set.has_locality_weights());
            let table = match &config.policy {
                LbPolicy::Maglev(maglev) => Table::Maglev(MaglevTable::new(&weights, maglev.table_size, key)),
                LbPolicy::RingHash(ring) => Table::Ring(Ring::new(&weights, ring, key)),
                _ => Table::Ring(Ring::default()),
            };
            Priority { table, weights }
        };
        Self {
            state: state.clone(),
            priorities: set.priorities.iter().enumerate().map(priority).collect(),
            balance_factor: hashing.hash_balance_factor,
        }
    }

    /// What Envoy's gauges show: those of the last priority.
    #[must_use]
    pub fn stats(&self) -> TableStats {
        match self.priorities.iter().rev().find(|priority| !priority.weights.is_empty()).map(|p| &p.table) {
            Some(Table::Ring(ring)) => ring.stats(),
            Some(Table::Maglev(maglev)) => maglev.stats(),
            None => TableStats::default(),
        }
    }

    /// The host that a hash falls to; `attempt` counts those that were refused.
    pub(crate) fn choose(&self, set: &PrioritySet, hash: u64, attempt: u32) -> Choice {
        let (priority, _) = self.state.load.choose(hash);
        let panic = self.state.panic.get(priority).copied().unwrap_or(false);
        let host = self.priorities.get(priority).and_then(|priority| {
            let host = match &priority.table {
                Table::Ring(ring) => ring.choose(hash, attempt),
                Table::Maglev(maglev) => maglev.choose(hash, attempt),
            }?;
            Some(if self.balance_factor == 0 { host } else { self.bounded(set, &priority.weights, host, hash) })
        });
        Choice { host, panic, ..Choice::default() }
    }

    /// `host`, or another if it has more than its share of the requests in flight: the first with room in an order that
    /// the hash alone decides, else the one that is least over.
    fn bounded(&self, set: &PrioritySet, weights: &Weights, host: usize, hash: u64) -> usize {
        let active = |index: usize| set.hosts.get(index).map_or(0, |host| host.stats.rq_active.load(Relaxed));
        let all: u64 = (0..set.hosts.len()).map(active).sum();
        let slots = ((all + 1) * u64::from(self.balance_factor)).div_ceil(100);
        let overload = |index: usize, weight: f64| as_f64(active(index)) / (as_f64(slots) * weight).ceil().max(1.0);
        let weight = weights.iter().find(|(index, _)| *index == host).map_or(1.0, |(_, weight)| *weight);
        let (mut best, mut least) = (host, overload(host, weight));
        if least <= 1.0 {
            return host;
        }
        // Envoy's order: a shuffle by a Mersenne Twister that is seeded with the hash.
        #[allow(clippy::cast_possible_truncation, reason = "the generator takes the low half of the hash")]
        let mut random = rand_mt::Mt::new(hash as u32);
        let mut order: Vec<_> = weights.clone();
        for place in 0..order.len() {
            let chosen = place + below(&mut random, order.len() - place);
            order.swap(place, chosen);
            let Some((index, weight)) = order.get(place).copied() else { break };
            if index == host {
                continue;
            }
            let overload = overload(index, weight);
            if overload <= 1.0 {
                return index;
            }
            if overload < least {
                (best, least) = (index, overload);
            }
        }
        best
    }
}

/// A number below `bound`, evenly.
fn below(random: &mut rand_mt::Mt, bound: usize) -> usize {
    let divisor = (1_u64 << 32) / (bound as u64).max(1);
    loop {
        let number = usize::try_from(u64::from(random.next_u32()) / divisor).unwrap_or(0);
        if number < bound {
            return number;
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "there are fewer than 2^52 requests")]
fn as_f64(number: u64) -> f64 {
    number as f64
}

/// What stands for a host in a table: `envoy.lb: {hash_key: …}` of its metadata, its name if that is asked for, else its
/// address.
fn hash_key(host: &Arc<Host>, use_hostname: bool) -> String {
    if !host.hash_key.is_empty() {
        return host.hash_key.clone();
    }
    if use_hostname { host.hostname.as_ref().to_owned() } else { host.address().to_string() }
}

/// Hosts with their shares: of all hosts, or in localities with weights.
fn normalized(set: &PrioritySet, hosts: &HostSet, panic: bool, by_locality: bool) -> Weights {
    let mut weights = Vec::new();
    let mut add = |hosts: &[usize], share: f64| {
        let weight = |index: usize| set.hosts.get(index).map_or(1, |host| host.weight);
        let sum: u64 = hosts.iter().map(|index| u64::from(weight(*index))).sum();
        weights.extend(hosts.iter().map(|index| (*index, f64::from(weight(*index)) * share / as_f64(sum))));
    };
    if by_locality {
        let sum: u64 = hosts.localities.iter().map(|locality| u64::from(locality.weight)).sum();
        for locality in hosts.localities.iter().filter(|locality| locality.weight > 0) {
            let hosts = if panic { &locality.all } else { &locality.healthy };
            add(hosts, f64::from(locality.weight) / as_f64(sum));
        }
    } else {
        add(if panic { &hosts.all } else { &hosts.healthy }, 1.0);
    }
    weights
}
