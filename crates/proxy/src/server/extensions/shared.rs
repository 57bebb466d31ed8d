//! Configurations of filters as all threads share them.

use std::sync::{Arc, Mutex, PoisonError};

use sandgate_config::model::DiscoveredKind;
use tokio::sync::oneshot;

use crate::server::plugins::Plugins;
use crate::worker::guarded;

/// A configuration that has come, or stands in for one, with what was made of it on the main thread.
#[derive(Debug)]
pub(in crate::server) struct ProvidedConfig {
    /// No other has it, ever.
    pub(in crate::server) id: u64,
    pub(in crate::server) kind: DiscoveredKind,
    pub(in crate::server) plugins: Plugins,
}

/// A place for a filter in a filter chain, and what holds there.
#[derive(Debug)]
pub(in crate::server) struct ExtensionSlot {
    /// No other has it, ever.
    pub(in crate::server) id: u64,
    latest: Mutex<Option<Arc<ProvidedConfig>>>,
}

/// Dropped by the last worker that goes by a configuration.
#[derive(Debug)]
pub(in crate::server) struct Applied {
    _end: oneshot::Sender<()>,
}

// === impl ExtensionSlot ===

impl ExtensionSlot {
    pub(super) fn new(id: u64) -> Arc<Self> {
        Arc::new(Self { id, latest: Mutex::default() })
    }

    /// What holds now, if anything.
    pub(in crate::server) fn latest(&self) -> Option<Arc<ProvidedConfig>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set(&self, config: Option<Arc<ProvidedConfig>>) {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = config;
    }
}

// === impl Applied ===

impl Applied {
    /// Calls this on this thread once the last is dropped.
    pub(super) fn then(tell: impl FnOnce() + 'static) -> Arc<Self> {
        let (end, ended) = oneshot::channel();
        let wait = async move {
            // Nothing is ever sent.
            let _ = ended.await;
            tell();
        };
        tokio::task::spawn_local(guarded("configuration of a filter", wait));
        Arc::new(Self { _end: end })
    }
}
