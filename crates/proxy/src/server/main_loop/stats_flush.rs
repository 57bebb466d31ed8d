//! Stats on their way to sinks: those of other processes, and plugins on the main thread.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use sandgate_config::model::Bootstrap;
use sandgate_host::{PluginHandle, UpdatedStat};

use super::super::StartError;
use super::super::plugins::{Place, Running};
use crate::cluster::ClusterTable;
use crate::stats::{FlushedStat, StatKind, StatsStore};
use crate::stats_sinks::{self, HostLookup};

/// How often scopes that are gone are looked for where nothing is flushed unasked: as often as stats are flushed by default.
const SETTLE_INTERVAL: Duration = Duration::from_secs(5);

/// Flushes stats.
pub(super) struct StatsFlusher {
    store: Arc<StatsStore>,
    /// In the order of the configuration.
    plugins: Vec<Rc<PluginHandle>>,
    /// Threads end, and what they have counted stays.
    ending: Cell<bool>,
}

/// Starts the thread that sends stats away, if somebody wants them.
pub(super) fn start_sinks(
    bootstrap: &Bootstrap,
    store: &StatsStore,
    clusters: &Arc<ClusterTable>,
) -> Result<(), StartError> {
    let clusters = Arc::clone(clusters);
    let hosts: HostLookup = Arc::new(move |name| {
        let entry = clusters.active(name)?;
        Some((entry.hosts().hosts.first()?.address(), entry.config.connect_timeout))
    });
    stats_sinks::start(&bootstrap.stats_sinks, store, &hosts).map_err(StartError::Thread)
}

// === impl StatsFlusher ===

impl StatsFlusher {
    pub(super) fn new(bootstrap: &Bootstrap, store: &Arc<StatsStore>, running: &Running) -> Rc<Self> {
        let places = (0..bootstrap.stats_sinks.len()).map(Place::StatsSink);
        let plugins = places.filter_map(|place| running.get(place).cloned()).collect();
        Rc::new(Self { store: Arc::clone(store), plugins, ending: Cell::default() })
    }

    /// Tells every sink, and then sees to the stats of what is gone.
    pub(super) fn flush(&self) {
        self.tell();
        self.settle();
    }

    /// The server ends: what goes now was not taken out of the configuration.
    pub(super) fn end(&self) {
        self.ending.set(true);
    }

    fn settle(&self) {
        if !self.ending.get() {
            self.store.settle();
        }
    }

    fn tells_nobody(&self) -> bool {
        self.plugins.is_empty() && !self.store.sends()
    }

    fn tell(&self) {
        if self.tells_nobody() {
            return;
        }
        let stats = self.store.latch();
        if !self.plugins.is_empty() {
            let updated: Vec<_> = stats.iter().map(updated).collect();
            self.plugins.iter().for_each(|plugin| plugin.stats_update(&updated));
        }
        self.store.send(stats);
    }

    /// Merges histograms and flushes every `interval`, as long as the thread's tasks run.
    pub(super) async fn keep_flushing(self: Rc<Self>, interval: Duration) {
        // The shortest interval of Envoy's schema.
        every(interval.max(Duration::from_millis(1)), || {
            self.store.merge_histograms();
            self.flush();
        })
        .await;
    }

    /// Where flushes have to be asked for: forgets what is gone all the same, if no sink has to hear of it first.
    pub(super) async fn keep_settling(self: Rc<Self>) {
        if self.tells_nobody() {
            every(SETTLE_INTERVAL, || self.settle()).await;
        }
    }
}

async fn every(interval: Duration, act: impl Fn()) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        act();
    }
}

fn updated(stat: &FlushedStat) -> UpdatedStat<'_> {
    match stat.kind {
        StatKind::Counter => UpdatedStat::Counter { name: &stat.name, value: stat.value, delta: stat.added },
        StatKind::Gauge => UpdatedStat::Gauge { name: &stat.name, value: stat.value },
    }
}
