//! Google's Maglev hashing, with Envoy's weights: every host fills its own places of a table in turn.

use xxhash_rust::xxh64::xxh64;

use crate::TableStats;
use crate::hashing::Weights;

/// Hosts by `hash % size`.
#[derive(Debug)]
pub(crate) struct MaglevTable {
    table: Vec<u32>,
    hosts: Vec<usize>,
    stats: TableStats,
}

struct Entry {
    offset: u64,
    skip: u64,
    weight: f64,
    /// The host is passed over until the rounds have made up this much.
    target: f64,
    next: u64,
    count: u64,
}

const FREE: u32 = u32::MAX;

impl MaglevTable {
    /// A table of a prime `size`; `key` is what stands for a host.
    pub(crate) fn new(weights: &Weights, size: u64, key: impl Fn(usize) -> Option<String>) -> Self {
        // The order decides who comes first to a place, so it must not depend on the configuration's.
        let mut sorted: Vec<_> =
            weights.iter().map(|(index, weight)| (key(*index).unwrap_or_default(), *index, *weight)).collect();
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        let hosts: Vec<_> = sorted.iter().map(|(_, index, _)| *index).collect();
        let largest = sorted.iter().map(|(_, _, weight)| *weight).fold(0.0, f64::max);
        let mut entries: Vec<_> = sorted
            .iter()
            .map(|(key, _, weight)| Entry {
                offset: xxh64(key.as_bytes(), 0) % size,
                skip: xxh64(key.as_bytes(), 1) % (size - 1).max(1) + 1,
                weight: *weight,
                target: 0.0,
                next: 0,
                count: 0,
            })
            .collect();
        let table = if entries.is_empty() { Vec::new() } else { fill(&mut entries, size, largest) };
        let stats = TableStats {
            size,
            min_per_host: entries.iter().map(|entry| entry.count).min().unwrap_or(0),
            max_per_host: entries.iter().map(|entry| entry.count).max().unwrap_or(0),
        };
        Self { table, hosts, stats }
    }

    pub(crate) fn stats(&self) -> TableStats {
        self.stats
    }

    pub(crate) fn choose(&self, hash: u64, attempt: u32) -> Option<usize> {
        // For another host, most bits of the hash change.
        let hash = if attempt > 0 { hash ^ (u64::MAX - u64::from(attempt) + 1) } else { hash };
        let place = usize::try_from(hash.checked_rem(self.table.len() as u64)?).ok()?;
        self.hosts.get(*self.table.get(place)? as usize).copied()
    }
}

/// Round after round, until the table is full; a host of the largest weight takes a place in each, others less often.
fn fill(entries: &mut [Entry], size: u64, largest: f64) -> Vec<u32> {
    let mut table = vec![FREE; usize::try_from(size).unwrap_or(0)];
    let mut left = table.len();
    let mut round = 0.0;
    while left > 0 {
        round += 1.0;
        for (number, entry) in (0_u32..).zip(entries.iter_mut()) {
            if left == 0 {
                break;
            }
            if round * entry.weight < entry.target {
                continue;
            }
            entry.target += largest;
            // The steps visit every place, as the size is a prime; some place is free.
            for _ in 0..size {
                let place = (entry.offset + entry.skip * entry.next) % size;
                entry.next += 1;
                if let Some(place) = usize::try_from(place).ok().and_then(|place| table.get_mut(place))
                    && *place == FREE
                {
                    *place = number;
                    break;
                }
            }
            entry.count += 1;
            left -= 1;
        }
    }
    table
}

#[cfg(test)]
mod tests;
