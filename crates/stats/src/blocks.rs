//! The blocks of all writers, and what becomes of those without one.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Distribution, Sample, Unit};

/// What one writer counts.
pub(crate) trait Counted {
    /// How its names begin: up to a dot.
    fn prefix(&self) -> &str;

    /// Tells those apart that have a prefix in common: blocks of one prefix and layout have the same names.
    fn layout(&self) -> usize;

    /// Takes over what another block of the same names has counted. Gauges are not: what they showed is gone.
    fn absorb(&self, other: &Self);

    /// Nobody writes it any more: nothing is there that gauges could show.
    fn settle(&self) {}

    /// Shows counters and gauges.
    fn read(&self, add: &mut dyn FnMut(&str, Sample));

    /// Shows histograms with all that was recorded here.
    fn read_histograms(&self, _add: &mut dyn FnMut(&str, Unit, Distribution)) {}
}

/// All blocks of a kind.
pub(crate) struct Blocks<T>(Mutex<Registered<T>>);

struct Registered<T> {
    /// The writer of each is the other one who holds it.
    blocks: Vec<Arc<T>>,
    /// How many were left without a writer, if none has come or was removed since.
    settled: Option<usize>,
}

/// The blocks of one name that have no writer.
struct Past<'a, T> {
    /// There is another one with a writer.
    is_written: bool,
    /// The one that has taken over the others.
    kept: Option<&'a T>,
}

// === impl Blocks ===

impl<T> Default for Blocks<T> {
    fn default() -> Self {
        Self(Mutex::new(Registered { blocks: Vec::new(), settled: Some(0) }))
    }
}

impl<T: Counted> Blocks<T> {
    fn locked(&self) -> MutexGuard<'_, Registered<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn register(&self, block: &Arc<T>) {
        let mut registered = self.locked();
        registered.settled = None;
        registered.blocks.push(Arc::clone(block));
    }

    pub(crate) fn read(&self, add: &mut dyn FnMut(&str, Sample)) {
        self.locked().blocks.iter().for_each(|block| block.read(add));
    }

    pub(crate) fn read_histograms(&self, add: &mut dyn FnMut(&str, Unit, Distribution)) {
        self.locked().blocks.iter().for_each(|block| block.read_histograms(add));
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.locked().blocks.len()
    }

    /// Removes blocks, and tells their prefixes.
    pub(crate) fn remove(&self, is_gone: &dyn Fn(&str) -> bool, prefixes: &mut BTreeSet<String>) {
        let mut registered = self.locked();
        registered.settled = None;
        registered.blocks.retain(|block| {
            let gone = is_gone(block.prefix());
            if gone {
                prefixes.insert(block.prefix().to_owned());
            }
            !gone
        });
    }

    /// Makes one block of those of a name that have no writer, as long as there is another one with a writer; removes them
    /// otherwise, and tells their prefixes.
    pub(crate) fn settle(&self, prefixes: &mut BTreeSet<String>) {
        let mut registered = self.locked();
        let Registered { blocks, settled } = &mut *registered;
        // Looked at once: a writer may go at any time.
        let is_past: Vec<_> = blocks.iter().map(|block| Arc::strong_count(block) == 1).collect();
        if *settled == Some(is_past.iter().filter(|is_past| **is_past).count()) {
            return;
        }
        let stays = stays(blocks, &is_past, prefixes);
        *settled = Some(is_past.iter().zip(&stays).filter(|(is_past, stays)| **is_past && **stays).count());
        let mut stays = stays.into_iter();
        blocks.retain(|_| stays.next().unwrap_or(true));
    }
}

/// Which blocks stay; those that do not have been taken over, or their prefixes are told.
fn stays<T: Counted>(blocks: &[Arc<T>], is_past: &[bool], prefixes: &mut BTreeSet<String>) -> Vec<bool> {
    let all = || blocks.iter().map(|block| &**block).zip(is_past);
    let mut past = HashMap::<_, Past<'_, T>>::new();
    for (block, _) in all().filter(|(_, is_past)| **is_past) {
        past.insert((block.prefix(), block.layout()), Past { is_written: false, kept: None });
    }
    for (block, _) in all().filter(|(_, is_past)| !**is_past) {
        if let Some(past) = past.get_mut(&(block.prefix(), block.layout())) {
            past.is_written = true;
        }
    }
    let stays = all().map(|(block, is_past)| {
        let Some(past) = past.get_mut(&(block.prefix(), block.layout())).filter(|_| *is_past) else { return true };
        if !past.is_written {
            prefixes.insert(block.prefix().to_owned());
            return false;
        }
        if let Some(kept) = past.kept {
            kept.absorb(block);
            return false;
        }
        block.settle();
        past.kept = Some(block);
        true
    });
    stays.collect()
}
