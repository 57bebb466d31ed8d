//! The values of one scope on one worker.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{Sample, StatKind, StatsStore};

/// Names and values of one scope, written by one thread.
pub(super) struct Block {
    prefix: String,
    names: Names,
    values: Box<[AtomicU64]>,
}

enum Names {
    Fixed(&'static [(&'static str, StatKind)]),
    /// `<prefix>upstream_rq_<code>` and its like, shown once counted: Envoy makes these stats when first used.
    Codes,
}

/// Who asked, as Envoy tells them apart; the place of its codes in a block is its index here.
const ORIGINS: [&str; 2] = ["external", "internal"];
const FIRST_CODE: usize = 100;
/// Codes from 100 to 599; one more value counts all others.
const CODES: usize = 500;

impl Block {
    fn new(prefix: String, names: Names) -> Self {
        let len = match names {
            Names::Fixed(names) => names.len(),
            Names::Codes => ORIGINS.len() * (CODES + 1),
        };
        Self { prefix, names, values: (0..len).map(|_| AtomicU64::new(0)).collect() }
    }

    pub(super) fn read(&self, add: &mut dyn FnMut(&str, Sample)) {
        match self.names {
            Names::Fixed(names) => {
                for ((name, kind), value) in names.iter().zip(&self.values) {
                    let value = value.load(Relaxed);
                    add(&format!("{}{name}", self.prefix), Sample { kind: *kind, value, used: value != 0 });
                }
            }
            Names::Codes => {
                for (origin, values) in ORIGINS.iter().zip(self.values.chunks(CODES + 1)) {
                    self.read_codes(origin, values, add);
                }
            }
        }
    }
}

impl Block {
    /// The codes of one origin, and what follows from them.
    fn read_codes(&self, origin: &str, values: &[AtomicU64], add: &mut dyn FnMut(&str, Sample)) {
        let prefix = &self.prefix;
        let mut show = |name: std::fmt::Arguments<'_>, value| {
            if value != 0 {
                add(&name.to_string(), Sample { kind: StatKind::Counter, value, used: true });
            }
        };
        let mut completed = 0_u64;
        for (class, values) in values.chunks(100).enumerate() {
            let mut total = 0_u64;
            for (index, value) in values.iter().enumerate() {
                let value = value.load(Relaxed);
                total = total.wrapping_add(value);
                if class < CODES / 100 {
                    let code = FIRST_CODE + class * 100 + index;
                    show(format_args!("{prefix}upstream_rq_{code}"), value);
                    show(format_args!("{prefix}{origin}.upstream_rq_{code}"), value);
                }
            }
            completed = completed.wrapping_add(total);
            if class < CODES / 100 {
                show(format_args!("{prefix}{origin}.upstream_rq_{}xx", class + 1), total);
            }
        }
        show(format_args!("{prefix}{origin}.upstream_rq_completed"), completed);
    }
}

/// A block and the right to write it: not `Sync`, so that there is one writer.
pub(super) struct Writer {
    block: Arc<Block>,
    _one_writer: PhantomData<Cell<()>>,
}

impl Writer {
    pub(super) fn new(store: &StatsStore, prefix: String, names: &'static [(&'static str, StatKind)]) -> Self {
        Self::register(store, Block::new(prefix, Names::Fixed(names)))
    }

    fn register(store: &StatsStore, block: Block) -> Self {
        let block = Arc::new(block);
        store.register(&block);
        Self { block, _one_writer: PhantomData }
    }

    pub(super) fn counter(&self, index: usize) -> Counter<'_> {
        Counter(self.block.values.get(index))
    }

    pub(super) fn gauge(&self, index: usize) -> Gauge<'_> {
        Gauge(self.block.values.get(index))
    }
}

/// A value that only grows.
#[derive(Clone, Copy)]
pub struct Counter<'a>(Option<&'a AtomicU64>);

impl Counter<'_> {
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

/// A value that goes up and down. What one worker adds another may take away: the sum over workers counts.
#[derive(Clone, Copy)]
pub struct Gauge<'a>(Option<&'a AtomicU64>);

impl Gauge<'_> {
    /// Adds one.
    pub fn inc(self) {
        Counter(self.0).add(1);
    }

    /// Takes one away.
    pub fn dec(self) {
        Counter(self.0).add(u64::MAX);
    }

    /// Sets this worker's share.
    pub fn set(self, to: u64) {
        if let Some(value) = self.0 {
            value.store(to, Relaxed);
        }
    }
}

/// Responses of a cluster by code and by who asked: `upstream_rq_<code>`, and under `external.` or `internal.` the same with
/// classes (`upstream_rq_2xx`) and their sum (`upstream_rq_completed`).
pub struct CodeCounters(Writer);

impl CodeCounters {
    /// Counters whose names begin with `prefix`; one is listed once it has counted something.
    #[must_use]
    pub fn new(store: &StatsStore, prefix: String) -> Self {
        Self(Writer::register(store, Block::new(prefix, Names::Codes)))
    }

    /// Counts a response; codes below 100 or above 599 only in the sum.
    pub fn inc(&self, code: u32, internal: bool) {
        let index = (code as usize).checked_sub(FIRST_CODE).filter(|index| *index < CODES).unwrap_or(CODES);
        self.0.counter(usize::from(internal) * (CODES + 1) + index).inc();
    }
}
