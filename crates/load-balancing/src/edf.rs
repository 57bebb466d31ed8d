//! Earliest deadline first: weighted turns.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// Items taken in proportion to their weights: the one with the earliest deadline is next, and then due again after
/// 1 ÷ weight.
#[derive(Debug, Default)]
pub(crate) struct EdfScheduler {
    queue: BinaryHeap<Reverse<Entry>>,
    next_order: u64,
}

#[derive(Debug)]
struct Entry {
    deadline: f64,
    /// Among equal deadlines, first in first out.
    order: u64,
    item: usize,
}

// === impl EdfScheduler ===

impl EdfScheduler {
    /// A scheduler of `items` with their weights, as it is after so many picks: schedulers of different workers are to
    /// begin at different places.
    pub(crate) fn new(items: impl Iterator<Item = (usize, f64)>, picks: u32) -> Self {
        // Envoy's bound: walking through too many picks would take long.
        let picks = f64::from(picks % 429_496_729);
        let items: Vec<_> = items.collect();
        let sum: f64 = items.iter().map(|(_, weight)| weight).sum();
        let mut scheduler = Self::default();
        let mut left = picks;
        for (item, weight) in &items {
            let own = (weight * picks / sum).floor();
            left -= own;
            scheduler.add(*item, (own + 1.0) / weight);
        }
        let weight = |item| items.iter().find(|(known, _)| *known == item).map_or(1.0, |(_, weight)| *weight);
        // Fewer than there are items.
        while left >= 1.0 {
            scheduler.pick(weight);
            left -= 1.0;
        }
        scheduler
    }

    /// The next item; it is due again by the weight it has now.
    pub(crate) fn pick(&mut self, weight: impl FnOnce(usize) -> f64) -> Option<usize> {
        let Reverse(Entry { deadline, item, .. }) = self.queue.pop()?;
        self.add(item, deadline + 1.0 / weight(item));
        Some(item)
    }

    fn add(&mut self, item: usize, deadline: f64) {
        self.queue.push(Reverse(Entry { deadline, order: self.next_order, item }));
        self.next_order += 1;
    }
}

// === impl Entry ===

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.deadline.total_cmp(&other.deadline).then(self.order.cmp(&other.order))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_follow_weights_wherever_it_begins() {
        let weights = [1.0, 3.0, 2.0];
        for picks in [0, 1, 5, 6, 7, 1000, u32::MAX] {
            let mut scheduler = EdfScheduler::new(weights.into_iter().enumerate(), picks);
            let mut counts = [0; 3];
            for _ in 0..60 {
                if let Some(count) = scheduler.pick(|item| weights[item]).and_then(|item| counts.get_mut(item)) {
                    *count += 1;
                }
            }
            assert!((9..=11).contains(&counts[0]) && (29..=31).contains(&counts[1]), "{picks}: {counts:?}");
        }
        assert_eq!(EdfScheduler::new(std::iter::empty(), 7).pick(|_| 1.0), None);
    }

    #[test]
    fn equal_weights_go_in_order() {
        let mut scheduler = EdfScheduler::new((0..3).map(|item| (item, 2.0)), 0);
        let order: Vec<_> = (0..7).filter_map(|_| scheduler.pick(|_| 2.0)).collect();
        assert_eq!(order, [0, 1, 2, 0, 1, 2, 0]);
    }
}
