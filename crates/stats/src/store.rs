//! Where everything that counts is registered and read.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::block::Block;
use crate::blocks::Blocks;
use crate::codes::CodeBlock;
use crate::names::SslNamesBlock;
use crate::sampling::{FlushedStat, SinkMessage, Tap};
use crate::text::TextReadouts;
use crate::{Distribution, HistogramSample, NameMatcher, Sample, SinkSender, StatKind, StatsSettings, Unit};

/// Something outside the store that has stats to show, such as the Wasm host.
pub type StatsSource = Box<dyn Fn(&mut dyn FnMut(&str, Sample)) + Send + Sync>;

/// The same of histograms: what was recorded since the start.
pub type HistogramSource = Box<dyn Fn(&mut dyn FnMut(&str, Unit, Distribution)) + Send + Sync>;

struct Source {
    read: StatsSource,
    /// Whether there is still something to show; `None`: always.
    is_there: Option<Box<dyn Fn() -> bool + Send + Sync>>,
}

/// All stats of the process.
#[derive(Default)]
pub struct StatsStore {
    pub(crate) blocks: Blocks<Block>,
    pub(crate) codes: Blocks<CodeBlock>,
    pub(crate) ssl_names: Blocks<SslNamesBlock>,
    sources: Mutex<Vec<Source>>,
    histogram_sources: Mutex<Vec<HistogramSource>>,
    sums: Mutex<Vec<(&'static str, NameMatcher)>>,
    histograms: Mutex<BTreeMap<String, HistogramSample>>,
    settings: OnceLock<StatsSettings>,
    /// What counters had counted when they were last reset; workers alone write them.
    reset_at: Mutex<BTreeMap<String, u64>>,
    /// What counters had counted when they were last sent.
    flushed_at: Mutex<BTreeMap<String, u64>>,
    sinks: OnceLock<SinkSender>,
    lost_flushes: AtomicU64,
    pub(crate) texts: TextReadouts,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl StatsStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Adds a source that is asked at every read.
    pub fn add_source(&self, source: StatsSource) {
        locked(&self.sources).push(Source { read: source, is_there: None });
    }

    /// Adds a source that is asked as long as `owner` is there.
    pub fn add_source_of<T: Send + Sync + 'static>(
        &self,
        owner: &Arc<T>,
        read: impl Fn(&T, &mut dyn FnMut(&str, Sample)) + Send + Sync + 'static,
    ) {
        let (owner, other) = (Arc::downgrade(owner), Arc::downgrade(owner));
        let read: StatsSource = Box::new(move |add| {
            if let Some(owner) = owner.upgrade() {
                read(&owner, add);
            }
        });
        let is_there = Some(Box::new(move || other.strong_count() > 0) as _);
        locked(&self.sources).push(Source { read, is_there });
    }

    /// Adds a source of histograms that is asked at every merge.
    pub fn add_histogram_source(&self, source: HistogramSource) {
        locked(&self.histogram_sources).push(source);
    }

    /// Adds a gauge that is the sum of others.
    pub fn add_sum(&self, name: &'static str, of: NameMatcher) {
        locked(&self.sums).push((name, of));
    }

    /// Says which stats there are and how they are shown. Only the first call counts.
    pub fn configure(&self, settings: StatsSettings) {
        let _ = self.settings.set(settings);
    }

    /// Sends every value of every histogram that is registered from now on, and everything at a
    /// [`send`](Self::send). Only the first call counts.
    pub fn send_to(&self, to: SinkSender) {
        let _ = self.sinks.set(to);
    }

    pub(crate) fn tap(&self, name: &str, unit: Unit) -> Option<Tap> {
        let sender = self.sinks.get().filter(|_| !self.settings().rejects(name))?;
        Some(Tap::new(name, unit, sender))
    }

    /// Whether what is flushed is sent to somebody.
    #[must_use]
    pub fn sends(&self) -> bool {
        self.sinks.get().is_some()
    }

    /// The stats that were ever used, for all sinks there are; what counters have counted since begins anew with each call.
    pub fn latch(&self) -> Vec<FlushedStat> {
        let mut flushed_at = locked(&self.flushed_at);
        let used = self.read().into_iter().filter(|(_, sample)| sample.used);
        let reset_at = locked(&self.reset_at);
        let latched = used.map(|(name, Sample { kind, value, .. })| {
            if kind == StatKind::Gauge {
                return FlushedStat { name, kind, value, added: 0 };
            }
            let before = flushed_at.insert(name.clone(), value).unwrap_or_default();
            let reset = reset_at.get(&name).copied().unwrap_or_default();
            FlushedStat { name, kind, value: value.wrapping_sub(reset), added: value.wrapping_sub(before) }
        });
        latched.collect()
    }

    /// Sends what was latched, if there is somebody to send it to.
    pub fn send(&self, latched: Vec<FlushedStat>) {
        let Some(sinks) = self.sinks.get() else { return };
        if sinks.try_send(SinkMessage::Flush(latched)).is_err() {
            self.lost_flushes.fetch_add(1, Relaxed);
        }
    }

    /// Flushes that the sinks had no room for.
    #[must_use]
    pub fn lost_flushes(&self) -> u64 {
        self.lost_flushes.load(Relaxed)
    }

    /// What [`configure`](Self::configure) said.
    #[must_use]
    pub fn settings(&self) -> &StatsSettings {
        self.settings.get_or_init(StatsSettings::default)
    }

