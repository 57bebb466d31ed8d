//! Stats of the process as a whole, named as Envoy 1.40 names them.

use std::sync::Arc;
use std::time::Duration;

use sandgate_config::model::{self, HistogramBucketSettings, StatsConfig, StatsMatcher};
use sandgate_host::{Host, Stat};
use sandgate_matcher::StringMatcher;

use super::listeners::ListenerCounts;
use crate::cluster::{ClusterTable, add_cluster_counts};
use crate::lifecycle::{Lifecycle, ServerState};
use crate::memory::resident_bytes;
use crate::runtime::Runtime;
use crate::stats::{
    Distribution, NameMatcher, Sample, SharedHistogram, StatKind, StatsSettings, StatsStore, TagProducer, Unit,
    milliseconds,
};

/// What does not change while the server runs.
#[derive(Clone, Debug)]
pub(super) struct Numbers {
    pub(super) concurrency: usize,
    pub(super) listeners: Arc<ListenerCounts>,
    pub(super) clusters: Arc<ClusterTable>,
    /// What `server.version` shows; there is no other number to show.
    pub(super) version: u64,
}

/// Shows the stats of the process: `server.*`, `listener_manager.*`, `cluster_manager.*`, and those of parts of Envoy that
/// have nothing to count here.
pub(super) fn add_server_stats(store: &Arc<StatsStore>, lifecycle: &Arc<Lifecycle>, numbers: Numbers) {
    add_cluster_counts(store, &numbers.clusters);
    store.add_sum("server.total_connections", Box::new(is_connections_of_a_listener));
    let lifecycle = Arc::clone(lifecycle);
    let own = Arc::downgrade(store);
    store.add_source(Box::new(move |add| {
        let mut gauge = |name: &str, value| add(name, Sample { kind: StatKind::Gauge, value, used: true });
        server_gauges(&lifecycle, &numbers, &mut gauge);
        let (concurrency, (clusters, _)) = (numbers.concurrency, numbers.clusters.numbers());
        for thread in threads(concurrency) {
            gauge(&format!("thread_local_cluster_manager.{thread}.clusters_inflated"), clusters as u64);
        }
        let mut counter = |name: &str, value| add(name, Sample { kind: StatKind::Counter, value, used: value != 0 });
        counter("server.dropped_stat_flushes", own.upgrade().map_or(0, |store| store.lost_flushes()));
        counter("listener_manager.listener_stopped", lifecycle.stopped_listeners());
        for name in ZERO_COUNTERS {
            counter(name, 0);
        }
        let groups = ["main_thread".to_owned(), "workers".to_owned()];
        let each = threads(concurrency).map(|thread| format!("server.{thread}"));
        for who in groups.into_iter().chain(each) {
            counter(&format!("{who}.watchdog_miss"), 0);
            counter(&format!("{who}.watchdog_mega_miss"), 0);
        }
        for name in ["dynamic_unknown_fields", "static_unknown_fields", "wip_protos"] {
            add(&format!("server.{name}"), Sample { kind: StatKind::Counter, value: 0, used: true });
        }
        numbers.listeners.show(add);
        for name in ZERO_GAUGES {
            add(name, Sample { kind: StatKind::Gauge, value: 0, used: false });
        }
    }));
}

/// Whether a stat counts the connections of a listener over all threads.
fn is_connections_of_a_listener(name: &str) -> bool {
    let listener = name.strip_prefix("listener.").and_then(|rest| rest.strip_suffix(".downstream_cx_active"));
    listener
        .is_some_and(|listener| listener != "admin" && !listener.contains(".worker_") && !listener.ends_with("_thread"))
}

fn threads(concurrency: usize) -> impl Iterator<Item = String> {
    std::iter::once("main_thread".to_owned()).chain((0..concurrency).map(|index| format!("worker_{index}")))
}

fn server_gauges(lifecycle: &Lifecycle, numbers: &Numbers, gauge: &mut dyn FnMut(&str, u64)) {
    let state = lifecycle.state();
    let memory = resident_bytes();
    for (name, value) in [
        ("server.compilation_settings.fips_mode", 0),
        ("server.concurrency", numbers.concurrency as u64),
        // There are no certificates: what Envoy shows then.
        ("server.days_until_first_cert_expiring", u32::MAX.into()),
        ("server.hot_restart_epoch", 0),
        ("server.hot_restart_generation", 1),
        ("server.live", u64::from(state == ServerState::Live)),
        ("server.memory_allocated", memory),
        ("server.memory_heap_size", memory),
        ("server.memory_physical_size", memory),
        ("server.parent_connections", 0),
        ("server.state", state as u64),
        ("server.stats_recent_lookups", 0),
        ("server.uptime", lifecycle.uptime().as_secs()),
        ("server.version", numbers.version),
        (
            "listener_manager.workers_started",
            u64::from(!matches!(state, ServerState::PreInitializing | ServerState::Initializing)),
        ),
    ] {
        gauge(name, value);
    }
}

/// Counters that Envoy has from the start and that nothing here counts.
const ZERO_COUNTERS: &[&str] = &[
    "envoy.overload_actions.reset_high_memory_stream.count",
    // Of log files; counted where they are written.
    "filesystem.flushed_by_timer",
    "filesystem.reopen_failed",
    "filesystem.write_buffered",
    "filesystem.write_completed",
    "filesystem.write_failed",
    "http.async-client.no_cluster",
    "http.async-client.no_route",
    "http.async-client.passthrough_internal_redirect_bad_location",
    "http.async-client.passthrough_internal_redirect_no_route",
    "http.async-client.passthrough_internal_redirect_predicate",
    "http.async-client.passthrough_internal_redirect_too_many_redirects",
    "http.async-client.passthrough_internal_redirect_unsafe_scheme",
    "http.async-client.rq_direct_response",
    "http.async-client.rq_overload_local_reply",
    "http.async-client.rq_redirect",
    "http.async-client.rq_reset_after_downstream_response_started",
    "http.async-client.rq_total",
    "server.debug_assertion_failures",
    "server.envoy_bug_failures",
    "server.envoy_notifications",
];

