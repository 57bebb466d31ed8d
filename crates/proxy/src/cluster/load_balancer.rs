//! Round robin, by weight, over the hosts that may be used.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::{Health, PrioritySet};

/// Below this share of available hosts, in percent, health is ignored (Envoy's panic threshold).
const PANIC_THRESHOLD: usize = 50;

/// Chooses among the hosts of a cluster, in turn. One per worker, as in Envoy, so turns are not shared.
#[derive(Debug, Default)]
pub(crate) struct LoadBalancer {
    turns: Turns,
}

#[derive(Debug)]
enum Turns {
    /// All weights are equal: indices of the hosts, and whose turn it is.
    Equal { hosts: Vec<usize>, next: usize },
    /// Earliest deadline first: the host with the smallest deadline is taken, which then moves by 1 ÷ weight.
    Weighted(BinaryHeap<Reverse<Turn>>),
}

impl Default for Turns {
    fn default() -> Self {
        Self::Equal { hosts: Vec::new(), next: 0 }
    }
}

#[derive(Debug)]
struct Turn {
    deadline: f64,
    /// Among equal deadlines, first in first out.
    order: u64,
    index: usize,
    weight: f64,
}

impl LoadBalancer {
    /// Turns over `set`, beginning anywhere.
    pub(crate) fn new(set: &PrioritySet) -> Self {
        let usable = usable(set);
        let weight = |index: &usize| set.hosts.get(*index).map_or(1, |host| host.weight);
        let equal = usable.windows(2).all(|pair| pair.iter().map(weight).max() == pair.iter().map(weight).min());
        let turns = if equal {
            let next = if usable.is_empty() { 0 } else { fastrand::usize(..usable.len()) };
            Turns::Equal { hosts: usable, next }
        } else {
            let turn = |(order, index): (usize, usize)| {
                let weight = f64::from(weight(&index));
                Reverse(Turn { deadline: 1.0 / weight, order: order as u64, index, weight })
            };
            Turns::Weighted(usable.into_iter().enumerate().map(turn).collect())
        };
        Self { turns }
    }

    /// The index of the host whose turn it is.
    pub(crate) fn choose(&mut self) -> Option<usize> {
        match &mut self.turns {
            Turns::Equal { hosts, next } => {
                let chosen = hosts.get(*next).copied()?;
                *next = if *next + 1 < hosts.len() { *next + 1 } else { 0 };
                Some(chosen)
            }
            Turns::Weighted(queue) => {
                let Reverse(mut turn) = queue.pop()?;
                let chosen = turn.index;
                turn.deadline += 1.0 / turn.weight;
                turn.order += 1 << 32;
                queue.push(Reverse(turn));
                Some(chosen)
            }
        }
    }
}

/// Healthy hosts; degraded ones if none is healthy; all if less than half are available.
fn usable(set: &PrioritySet) -> Vec<usize> {
    let with = |health| {
        set.hosts.iter().enumerate().filter(move |(_, host)| host.flags.health() == health).map(|(index, _)| index)
    };
    let healthy: Vec<_> = with(Health::Healthy).collect();
    let degraded: Vec<_> = with(Health::Degraded).collect();
    let available = healthy.len() + degraded.len();
    if available * 100 < set.hosts.len() * PANIC_THRESHOLD {
        return (0..set.hosts.len()).collect();
    }
    if healthy.is_empty() { degraded } else { healthy }
}

impl PartialEq for Turn {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Turn {}

impl PartialOrd for Turn {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Turn {
    fn cmp(&self, other: &Self) -> Ordering {
        self.deadline.total_cmp(&other.deadline).then(self.order.cmp(&other.order))
    }
}