    /// Makes every counter zero. Those that were used count as used (as in Envoy).
    pub fn reset_counters(&self) {
        let counters = self.read().into_iter().filter(|(_, sample)| sample.kind == StatKind::Counter);
        *locked(&self.reset_at) = counters.map(|(name, sample)| (name, sample.value)).collect();
    }

    /// Every counter and gauge by name, in Envoy's order (by name).
    #[must_use]
    pub fn snapshot(&self) -> BTreeMap<String, Sample> {
        let mut all = self.read();
        for (name, before) in locked(&self.reset_at).iter() {
            if let Some(sample) = all.get_mut(name) {
                sample.value = sample.value.wrapping_sub(*before);
            }
        }
        all
    }

    /// The same, as if nothing was ever reset.
    fn read(&self) -> BTreeMap<String, Sample> {
        let mut all = BTreeMap::new();
        let settings = self.settings();
        let mut add = |name: &str, sample: Sample| match all.get_mut(name) {
            None if settings.rejects(name) => {}
            None => {
                all.insert(name.to_owned(), sample);
            }
            Some(Sample { value, used, .. }) => {
                *value = value.wrapping_add(sample.value);
                *used |= sample.used;
            }
        };
        self.blocks.read(&mut add);
        self.codes.read(&mut add);
        self.ssl_names.read(&mut add);
        for source in locked(&self.sources).iter() {
            (source.read)(&mut add);
        }
        for (name, is_part) in locked(&self.sums).iter() {
            let parts = all.iter().filter(|(name, _)| is_part(name)).map(|(_, sample)| sample);
            let value = parts.fold(0_u64, |total, sample| total.wrapping_add(sample.value));
            if !settings.rejects(name) {
                all.insert((*name).to_owned(), Sample { kind: StatKind::Gauge, value, used: true });
            }
        }
        all
    }

    /// Every histogram by name, as of the last merge.
    #[must_use]
    pub fn histograms(&self) -> BTreeMap<String, HistogramSample> {
        let mut all = locked(&self.histograms).clone();
        // Histograms made since then have no values yet.
        self.read_histograms(&mut |name, unit, _| {
            if !all.contains_key(name) && !self.settings().rejects(name) {
                all.insert(name.to_owned(), HistogramSample { unit, ..HistogramSample::default() });
            }
        });
        all
    }

    fn read_histograms(&self, add: &mut dyn FnMut(&str, Unit, Distribution)) {
        self.blocks.read_histograms(add);
        self.codes.read_histograms(add);
        for source in locked(&self.histogram_sources).iter() {
            source(add);
        }
    }

    /// Takes over what workers have recorded. The server calls it once in `stats_flush_interval`, which makes the interval
    /// that histograms show; until the first call they show nothing (as in Envoy).
    pub fn merge_histograms(&self) {
        let mut now = BTreeMap::<String, HistogramSample>::new();
        self.read_histograms(&mut |name, unit, recorded| {
            if self.settings().rejects(name) {
                return;
            }
            let sample = now.entry(name.to_owned()).or_default();
            sample.unit = unit;
            sample.cumulative.add(&recorded);
        });
        let mut before = locked(&self.histograms);
        for (name, sample) in &mut now {
            let old = before.get(name);
            sample.interval =
                old.map_or_else(|| sample.cumulative.clone(), |old| sample.cumulative.since(&old.cumulative));
            sample.used = sample.cumulative.count() != 0;
        }
        *before = now;
    }

    /// Forgets the scopes whose names fit, with everything they have counted: what they belong to is gone for good. What writers
    /// of them that are left still count is not seen by anybody.
    pub fn remove_scopes(&self, is_gone: &dyn Fn(&str) -> bool) {
        let mut prefixes = BTreeSet::new();
        self.blocks.remove(is_gone, &mut prefixes);
        self.codes.remove(is_gone, &mut prefixes);
        self.ssl_names.remove(is_gone, &mut prefixes);
        self.forget(&prefixes);
    }

    /// Sees to what those have counted that write no more, which takes room: it is put together as long as somebody else
    /// writes a scope of that name, whose counters so go on when what they belong to is replaced, and is forgotten otherwise.
    /// The server calls it after each flush. Scopes live as long as in Envoy (observed in 1.40): `http.<stat_prefix>.` goes with
    /// the last listener that has it.
    pub fn settle(&self) {
        let mut prefixes = BTreeSet::new();
        self.blocks.settle(&mut prefixes);
        self.codes.settle(&mut prefixes);
        self.ssl_names.settle(&mut prefixes);
        locked(&self.sources).retain(|source| source.is_there.as_ref().is_none_or(|is_there| is_there()));
        self.forget(&prefixes);
    }

    /// Should names with these prefixes come back, they begin at zero.
    fn forget(&self, prefixes: &BTreeSet<String>) {
        if prefixes.is_empty() {
            return;
        }
        // A scope may have names that begin as those of another.
        let left = LazyCell::new(|| self.read());
        for counted in [&self.reset_at, &self.flushed_at] {
            let gone = |name: &str| has_prefix(name, prefixes) && !left.contains_key(name);
            let names: Vec<_> = locked(counted).keys().filter(|name| gone(name)).cloned().collect();
            let mut counted = locked(counted);
            for name in names {
                counted.remove(&name);
            }
        }
    }
}

/// Whether a name begins with one of these, each of which ends with a dot or is empty.
fn has_prefix(name: &str, prefixes: &BTreeSet<String>) -> bool {
    let dots = name.match_indices('.').map(|(at, _)| at + 1);
    std::iter::once(0).chain(dots).filter_map(|end| name.get(..end)).any(|start| prefixes.contains(start))
}
