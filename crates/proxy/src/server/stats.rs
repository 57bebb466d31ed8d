//! Stats of the process as a whole, named as Envoy 1.40 names them; of those only what is true here.

use std::sync::Arc;
use std::time::Duration;

use crate::lifecycle::{Lifecycle, ServerState};
use crate::runtime::Runtime;
use crate::stats::{Sample, StatKind, StatsStore};

/// What does not change while the server runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers {
    pub(super) concurrency: usize,
    pub(super) listeners: usize,
    pub(super) clusters: usize,
}

/// Shows `server.*`, `listener_manager.*` and `cluster_manager.*`. For a server whose listeners listen: there is no way to
/// add or remove any later.
pub(super) fn add_server_stats(store: &StatsStore, lifecycle: &Arc<Lifecycle>, numbers: Numbers) {
    let lifecycle = Arc::clone(lifecycle);
    store.add_source(Box::new(move |add| {
        let state = lifecycle.state();
        let Numbers { concurrency, listeners, clusters } = numbers;
        let active = if state == ServerState::Draining { 0 } else { listeners };
        for (name, value) in [
            ("server.concurrency", concurrency as u64),
            ("server.live", u64::from(state == ServerState::Live)),
            ("server.state", state as u64),
            ("server.uptime", lifecycle.uptime().as_secs()),
            ("listener_manager.total_listeners_active", active as u64),
            ("listener_manager.workers_started", 1),
            ("cluster_manager.active_clusters", clusters as u64),
            ("cluster_manager.warming_clusters", 0),
        ] {
            add(name, Sample { kind: StatKind::Gauge, value, used: true });
        }
        for (name, value) in [
            ("listener_manager.listener_added", listeners as u64),
            // One listener on one worker is one.
            ("listener_manager.listener_create_success", (listeners * concurrency) as u64),
            ("cluster_manager.cluster_added", clusters as u64),
        ] {
            add(name, Sample { kind: StatKind::Counter, value, used: value != 0 });
        }
    }));
}

/// Merges histograms every `interval`, as long as the thread's tasks run.
pub(super) async fn flush(store: Arc<StatsStore>, interval: Duration) {
    // The shortest interval of Envoy's schema.
    let mut ticks = tokio::time::interval(interval.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        store.merge_histograms();
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
            add(name, Sample { kind: StatKind::Gauge, value, used: true });
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
    use super::*;

    #[test]
    fn values_follow_the_state() {
        let (store, lifecycle) = (StatsStore::new(), Arc::new(Lifecycle::default()));
        add_server_stats(&store, &lifecycle, Numbers { concurrency: 3, listeners: 2, clusters: 5 });
        let values = || {
            let all = store.snapshot();
            ["server.live", "server.state", "listener_manager.total_listeners_active"].map(|name| all[name].value)
        };
        lifecycle.set(ServerState::Live);
        assert_eq!(values(), [1, 0, 2]);
        lifecycle.set(ServerState::Draining);
        assert_eq!(values(), [0, 1, 0]);
        let all = store.snapshot();
        assert_eq!(all["listener_manager.listener_create_success"].value, 6);
        assert_eq!((all["server.concurrency"].value, all["cluster_manager.cluster_added"].value), (3, 5));
    }
}
