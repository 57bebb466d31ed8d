//! Counters and gauges by Envoy's names: one writer each, read by anybody.
//!
//! A worker makes its own block of values for every scope it uses and registers it here; it alone writes it, with
//! plain relaxed stores, so that counting costs no locked instruction and a scrape asks no worker. Blocks of one name
//! are added up when read, and a block whose worker is gone keeps what it counted.

mod block;
mod names;
mod render;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

pub use block::{CodeCounters, Counter, Gauge};
pub use names::{ClusterStats, HttpListenerStats, HttpStats, ListenerStats};
pub use render::{StatsFormat, StatsQuery, StatsQueryError};

use block::Block;

/// What kind of stat a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StatKind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// One value as read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Counter or gauge.
    pub kind: StatKind,
    /// The value now, over all workers.
    pub value: u64,
    /// Whether it was ever written (`usedonly`).
    pub used: bool,
}

/// Something outside the store that has stats to show, such as the Wasm host.
pub type StatsSource = Box<dyn Fn(&mut dyn FnMut(&str, Sample)) + Send + Sync>;

/// All stats of the process.
#[derive(Default)]
pub struct StatsStore {
    blocks: Mutex<Vec<Arc<Block>>>,
    sources: Mutex<Vec<StatsSource>>,
}

impl StatsStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Adds a source that is asked at every read.
    pub fn add_source(&self, source: StatsSource) {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner).push(source);
    }

    /// Every stat by name, in Envoy's order (by name).
    #[must_use]
    pub fn snapshot(&self) -> BTreeMap<String, Sample> {
        let mut all = BTreeMap::new();
        let mut add = |name: &str, sample: Sample| match all.get_mut(name) {
            None => {
                all.insert(name.to_owned(), sample);
            }
            Some(Sample { value, used, .. }) => {
                *value = value.wrapping_add(sample.value);
                *used |= sample.used;
            }
        };
        for block in self.blocks.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            block.read(&mut add);
        }
        for source in self.sources.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            source(&mut add);
        }
        all
    }

    fn register(&self, block: &Arc<Block>) {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(block));
    }
}

#[cfg(test)]
mod tests;
