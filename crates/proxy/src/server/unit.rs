//! One version of a listener as all threads share it. An update makes another one, which may have filter chains in common with it.

use std::sync::{Arc, Mutex, PoisonError};

use sandgate_config::model::{self, RouteConfiguration};

use super::extensions::ExtensionSlot;
use super::plugins::Plugins;
use crate::listener_tls::ListenerTls;

/// A listener's configuration and what was made of it on the main thread.
#[derive(Debug)]
pub(super) struct ListenerUnit {
    /// No other has it, ever.
    pub(super) id: u64,
    pub(super) config: Arc<model::Listener>,
    /// In the order of the configuration.
    pub(super) chains: Vec<Arc<ChainUnit>>,
}

/// A filter chain of one.
#[derive(Debug)]
pub(super) struct ChainUnit {
    /// Where its plugins and what else belongs to it stand; no other chain has it.
    pub(super) place: ChainPlace,
    /// Nothing for plain text.
    pub(super) tls: Option<Arc<ListenerTls>>,
    pub(super) plugins: Arc<Plugins>,
    /// Where its routes come from if they are not part of the configuration.
    pub(super) routes: Option<Arc<RouteProvider>>,
    /// Its filters whose configurations come from elsewhere, with their places among all filters of the chain.
    pub(super) extensions: Vec<(usize, Arc<ExtensionSlot>)>,
}

/// The id of the listener that a chain was made for, and its place there.
pub(super) type ChainPlace = (usize, usize);

/// Routes that come from a control plane.
#[derive(Debug)]
pub(super) struct RouteProvider {
    /// No other has it, ever.
    pub(super) id: u64,
    latest: Mutex<Option<Arc<RouteConfiguration>>>,
}

// === impl RouteProvider ===

impl RouteProvider {
    pub(super) fn new(id: u64) -> Arc<Self> {
        Arc::new(Self { id, latest: Mutex::default() })
    }

    /// What came last; nothing before the first.
    pub(super) fn latest(&self) -> Option<Arc<RouteConfiguration>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set(&self, routes: Arc<RouteConfiguration>) {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(routes);
    }
}
