//! A network filter whose configuration comes from elsewhere, on one worker: what it is now, and what new connections get of it.

use std::cell::RefCell;
use std::rc::Rc;

use super::{NetworkCallbacks, NetworkFilter, NetworkFilterFactory};

/// The filter of one place in a filter chain.
pub(crate) struct DiscoveredNetworkFilter(RefCell<Rc<DiscoveredNetwork>>);

/// What such a filter is.
pub(crate) enum DiscoveredNetwork {
    /// Nobody has said so: connections are closed.
    Missing,
    /// A plugin that failed and without which connections may pass.
    Absent,
    Filter(NetworkFilterFactory),
}

/// Lets every connection pass.
struct AbsentFilter;

// === impl DiscoveredNetworkFilter ===

impl DiscoveredNetworkFilter {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self(RefCell::new(Rc::new(DiscoveredNetwork::Missing))))
    }

    /// Connections that begin from now on get this.
    pub(crate) fn set(&self, next: DiscoveredNetwork) {
        let before = self.0.replace(Rc::new(next));
        // A plugin that nobody uses any more ends here.
        drop(before);
    }

    pub(crate) fn is_missing(&self) -> bool {
        matches!(**self.0.borrow(), DiscoveredNetwork::Missing)
    }

    /// What a new connection gets.
    pub(crate) fn make(&self, callbacks: NetworkCallbacks) -> Box<dyn NetworkFilter> {
        let now = Rc::clone(&self.0.borrow());
        match &*now {
            DiscoveredNetwork::Missing | DiscoveredNetwork::Absent => Box::new(AbsentFilter),
            DiscoveredNetwork::Filter(make) => make(callbacks),
        }
    }
}

impl NetworkFilter for AbsentFilter {}
