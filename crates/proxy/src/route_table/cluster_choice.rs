//! Which cluster a request of a route goes to.

use std::rc::Rc;

use sandgate_http::HeaderMap;

use super::RouteEntry;
use crate::runtime::Runtime;

/// What decides by chance: one number for a stream, so that asking again gives the same answer.
#[derive(Clone, Copy)]
pub(crate) struct Chance<'a> {
    pub(crate) random: u64,
    pub(crate) runtime: &'a Runtime,
}

/// A route's clusters.
#[derive(Debug)]
pub(super) enum ClusterChoice {
    /// There is one, or none is needed.
    Fixed(Rc<RouteEntry>),
    /// The one that a header names.
    Header { name: Box<[u8]>, entry: Rc<RouteEntry> },
    /// One of these.
    Weighted(Weighted),
}

/// Clusters with weights.
#[derive(Debug)]
pub(super) struct Weighted {
    pub(super) clusters: Vec<WeightedEntry>,
    /// The number in this header decides.
    pub(super) header: Option<Box<[u8]>>,
}

#[derive(Debug)]
pub(super) struct WeightedEntry {
    pub(super) weight: u32,
    /// The runtime may have another weight under this name.
    pub(super) runtime_key: Option<String>,
    /// Never [`ClusterChoice::Weighted`].
    pub(super) choice: ClusterChoice,
}

// === impl ClusterChoice ===

impl ClusterChoice {
    /// The route with its cluster. `None` if the weights leave no choice, which only the runtime can bring about.
    pub(super) fn choose(&self, headers: &HeaderMap, chance: Chance<'_>) -> Option<Rc<RouteEntry>> {
        match self {
            Self::Fixed(entry) => Some(Rc::clone(entry)),
            Self::Header { name, entry } => {
                let cluster = headers.get(name).unwrap_or_default();
                Some(Rc::new(entry.with_cluster(&String::from_utf8_lossy(cluster))))
            }
            Self::Weighted(weighted) => weighted.pick(headers, chance)?.choose(headers, chance),
        }
    }
}

// === impl Weighted ===

impl Weighted {
    fn pick(&self, headers: &HeaderMap, chance: Chance<'_>) -> Option<&ClusterChoice> {
        let sum: u64 = self.clusters.iter().map(|cluster| u64::from(cluster.weight(chance.runtime))).sum();
        if sum == 0 || sum > u32::MAX.into() {
            return None;
        }
        let number = self.header.as_ref().and_then(|name| number(headers, name)).unwrap_or(chance.random);
        let mut left = number % sum;
        for cluster in &self.clusters {
            let weight = u64::from(cluster.weight(chance.runtime));
            if left < weight {
                return Some(&cluster.choice);
            }
            left -= weight;
        }
        None
    }
}

// === impl WeightedEntry ===

impl WeightedEntry {
    fn weight(&self, runtime: &Runtime) -> u32 {
        match &self.runtime_key {
            Some(key) => u32::try_from(runtime.integer(key, self.weight.into())).unwrap_or(u32::MAX),
            None => self.weight,
        }
    }
}

/// The number in a header; none if there are several of the name.
fn number(headers: &HeaderMap, name: &[u8]) -> Option<u64> {
    let mut all = headers.get_all(name);
    let value = all.next()?;
    if all.next().is_some() {
        return None;
    }
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}
