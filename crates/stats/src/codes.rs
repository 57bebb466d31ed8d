//! Responses by code and their times, under names that exist once they have counted something.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use crate::blocks::Counted;
use crate::histogram::Bins;
use crate::names::scope_name;
use crate::{Counter, Distribution, Histogram, Sample, StatKind, StatsStore, Unit};

/// The responses of a scope: `upstream_rq_<code>`, `upstream_rq_<n>xx`, `upstream_rq_completed` and `upstream_rq_time`.
pub struct CodeStats(CodeWriter);

/// The responses of a cluster: as [`CodeStats`], all of them, and again under `external.` or `internal.` and under
/// `canary.`; those not passed on, because the router tried again, under `retry.`. `upstream_rq_completed` of all is in [`ClusterStats`](crate::ClusterStats).
pub struct ClusterCodeStats(CodeWriter);

struct CodeWriter {
    block: Arc<CodeBlock>,
    _one_writer: PhantomData<Cell<()>>,
}

/// What one writer has counted.
pub(crate) struct CodeBlock {
    prefix: String,
    parts: Box<[Part]>,
}

/// The responses under one prefix. Memory is taken when it is first needed: 800 bytes for each class of codes.
#[derive(Default)]
struct Part {
    name: &'static str,
    /// Whether `upstream_rq_completed` is counted elsewhere.
    partial: bool,
    classes: [OnceLock<Box<[AtomicU64; CLASS]>>; CLASSES],
    /// Codes of no class.
    others: AtomicU64,
    time: Bins,
}

const ALL: usize = 0;
const EXTERNAL: usize = 1;
const INTERNAL: usize = 2;
const CANARY: usize = 3;
const RETRY: usize = 4;

/// Codes from 100 to 599.
const CLASSES: usize = 5;
const CLASS: usize = 100;

// === impl CodeStats ===

impl CodeStats {
    /// Counters whose names begin with `prefix`.
    #[must_use]
    pub fn new(store: &StatsStore, prefix: String) -> Self {
        Self(CodeWriter::new(store, prefix, [Part::default()]))
    }

    /// Counts a response; codes below 100 or above 599 only in the sum.
    pub fn count(&self, code: u32) {
        self.0.count(ALL, code);
    }

    /// Records how long a host took, in milliseconds.
    pub fn time(&self, milliseconds: u64) {
        self.0.time(ALL, milliseconds);
    }
}

// === impl ClusterCodeStats ===

impl ClusterCodeStats {
    /// Counters whose names begin with `cluster.<cluster>.`.
    #[must_use]
    pub fn new(store: &StatsStore, cluster: &str) -> Self {
        let part = |name, partial| Part { name, partial, ..Part::default() };
        let parts = [
            part("", true),
            part("external.", false),
            part("internal.", false),
            part("canary.", false),
            part("retry.", false),
        ];
        Self(CodeWriter::new(store, format!("cluster.{}.", scope_name(cluster)), parts))
    }

    /// Counts a response in the scope of all alone.
    pub fn count_basic(&self, code: u32) {
        self.0.count(ALL, code);
    }

    /// Counts a response that made the router try again, under `retry.` alone.
    pub fn count_retried(&self, code: u32) {
        self.0.count(RETRY, code);
    }

    /// Counts a response; codes below 100 or above 599 only in the sums. `internal` is who asked, `canary` who answered.
    pub fn count(&self, code: u32, internal: bool, canary: bool) {
        self.each(internal, canary, |part| self.0.count(part, code));
    }

    /// The same, but not in the scope of all.
    pub fn count_divided(&self, code: u32, internal: bool, canary: bool) {
        self.each(internal, canary, |part| {
            if part != ALL {
                self.0.count(part, code);
            }
        });
    }

    /// Records how long a host took, in milliseconds.
    pub fn time(&self, milliseconds: u64, internal: bool, canary: bool) {
        self.each(internal, canary, |part| self.0.time(part, milliseconds));
    }

    fn each(&self, internal: bool, canary: bool, act: impl Fn(usize)) {
        act(ALL);
        act(if internal { INTERNAL } else { EXTERNAL });
        if canary {
            act(CANARY);
        }
    }
}

// === impl CodeWriter ===

impl CodeWriter {
    fn new(store: &StatsStore, prefix: String, parts: impl Into<Box<[Part]>>) -> Self {
        let mut parts = parts.into();
        for part in &mut parts {
            let name = format!("{prefix}{}upstream_rq_time", part.name);
            part.time = Bins::with_tap(store.tap(&name, Unit::Milliseconds));
        }
        let block = Arc::new(CodeBlock { prefix, parts });
        store.codes.register(&block);
        Self { block, _one_writer: PhantomData }
    }

    fn count(&self, part: usize, code: u32) {
        let Some(part) = self.block.parts.get(part) else { return };
        let code = code as usize;
        let class = (code / CLASS).checked_sub(1).and_then(|class| part.classes.get(class));
        let counts = class.map(|class| class.get_or_init(|| Box::new(std::array::from_fn(|_| AtomicU64::new(0)))));
        Counter::new(counts.map_or(Some(&part.others), |counts| counts.get(code % CLASS))).inc();
    }

    fn time(&self, part: usize, milliseconds: u64) {
        Histogram::new(self.block.parts.get(part).map(|part| &part.time)).record(milliseconds);
    }
}

// === impl CodeBlock ===

impl CodeBlock {
    fn read_part(&self, part: &Part, add: &mut dyn FnMut(&str, Sample)) {
        let prefix = format_args!("{}{}upstream_rq_", self.prefix, part.name);
        let mut show = |name: std::fmt::Arguments<'_>, value| {
            if value != 0 {
                add(&name.to_string(), Sample { kind: StatKind::Counter, value, used: true });
            }
        };
        let mut completed = part.others.load(Relaxed);
        for (class, counts) in (1..).zip(&part.classes) {
            let Some(counts) = counts.get() else { continue };
            let mut total = 0_u64;
            for (index, count) in counts.iter().enumerate() {
                let count = count.load(Relaxed);
                total = total.wrapping_add(count);
                show(format_args!("{prefix}{class}{index:02}"), count);
            }
            show(format_args!("{prefix}{class}xx"), total);
            completed = completed.wrapping_add(total);
        }
        if !part.partial {
            show(format_args!("{prefix}completed"), completed);
        }
    }
}

impl Counted for CodeBlock {
    fn prefix(&self) -> &str {
        &self.prefix
    }

    fn layout(&self) -> usize {
        self.parts.len()
    }

    fn absorb(&self, other: &Self) {
        for (own, others) in self.parts.iter().zip(&other.parts) {
            own.others.fetch_add(others.others.load(Relaxed), Relaxed);
            own.time.absorb(&others.time);
            for (own, others) in own.classes.iter().zip(&others.classes) {
                let Some(others) = others.get() else { continue };
                let own = own.get_or_init(|| Box::new(std::array::from_fn(|_| AtomicU64::new(0))));
                for (own, others) in own.iter().zip(others.iter()) {
                    own.fetch_add(others.load(Relaxed), Relaxed);
                }
            }
        }
    }

    fn read(&self, add: &mut dyn FnMut(&str, Sample)) {
        for part in &self.parts {
            self.read_part(part, add);
        }
    }

    fn read_histograms(&self, add: &mut dyn FnMut(&str, Unit, Distribution)) {
        for part in &self.parts {
            let times = part.time.read();
            if !times.is_empty() {
                add(&format!("{}{}upstream_rq_time", self.prefix, part.name), Unit::Milliseconds, times);
            }
        }
    }
}
