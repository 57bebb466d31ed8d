//! A listener as the main thread has it.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use sandgate_config::model::{self, TrafficDirection};
use tokio::task::JoinHandle;

use super::parts::Parts;
use crate::admin::ResourceView;
use crate::drain::DrainDirection;
use crate::listener::BoundListener;
use crate::server::extensions::ProvidedFilter;
use crate::server::plugins::Running;
use crate::server::routes::ProvidedRoute;
use crate::server::secrets::SecretUse;
use crate::server::unit::{ChainUnit, ListenerUnit};

/// Where a listener comes from.
#[derive(Clone, Debug)]
pub(in crate::server) enum ListenerSource {
    /// The bootstrap.
    Static,
    /// A control plane, and what it said.
    Provided(ResourceView),
}

/// A listener with what it holds on the main thread.
pub(super) struct Entry {
    /// Listeners are shown in the order in which their names came.
    pub(super) order: u64,
    pub(super) unit: Arc<ListenerUnit>,
    /// In the order of the configuration.
    pub(super) chains: Vec<Rc<MainChain>>,
    pub(super) address: SocketAddr,
    /// Nothing once it was stopped.
    pub(super) bound: Option<Rc<BoundListener>>,
    pub(super) source: ListenerSource,
}

/// What a filter chain holds on the main thread.
pub(super) struct MainChain {
    pub(super) unit: Arc<ChainUnit>,
    /// Its plugins run here, too, as long as it is there.
    pub(super) _running: Running,
    /// They are asked for as long as it is there.
    pub(super) _routes: Option<Rc<ProvidedRoute>>,
    /// The same.
    pub(super) _extensions: Vec<Rc<ProvidedFilter>>,
    /// The same, of the secrets of its TLS.
    pub(super) _secrets: Option<Rc<SecretUse>>,
}

/// A listener on its way. Dropping it gives it up.
pub(super) struct Warming {
    pub(super) id: u64,
    pub(super) config: Arc<model::Listener>,
    pub(super) bound: Rc<BoundListener>,
    pub(super) source: RefCell<ListenerSource>,
    pub(super) task: RefCell<Option<JoinHandle<()>>>,
}

// === impl Entry ===

impl Entry {
    pub(super) fn is_stopped_by(&self, direction: DrainDirection) -> bool {
        let inbound = self.unit.config.traffic_direction == TrafficDirection::Inbound;
        direction == DrainDirection::All || inbound
    }

    /// Whether `next` differs in filter chains alone: then the listener stays, and chains that it has no more are drained.
    pub(super) fn is_updated_in_place_by(&self, next: &Self) -> bool {
        let rest = |entry: &Self| match &entry.source {
            ListenerSource::Provided(view) => Parts::of(&view.serialized).map(|parts| parts.rest),
            ListenerSource::Static => None,
        };
        let (before, next) = (rest(self), rest(next));
        before.is_some() && before == next
    }

    pub(super) fn is_static(&self) -> bool {
        matches!(self.source, ListenerSource::Static)
    }
}

// === impl Warming ===

impl Warming {
    pub(super) fn is_static(&self) -> bool {
        matches!(*self.source.borrow(), ListenerSource::Static)
    }
}

impl Drop for Warming {
    fn drop(&mut self) {
        if let Some(task) = self.task.get_mut().take() {
            task.abort();
        }
    }
}
