//! Where the process stands between start and exit.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// Envoy's server states (`envoy.admin.v3.ServerInfo.State`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ServerState {
    /// Serving.
    Live = 0,
    /// Going away: no new connections.
    Draining = 1,
    /// Configuration is being loaded.
    PreInitializing = 2,
    /// Waiting for clusters and plugins.
    Initializing = 3,
}

impl ServerState {
    /// The state's name on `/ready` and `/server_info`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Live => "LIVE",
            Self::Draining => "DRAINING",
            Self::PreInitializing => "PRE_INITIALIZING",
            Self::Initializing => "INITIALIZING",
        }
    }
}

/// Something to do when log files are to be opened anew.
type ReopenHook = Box<dyn Fn() + Send + Sync>;

/// The state of this process, and the wishes to end it and to open its log files anew.
pub struct Lifecycle {
    state: AtomicU8,
    health_failed: AtomicBool,
    stopped_listeners: AtomicU64,
    reopen: Mutex<Vec<ReopenHook>>,
    started: Instant,
    quit: Notify,
}

impl Default for Lifecycle {
    fn default() -> Self {
        let state = AtomicU8::new(ServerState::PreInitializing as u8);
        Self {
            state,
            health_failed: AtomicBool::new(false),
            stopped_listeners: AtomicU64::new(0),
            reopen: Mutex::default(),
            started: Instant::now(),
            quit: Notify::new(),
        }
    }
}

impl fmt::Debug for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lifecycle").field("state", &self.state()).finish_non_exhaustive()
    }
}

impl Lifecycle {
    /// The state now. A server whose health check is failed is draining, as in Envoy.
    #[must_use]
    pub fn state(&self) -> ServerState {
        match self.state.load(Ordering::Relaxed) {
            0 if self.health_check_failed() => ServerState::Draining,
            0 => ServerState::Live,
            1 => ServerState::Draining,
            2 => ServerState::PreInitializing,
            _ => ServerState::Initializing,
        }
    }

    /// Moves on to another state.
    pub fn set(&self, state: ServerState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    /// Whether `/healthcheck/fail` was asked for, and not `/healthcheck/ok` since.
    #[must_use]
    pub fn health_check_failed(&self) -> bool {
        self.health_failed.load(Ordering::Relaxed)
    }

    /// Makes health checks of this server fail, or pass again.
    pub fn fail_health_check(&self, failed: bool) {
        self.health_failed.store(failed, Ordering::Relaxed);
    }

    /// Listeners that were stopped while the server went on.
    #[must_use]
    pub fn stopped_listeners(&self) -> u64 {
        self.stopped_listeners.load(Ordering::Relaxed)
    }

    pub(crate) fn count_stopped_listener(&self) {
        self.stopped_listeners.fetch_add(1, Ordering::Relaxed);
    }

    /// Has `hook` called, on the main thread, whenever log files are to be opened anew: on SIGUSR1 and `/reopen_logs`.
    pub fn on_reopen(&self, hook: impl Fn() + Send + Sync + 'static) {
        self.reopen.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(hook));
    }

    /// Has all log files opened anew.
    pub fn reopen_logs(&self) {
        self.reopen.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(|hook| hook());
    }

    /// Since the start of the process.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// Asks for the end of the process, once.
    pub fn quit(&self) {
        self.quit.notify_one();
    }

    /// Returns when somebody has asked for the end.
    pub async fn quit_requested(&self) {
        self.quit.notified().await;
    }
}
