//! Ketama's ring: every host has many hashes on a circle, and a request goes to the next one.

use sandgate_config::model::{HashFunction, RingHash};
use xxhash_rust::xxh64::xxh64;

use crate::TableStats;
use crate::hashing::Weights;
use crate::murmur::murmur_hash_2;

/// Hashes in order, each with its host.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    ring: Vec<(u64, usize)>,
    stats: TableStats,
}

impl Ring {
    /// A ring of `weights`; `key` is what stands for a host.
    pub(crate) fn new(weights: &Weights, config: &RingHash, key: impl Fn(usize) -> Option<String>) -> Self {
        if weights.is_empty() {
            return Self::default();
        }
        let least = weights.iter().map(|(_, weight)| *weight).fold(1.0, f64::min);
        // The host of the least weight gets a whole number of hashes, unless the ring is too large then.
        let scale = ((least * as_f64(config.minimum_ring_size)).ceil() / least).min(as_f64(config.maximum_ring_size));
        let mut ring = Vec::new();
        let (mut current, mut target) = (0.0, 0.0);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most the largest ring's size")]
        let size = scale.ceil() as u64;
        let mut stats = TableStats { size, min_per_host: size, max_per_host: 0 };
        for (index, weight) in weights {
            let mut hash_key = key(*index).unwrap_or_default();
            hash_key.push('_');
            let base = hash_key.len();
            target += scale * weight;
            let mut count = 0_u64;
            while current < target {
                hash_key.truncate(base);
                hash_key.push_str(&count.to_string());
                ring.push((hash(config.hash_function, hash_key.as_bytes()), *index));
                count += 1;
                current += 1.0;
            }
            stats.min_per_host = stats.min_per_host.min(count);
            stats.max_per_host = stats.max_per_host.max(count);
        }
        ring.sort_by_key(|(hash, _)| *hash);
        Self { ring, stats }
    }

    pub(crate) fn stats(&self) -> TableStats {
        self.stats
    }

    /// The host of the first hash from `hash` on; `attempt` goes so many hashes further.
    pub(crate) fn choose(&self, hash: u64, attempt: u32) -> Option<usize> {
        let place = self.ring.partition_point(|(known, _)| *known < hash);
        let place = if place == self.ring.len() { 0 } else { place };
        let place = (place + attempt as usize).checked_rem(self.ring.len())?;
        self.ring.get(place).map(|(_, index)| *index)
    }
}

fn hash(function: HashFunction, key: &[u8]) -> u64 {
    match function {
        HashFunction::XxHash => xxh64(key, 0),
        HashFunction::MurmurHash2 => murmur_hash_2(key),
    }
}

#[allow(clippy::cast_precision_loss, reason = "rings are smaller than 2^52")]
fn as_f64(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests;
