//! The routes of a thread that come from a control plane.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use sandgate_config::model::RouteConfiguration;

use crate::route_table::{RouteTable, Routes};
use crate::server::unit::RouteProvider;
use crate::stats::StatsStore;

/// Routes by their provider's id, as long as a connection manager has them.
#[derive(Debug, Default)]
pub(in crate::server) struct ProvidedRoutes(RefCell<HashMap<u64, Weak<Routes>>>);

impl ProvidedRoutes {
    /// The routes of a provider, compiled once for all connection managers of the thread.
    pub(in crate::server) fn of(&self, provider: &RouteProvider, store: &StatsStore) -> Rc<Routes> {
        let mut all = self.0.borrow_mut();
        if let Some(routes) = all.get(&provider.id).and_then(Weak::upgrade) {
            return routes;
        }
        all.retain(|_, routes| routes.strong_count() > 0);
        let table = provider.latest().map(|routes| RouteTable::new(&routes, store));
        let routes = Routes::new(table.unwrap_or_default());
        all.insert(provider.id, Rc::downgrade(&routes));
        routes
    }

    /// Takes over what has come for a provider, if somebody has its routes.
    pub(super) fn update(&self, provider: u64, routes: &Arc<RouteConfiguration>, store: &StatsStore) {
        let known = self.0.borrow().get(&provider).and_then(Weak::upgrade);
        if let Some(known) = known {
            known.set(RouteTable::new(routes, store));
        }
    }
}
