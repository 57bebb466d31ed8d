//! The values of one scope on one worker.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use crate::blocks::Counted;
use crate::histogram::Bins;
use crate::{Distribution, Histogram, Sample, StatKind, StatsStore, Unit};

/// The stats of a scope, in the order of their indexes.
pub(crate) struct Names {
    pub(crate) counters: &'static [&'static str],
    pub(crate) gauges: &'static [&'static str],
    pub(crate) histograms: &'static [(&'static str, Unit)],
    pub(crate) zero_counters: &'static [&'static str],
    pub(crate) zero_gauges: &'static [&'static str],
}

/// Names and values of one scope, written by one thread.
pub(crate) struct Block {
    prefix: String,
    names: &'static Names,
    /// Not shown yet.
    hidden: AtomicBool,
    counters: Box<[AtomicU64]>,
    gauges: Box<[GaugeCell]>,
    histograms: Box<[Bins]>,
}

/// A gauge that is back at zero was used all the same.
#[derive(Default)]
struct GaugeCell {
    value: AtomicU64,
    used: AtomicBool,
}

/// A block and the right to write it: not `Sync`, so that there is one writer.
pub(crate) struct Writer {
    block: Arc<Block>,
    _one_writer: PhantomData<Cell<()>>,
}

/// A value that only grows.
#[derive(Clone, Copy)]
pub struct Counter<'a>(Option<&'a AtomicU64>);

/// A value that goes up and down. What one worker adds another may take away: the sum over workers counts.
#[derive(Clone, Copy)]
pub struct Gauge<'a>(Option<&'a GaugeCell>);

// === impl Block ===

impl Block {
    fn new(store: &StatsStore, prefix: String, names: &'static Names, hidden: bool) -> Self {
        let bins = |(name, unit): &(&str, Unit)| Bins::with_tap(store.tap(&format!("{prefix}{name}"), *unit));
        Self {
            histograms: names.histograms.iter().map(bins).collect(),
            counters: names.counters.iter().map(|_| AtomicU64::default()).collect(),
            gauges: names.gauges.iter().map(|_| GaugeCell::default()).collect(),
            names,
            hidden: hidden.into(),
            prefix,
        }
    }
}

impl Counted for Block {
    fn prefix(&self) -> &str {
        &self.prefix
    }

    fn layout(&self) -> usize {
        std::ptr::from_ref(self.names).addr()
    }

    fn absorb(&self, other: &Self) {
        for (own, others) in self.counters.iter().zip(&other.counters) {
            own.fetch_add(others.load(Relaxed), Relaxed);
        }
        self.histograms.iter().zip(&other.histograms).for_each(|(own, others)| own.absorb(others));
        self.hidden.fetch_and(other.hidden.load(Relaxed), Relaxed);
    }

    fn settle(&self) {
        self.gauges.iter().for_each(|gauge| gauge.value.store(0, Relaxed));
    }

    fn read(&self, add: &mut dyn FnMut(&str, Sample)) {
        if self.hidden.load(Relaxed) {
            return;
        }
        let mut name = self.prefix.clone();
        let mut show = |last: &str, kind, value, used| {
            name.truncate(self.prefix.len());
            name.push_str(last);
            add(&name, Sample { kind, value, used });
        };
        for (name, value) in self.names.counters.iter().zip(&self.counters) {
            let value = value.load(Relaxed);
            show(name, StatKind::Counter, value, value != 0);
        }
        for (name, cell) in self.names.gauges.iter().zip(&self.gauges) {
            show(name, StatKind::Gauge, cell.value.load(Relaxed), cell.used.load(Relaxed));
        }
        for (names, kind) in [(self.names.zero_counters, StatKind::Counter), (self.names.zero_gauges, StatKind::Gauge)]
        {
            names.iter().for_each(|name| show(name, kind, 0, false));
        }
    }

    fn read_histograms(&self, add: &mut dyn FnMut(&str, Unit, Distribution)) {
        if self.hidden.load(Relaxed) {
            return;
        }
        for ((name, unit), bins) in self.names.histograms.iter().zip(&self.histograms) {
            add(&format!("{}{name}", self.prefix), *unit, bins.read());
        }
    }
}

// === impl Writer ===

impl Writer {
    pub(crate) fn new(store: &StatsStore, prefix: String, names: &'static Names, hidden: bool) -> Self {
        let block = Arc::new(Block::new(store, prefix, names, hidden));
        store.blocks.register(&block);
        Self { block, _one_writer: PhantomData }
    }

    pub(crate) fn show(&self) {
        self.block.hidden.store(false, Relaxed);
    }

    pub(crate) fn counter(&self, index: usize) -> Counter<'_> {
        Counter(self.block.counters.get(index))
    }

    pub(crate) fn gauge(&self, index: usize) -> Gauge<'_> {
        Gauge(self.block.gauges.get(index))
    }

    pub(crate) fn histogram(&self, index: usize) -> Histogram<'_> {
        Histogram::new(self.block.histograms.get(index))
    }
}

// === impl Counter ===

impl<'a> Counter<'a> {
    pub(crate) fn new(value: Option<&'a AtomicU64>) -> Self {
        Self(value)
    }

    /// Adds one.
    pub fn inc(self) {
        self.add(1);
    }

    /// Adds `count`.
    pub fn add(self, count: u64) {
        if let Some(value) = self.0 {
            // One writer: a load and a store are enough, and cheaper than a locked add.
            value.store(value.load(Relaxed).wrapping_add(count), Relaxed);
        }
    }
}

// === impl Gauge ===

impl Gauge<'_> {
    /// Adds one.
    pub fn inc(self) {
        self.add(1);
    }

    /// Takes one away.
    pub fn dec(self) {
        self.sub(1);
    }

    /// Adds `count`.
    pub fn add(self, count: u64) {
        if let Some(cell) = self.0 {
            self.set(cell.value.load(Relaxed).wrapping_add(count));
        }
    }

    /// Takes `count` away.
    pub fn sub(self, count: u64) {
        self.add(count.wrapping_neg());
    }

    /// Makes `shown`, which is what this gauge holds of something, `now`.
    pub fn change(self, shown: &mut u64, now: usize) {
        let now = now as u64;
        if *shown != now {
            self.add(now.wrapping_sub(*shown));
            *shown = now;
        }
    }

    /// Whether it was ever set.
    #[must_use]
    pub fn is_used(self) -> bool {
        self.0.is_some_and(|cell| cell.used.load(Relaxed))
    }

    /// Sets this worker's share.
    pub fn set(self, to: u64) {
        if let Some(cell) = self.0 {
            cell.value.store(to, Relaxed);
            cell.used.store(true, Relaxed);
        }
    }
}