/// The same of gauges.
const ZERO_GAUGES: &[&str] = &[
    "filesystem.write_total_buffered",
    "listener_manager.workers_pinned",
    "server.seconds_until_first_ocsp_response_expiring",
];

/// Shows how long the start took, and histograms that Envoy has and that never get a value here.
pub(super) fn add_start_time(store: &StatsStore, took: Duration) {
    let time = SharedHistogram::default();
    time.record(milliseconds(took));
    store.add_histogram_source(Box::new(move |add| {
        add("server.initialization_time_ms", Unit::Milliseconds, time.read());
        add("overload.refresh_interval_delay", Unit::Milliseconds, Distribution::default());
    }));
}

/// Shows the host's stats among the others.
pub(super) fn add_host_stats(store: &StatsStore, host: &Arc<Host>) {
    let plain = Arc::clone(host);
    store.add_source(Box::new(move |add| {
        plain.visit_stats(&mut |name, stat| {
            let (kind, value) = match stat {
                Stat::Counter(value) => (StatKind::Counter, value),
                Stat::Gauge(value) => (StatKind::Gauge, value),
                _ => return,
            };
            add(name, Sample { kind, value, used: value != 0 });
        });
    }));
    let host = Arc::clone(host);
    store.add_histogram_source(Box::new(move |add| {
        host.visit_stats(&mut |name, stat| {
            if let Stat::Histogram(recorded) = stat {
                add(name, Unit::Unspecified, recorded);
            }
        });
    }));
}

/// What a configuration says of stats, ready for use.
pub(super) fn settings(config: &StatsConfig) -> StatsSettings {
    let any = |patterns: &[model::StringMatcher]| {
        let patterns: Vec<_> = patterns.iter().map(StringMatcher::new).collect();
        move |name: &str| patterns.iter().any(|pattern| pattern.matches(name.as_bytes()))
    };
    let rejects: Option<NameMatcher> = match &config.matcher {
        StatsMatcher::All => None,
        StatsMatcher::RejectAll => Some(Box::new(|_| true)),
        StatsMatcher::Exclusion(patterns) => Some(Box::new(any(patterns))),
        StatsMatcher::Inclusion(patterns) => {
            let wanted = any(patterns);
            Some(Box::new(move |name| !wanted(name)))
        }
    };
    let buckets = |settings: &HistogramBucketSettings| -> (NameMatcher, Vec<f64>) {
        (Box::new(any(std::slice::from_ref(&settings.matcher))), settings.buckets.clone())
    };
    let tags = TagProducer::new(config.use_all_default_tags, config.allow_default_tag_overrides, &config.tags);
    StatsSettings {
        // The configuration was refused otherwise.
        tags: tags.unwrap_or_default(),
        rejects,
        histogram_buckets: config.histogram_buckets.iter().map(buckets).collect(),
    }
}

/// Shows `runtime.*`.
pub(super) fn add_runtime_stats(store: &StatsStore, runtime: &Arc<Runtime>) {
    let runtime = Arc::clone(runtime);
    store.add_source(Box::new(move |add| {
        let view = runtime.view();
        for (name, value) in [
            ("runtime.admin_overrides_active", u64::from(view.admin_overrides)),
            ("runtime.deprecated_feature_seen_since_process_start", 0),
            ("runtime.num_keys", view.entries.len() as u64),
            ("runtime.num_layers", view.layers.len() as u64),
        ] {
            // Of the two that nothing has ever set, Envoy does not say that they are used.
            let used = value != 0 || name.starts_with("runtime.num_");
            add(name, Sample { kind: StatKind::Gauge, value, used });
        }
        for (name, value) in [
            ("runtime.deprecated_feature_use", 0),
            ("runtime.load_error", 0),
            ("runtime.load_success", view.loads),
            ("runtime.override_dir_exists", 0),
            ("runtime.override_dir_not_exists", view.loads),
        ] {
            add(name, Sample { kind: StatKind::Counter, value, used: value != 0 });
        }
    }));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn values_follow_the_state() {
        let (store, lifecycle) = (StatsStore::new(), Arc::new(Lifecycle::default()));
        let listeners = Arc::<ListenerCounts>::default();
        listeners.set_active(2);
        let clusters = (0..5).map(|number| model::Cluster::new(number.to_string())).collect();
        let clusters = ClusterTable::new(clusters, &Arc::default()).unwrap();
        let numbers = Numbers { concurrency: 3, listeners: Arc::clone(&listeners), clusters, version: 7 };
        add_server_stats(&store, &lifecycle, numbers);
        let values = || {
            let all = store.snapshot();
            ["server.live", "server.state", "listener_manager.total_listeners_active"].map(|name| all[name].value)
        };
        lifecycle.set(ServerState::Live);
        assert_eq!(values(), [1, 0, 2]);
        listeners.set_active(3);
        lifecycle.set(ServerState::Draining);
        assert_eq!(values(), [0, 1, 3]);
        let all = store.snapshot();
        assert_eq!((all["server.concurrency"].value, all["cluster_manager.cluster_added"].value), (3, 5));
    }
}
