//! Responses counted by code, under names that exist once they have counted something.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::{Counter, Sample, StatKind, StatsStore};

/// Responses of a cluster by code and by who asked: `upstream_rq_<code>`, and under `external.` or `internal.` the same with
/// classes (`upstream_rq_2xx`) and their sum (`upstream_rq_completed`).
pub struct CodeCounters {
    block: Arc<CodeBlock>,
    _one_writer: PhantomData<Cell<()>>,
}

/// What the one writer of a [`CodeCounters`] has counted.
pub(crate) struct CodeBlock {
    prefix: String,
    values: Box<[AtomicU64]>,
}

/// Who asked, as Envoy tells them apart; the place of its codes in a block is its index here.
const ORIGINS: [&str; 2] = ["external", "internal"];
const FIRST_CODE: usize = 100;
/// Codes from 100 to 599; one more value counts all others.
const CODES: usize = 500;

// === impl CodeCounters ===

impl CodeCounters {
    /// Counters whose names begin with `prefix`; one is listed once it has counted something.
    #[must_use]
    pub fn new(store: &StatsStore, prefix: String) -> Self {
        let values = (0..ORIGINS.len() * (CODES + 1)).map(|_| AtomicU64::default()).collect();
        let block = Arc::new(CodeBlock { prefix, values });
        store.register_codes(&block);
        Self { block, _one_writer: PhantomData }
    }

    /// Counts a response; codes below 100 or above 599 only in the sum.
    pub fn inc(&self, code: u32, internal: bool) {
        let index = (code as usize).checked_sub(FIRST_CODE).filter(|index| *index < CODES).unwrap_or(CODES);
        Counter::new(self.block.values.get(usize::from(internal) * (CODES + 1) + index)).inc();
    }
}

// === impl CodeBlock ===

impl CodeBlock {
    pub(crate) fn read(&self, add: &mut dyn FnMut(&str, Sample)) {
        for (origin, values) in ORIGINS.iter().zip(self.values.chunks(CODES + 1)) {
            self.read_origin(origin, values, add);
        }
    }

    /// The codes of one origin, and what follows from them.
    fn read_origin(&self, origin: &str, values: &[AtomicU64], add: &mut dyn FnMut(&str, Sample)) {
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
