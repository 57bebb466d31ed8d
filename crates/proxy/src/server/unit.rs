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
    /// Its filters whose configurations come from elsewhere.
    pub(super) extensions: Vec<(FilterPlace, Arc<ExtensionSlot>)>,
}

/// Where a filter stands in a filter chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FilterPlace {
    /// Among the HTTP filters of all its chains.
    Http(usize),
    /// Among its network filters.
    Network(usize),
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

// === impl ChainUnit ===

impl ChainUnit {
    /// Where the configuration of a filter comes from that does not stand there.
    pub(super) fn extension(&self, place: FilterPlace) -> Option<&Arc<ExtensionSlot>> {
        self.extensions.iter().find(|(other, _)| *other == place).map(|(_, slot)| slot)
    }
}
