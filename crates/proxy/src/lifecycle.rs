//! Where the process stands between start and exit.

use std::sync::atomic::{AtomicU8, Ordering};
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

/// The state of this process, and the wish to end it.
#[derive(Debug)]
pub struct Lifecycle {
    state: AtomicU8,
    started: Instant,
    quit: Notify,
}

impl Default for Lifecycle {
    fn default() -> Self {
        let state = AtomicU8::new(ServerState::PreInitializing as u8);
        Self { state, started: Instant::now(), quit: Notify::new() }
    }
}

impl Lifecycle {
    /// The state now.
    #[must_use]
    pub fn state(&self) -> ServerState {
        match self.state.load(Ordering::Relaxed) {
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
