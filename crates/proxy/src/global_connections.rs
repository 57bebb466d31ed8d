//! The connections of all clients on all workers, and how many there may be.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use sandgate_config::model::GlobalConnectionLimit;

use crate::runtime::Runtime;
use crate::stats::{Sample, StatKind, StatsStore};

/// The limit where the overload manager knows none. Envoy calls it deprecated; control planes set it.
const RUNTIME_KEY: &str = "overload.global_downstream_max_connections";
/// In the names of stats.
const MONITOR: &str = "overload.envoy.resource_monitors.global_downstream_max_connections";

/// What is counted of connections.
#[derive(Debug)]
pub(crate) struct GlobalConnections {
    /// Of the overload manager.
    max: Option<u64>,
    runtime: Arc<Runtime>,
    all: AtomicU64,
    /// Those that `max` is for.
    limited: AtomicU64,
    refused: AtomicU64,
}

/// What a listener asks before it takes a connection.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionGate {
    connections: Arc<GlobalConnections>,
    limit: GlobalConnectionLimit,
}

/// A connection that was let in. It counts until it is dropped.
#[derive(Debug)]
pub(crate) struct CountedConnection {
    connections: Arc<GlobalConnections>,
    is_limited: bool,
}

// === impl GlobalConnections ===

impl GlobalConnections {
    pub(crate) fn new(max: Option<u64>, runtime: &Arc<Runtime>, store: &StatsStore) -> Arc<Self> {
        let connections = Arc::new(Self {
            max,
            runtime: Arc::clone(runtime),
            all: AtomicU64::new(0),
            limited: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        });
        if max.is_some() {
            store.add_source_of(&connections, |connections, add| {
                let value = connections.refused.load(Relaxed);
                let kind = StatKind::Counter;
                add(&format!("{MONITOR}.failed_updates"), Sample { kind, value, used: value != 0 });
                // Zero however many there are (observed in Envoy 1.40).
                add(&format!("{MONITOR}.pressure"), Sample { kind: StatKind::Gauge, value: 0, used: false });
            });
        }
        connections
    }

    /// Counts one more, if there may be; by the overload manager alone where that knows a limit.
    fn admit(&self, limit: GlobalConnectionLimit) -> Option<bool> {
        let is_limited = limit == GlobalConnectionLimit::Enforced && self.max.is_some();
        let all = self.all.fetch_add(1, Relaxed);
        let may_come = match (limit, self.max) {
            (GlobalConnectionLimit::Ignored, _) => true,
            (GlobalConnectionLimit::Enforced, Some(max)) => {
                let more = |others| (others < max).then_some(others + 1);
                let may_come = self.limited.fetch_update(Relaxed, Relaxed, more).is_ok();
                if !may_come {
                    self.refused.fetch_add(1, Relaxed);
                }
                may_come
            }
            (GlobalConnectionLimit::Enforced, None) | (GlobalConnectionLimit::RuntimeOnly, _) => {
                all < self.runtime.integer(RUNTIME_KEY, u64::MAX)
            }
        };
        if !may_come {
            self.all.fetch_sub(1, Relaxed);
        }
        may_come.then_some(is_limited)
    }

    fn end(&self, is_limited: bool) {
        self.all.fetch_sub(1, Relaxed);
        if is_limited {
            self.limited.fetch_sub(1, Relaxed);
        }
    }
}

// === impl ConnectionGate ===

impl ConnectionGate {
    pub(crate) fn new(connections: &Arc<GlobalConnections>, limit: GlobalConnectionLimit) -> Self {
        Self { connections: Arc::clone(connections), limit }
    }

    /// Counts a connection, unless there are too many.
    pub(crate) fn admit(&self) -> Option<CountedConnection> {
        let is_limited = self.connections.admit(self.limit)?;
        Some(CountedConnection { connections: Arc::clone(&self.connections), is_limited })
    }
}

// === impl CountedConnection ===

impl Drop for CountedConnection {
    fn drop(&mut self) {
        self.connections.end(self.is_limited);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use sandgate_config::model::{LayeredRuntime, Origin, RuntimeLayer, RuntimeLayerKind, RuntimeValue};

    use super::*;

    fn connections(max: Option<u64>, runtime: Option<f64>) -> (Arc<GlobalConnections>, Arc<StatsStore>) {
        let values = runtime.map(|most| (RUNTIME_KEY.to_owned(), RuntimeValue::Number(most)));
        let kind = RuntimeLayerKind::Static(values.into_iter().collect());
        let layers = vec![RuntimeLayer { name: "l".into(), kind, origin: Origin::default() }];
        let (runtime, store) = (Arc::new(Runtime::new(&LayeredRuntime { layers })), StatsStore::new());
        (GlobalConnections::new(max, &runtime, &store), store)
    }

    #[test]
    fn the_overload_manager_limits_listeners_that_do_not_bypass_it() {
        let (connections, store) = connections(Some(2), None);
        let gate = |limit| ConnectionGate::new(&connections, limit);
        let others: Vec<_> = [GlobalConnectionLimit::Ignored, GlobalConnectionLimit::RuntimeOnly]
            .into_iter()
            .flat_map(|limit| (0..3).map(move |_| limit))
            .map(|limit| gate(limit).admit().unwrap())
            .collect();
        let enforced = gate(GlobalConnectionLimit::Enforced);
        let one = enforced.admit().unwrap();
        let _two = enforced.admit().unwrap();
        assert!(enforced.admit().is_none());
        drop(others);
        assert!(enforced.admit().is_none(), "others were never in its way");
        drop(one);
        let _three = enforced.admit().unwrap();
        assert_eq!(store.snapshot()[&format!("{MONITOR}.failed_updates")].value, 2);
        assert_eq!(connections.all.load(Relaxed), 2);
    }

    #[test]
    fn the_runtime_limits_all_that_do_not_ignore_it() {
        let (connections, _) = connections(None, Some(2.0));
        let gate = |limit| ConnectionGate::new(&connections, limit);
        let ignoring = gate(GlobalConnectionLimit::Ignored).admit().unwrap();
        let _bypassing = gate(GlobalConnectionLimit::RuntimeOnly).admit().unwrap();
        let enforced = gate(GlobalConnectionLimit::Enforced);
        assert!(enforced.admit().is_none(), "those that ignore it count");
        drop(ignoring);
        assert!(enforced.admit().is_some());
    }
}
