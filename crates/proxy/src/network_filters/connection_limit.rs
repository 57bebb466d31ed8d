//! `envoy.filters.network.connection_limit`: closes connections of which there are too many.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::BytesMut;
use sandgate_config::model;

use super::delay::DelayedClose;
use crate::network::{
    CloseType, ConnectionEvent, NetworkCallbacks, NetworkFilter, NetworkFilterFactory, NetworkStatus,
};
use crate::runtime::Runtime;
use crate::stats::{ConnectionLimitStats, StatsStore};

/// In logs.
const REASON: &str = "over_connection_limit";

/// How many connections each filter of this kind has, on all workers, by where it stands: listener, chain, filter.
#[derive(Debug, Default)]
pub(crate) struct ConnectionCounts(Mutex<HashMap<(usize, usize, usize), Weak<AtomicU64>>>);

/// What the filters of one entry share on a worker.
struct Settings {
    config: model::ConnectionLimit,
    stats: ConnectionLimitStats,
    open: Arc<AtomicU64>,
    runtime: Arc<Runtime>,
}

/// The filter of one connection.
pub(crate) struct ConnectionLimitFilter {
    settings: Rc<Settings>,
    callbacks: NetworkCallbacks,
    counted: bool,
    rejected: bool,
    delay: Option<DelayedClose>,
}

// === impl ConnectionCounts ===

impl ConnectionCounts {
    fn of(&self, place: (usize, usize, usize)) -> Arc<AtomicU64> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get(&place).and_then(Weak::upgrade) {
            return count;
        }
        // Listeners come and go.
        counts.retain(|_, count| count.strong_count() > 0);
        let count = Arc::default();
        counts.insert(place, Arc::downgrade(&count));
        count
    }
}

// === impl ConnectionLimitFilter ===

impl ConnectionLimitFilter {
    /// What makes filters on one worker for the entry at that place.
    pub(crate) fn factory(
        config: &model::ConnectionLimit,
        (counts, place): (&ConnectionCounts, (usize, usize, usize)),
        runtime: &Arc<Runtime>,
        store: &StatsStore,
    ) -> NetworkFilterFactory {
        let settings = Rc::new(Settings {
            config: config.clone(),
            stats: ConnectionLimitStats::new(store, &config.stat_prefix),
            open: counts.of(place),
            runtime: Arc::clone(runtime),
        });
        Box::new(move |callbacks| {
            let settings = Rc::clone(&settings);
            Box::new(Self { settings, callbacks, counted: false, rejected: false, delay: None })
        })
    }
}

impl NetworkFilter for ConnectionLimitFilter {
    fn on_new_connection(&mut self) -> NetworkStatus {
        let Settings { config, stats, open, runtime } = &*self.settings;
        if !runtime.flag(&config.enabled) {
            return NetworkStatus::Continue;
        }
        self.counted = true;
        stats.active_connections().inc();
        if open.fetch_add(1, Relaxed) < config.max_connections {
            return NetworkStatus::Continue;
        }
        stats.limited_connections().inc();
        self.rejected = true;
        let connection = self.callbacks.connection();
        match config.delay {
            Some(delay) => self.delay = Some(DelayedClose::start(connection, delay, REASON)),
            None => connection.close(CloseType::NoFlush, REASON),
        }
        NetworkStatus::Stop
    }

    fn on_data(&mut self, _: &mut BytesMut, _: bool) -> NetworkStatus {
        if self.rejected { NetworkStatus::Stop } else { NetworkStatus::Continue }
    }

    fn on_event(&mut self, event: ConnectionEvent) {
        if event == ConnectionEvent::Connected || !std::mem::take(&mut self.counted) {
            return;
        }
        self.delay = None;
        self.settings.open.fetch_sub(1, Relaxed);
        self.settings.stats.active_connections().dec();
    }
}
