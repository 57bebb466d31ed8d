//! Whether connections are to end with their next response: Envoy's drain manager.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use sandgate_config::model::{DrainType, Listener, TrafficDirection};

use crate::lifecycle::Lifecycle;

/// How draining responses are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DrainStrategy {
    /// The more time has passed since the drain began, the likelier.
    #[default]
    Gradual,
    /// All of them.
    Immediate,
}

/// `--drain-time-s` and `--drain-strategy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrainOptions {
    /// Until all responses end their connections, and until a graceful `/drain_listeners` stops the listeners; 600 s by default.
    pub time: Duration,
    /// Gradual by default.
    pub strategy: DrainStrategy,
}

/// Which listeners a drain is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DrainDirection {
    /// Those whose `traffic_direction` is inbound.
    InboundOnly,
    /// All.
    All,
}

/// What of a listener's configuration matters to a drain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ListenerDrain {
    pub(crate) inbound: bool,
    /// `drain_type: MODIFY_ONLY`: a failed health check does not drain it.
    pub(crate) modify_only: bool,
}

/// Shared by all threads. As long as nothing drains, asking costs one load.
#[derive(Debug)]
pub(crate) struct DrainManager {
    options: DrainOptions,
    epoch: Instant,
    /// 0: nothing drains; 1: inbound listeners; 2: all.
    direction: AtomicU8,
    /// When that began, in nanoseconds after `epoch`.
    began: AtomicU64,
    lifecycle: Arc<Lifecycle>,
}

const NONE: u8 = 0;
const INBOUND: u8 = 1;
const ALL: u8 = 2;

// === impl DrainOptions ===

impl Default for DrainOptions {
    fn default() -> Self {
        Self { time: Duration::from_secs(600), strategy: DrainStrategy::default() }
    }
}

// === impl ListenerDrain ===

impl ListenerDrain {
    pub(crate) fn new(listener: &Listener) -> Self {
        Self {
            inbound: listener.traffic_direction == TrafficDirection::Inbound,
            modify_only: listener.drain_type == DrainType::ModifyOnly,
        }
    }
}

// === impl DrainManager ===

impl DrainManager {
    pub(crate) fn new(options: DrainOptions, lifecycle: Arc<Lifecycle>) -> Self {
        Self { options, epoch: Instant::now(), direction: AtomicU8::new(NONE), began: AtomicU64::new(0), lifecycle }
    }

    pub(crate) fn options(&self) -> DrainOptions {
        self.options
    }

    /// Whether health checks of this server are to fail.
    pub(crate) fn health_check_failed(&self) -> bool {
        self.lifecycle.health_check_failed()
    }

    /// Begins a drain; false if there is one already that is about these listeners.
    pub(crate) fn start(&self, direction: DrainDirection) -> bool {
        let wanted = if direction == DrainDirection::All { ALL } else { INBOUND };
        let before = self.direction.load(Relaxed);
        if before >= wanted {
            return false;
        }
        if before == NONE {
            let now = u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.began.store(now, Relaxed);
        }
        self.direction.store(wanted, Relaxed);
        true
    }

    /// Whether a response of this listener is to end its connection.
    pub(crate) fn drain_close(&self, listener: ListenerDrain) -> bool {
        if self.health_check_failed() && !listener.modify_only {
            return true;
        }
        match self.direction.load(Relaxed) {
            NONE => false,
            INBOUND if !listener.inbound => false,
            _ => self.is_chosen(),
        }
    }

    /// The probability is the part of the drain time that has passed, in whole seconds.
    fn is_chosen(&self) -> bool {
        let total = self.options.time.as_secs();
        if self.options.strategy == DrainStrategy::Immediate || total == 0 {
            return true;
        }
        let elapsed = self.epoch.elapsed().saturating_sub(Duration::from_nanos(self.began.load(Relaxed))).as_secs();
        elapsed > fastrand::u64(..total)
    }
}

impl Default for DrainManager {
    fn default() -> Self {
        Self::new(DrainOptions::default(), Arc::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INBOUND_LISTENER: ListenerDrain = ListenerDrain { inbound: true, modify_only: false };
    const MODIFY_ONLY: ListenerDrain = ListenerDrain { inbound: false, modify_only: true };

    fn at_once() -> DrainManager {
        DrainManager::new(
            DrainOptions { strategy: DrainStrategy::Immediate, ..DrainOptions::default() },
            Arc::default(),
        )
    }

    #[test]
    fn a_failed_health_check_drains_what_is_not_modify_only() {
        let drain = DrainManager::default();
        assert!(!drain.drain_close(ListenerDrain::default()));
        drain.lifecycle.fail_health_check(true);
        assert!(drain.drain_close(ListenerDrain::default()) && !drain.drain_close(MODIFY_ONLY));
        drain.lifecycle.fail_health_check(false);
        assert!(!drain.drain_close(ListenerDrain::default()));
    }

    #[test]
    fn a_drain_may_be_about_inbound_listeners_first() {
        let drain = at_once();
        assert!(drain.start(DrainDirection::InboundOnly) && !drain.start(DrainDirection::InboundOnly));
        assert!(drain.drain_close(INBOUND_LISTENER) && !drain.drain_close(ListenerDrain::default()));
        assert!(drain.start(DrainDirection::All) && !drain.start(DrainDirection::InboundOnly));
        assert!(drain.drain_close(ListenerDrain::default()) && drain.drain_close(MODIFY_ONLY));
    }

    #[test]
    fn a_gradual_drain_begins_with_nothing() {
        let drain = DrainManager::default();
        assert!(drain.start(DrainDirection::All));
        assert!((0..100).all(|_| !drain.drain_close(ListenerDrain::default())));
        let short =
            DrainManager::new(DrainOptions { time: Duration::ZERO, strategy: DrainStrategy::Gradual }, Arc::default());
        assert!(short.start(DrainDirection::All) && short.drain_close(ListenerDrain::default()));
    }
}
