//! The filters of a thread whose configurations come from elsewhere.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use sandgate_host::WorkerHost;

use crate::discovered_filter::{Discovered, DiscoveredFilter};
use crate::health_check_filter::HealthCheckFilters;
use crate::network::{DiscoveredNetwork, DiscoveredNetworkFilter};
use crate::server::extensions::{ExtensionSlot, ProvidedConfig};
use crate::server::hcm::discovered;
use crate::stats::StatsStore;

/// Filters by the id of their slots, as long as a connection manager or a filter chain has them.
#[derive(Default)]
pub(in crate::server) struct DiscoveredFilters(RefCell<HashMap<u64, Weak<dyn Placed>>>);

/// A filter in its place.
trait Placed {
    /// What it goes by.
    fn config(&self) -> &RefCell<Option<Arc<ProvidedConfig>>>;

    fn set(&self, config: Option<&ProvidedConfig>, maker: FilterMaker<'_>);
}

/// An HTTP filter in its connection manager.
pub(in crate::server) struct PlacedFilter {
    pub(in crate::server) filter: Rc<DiscoveredFilter>,
    pub(in crate::server) name: String,
    /// The connection manager's.
    pub(in crate::server) stat_prefix: String,
    pub(in crate::server) proxy_100_continue: bool,
    /// What it goes by.
    config: RefCell<Option<Arc<ProvidedConfig>>>,
}

/// A network filter in its filter chain.
pub(in crate::server) struct PlacedNetworkFilter {
    pub(in crate::server) filter: Rc<DiscoveredNetworkFilter>,
    make: Box<NetworkFilterMaker>,
    config: RefCell<Option<Arc<ProvidedConfig>>>,
}

/// Makes what a network filter of that configuration is on this thread.
pub(in crate::server) type NetworkFilterMaker = dyn Fn(&ProvidedConfig) -> DiscoveredNetwork;

/// What HTTP filters are made with.
pub(in crate::server) type FilterMaker<'a> = (&'a HealthCheckFilters, &'a Arc<StatsStore>, &'a Rc<WorkerHost>);

// === impl DiscoveredFilters ===

impl DiscoveredFilters {
    /// A filter in a connection manager with that prefix of its stats. It goes by what has come for its slot.
    pub(in crate::server) fn add(
        &self,
        slot: &ExtensionSlot,
        name: &str,
        (stat_prefix, proxy_100_continue): (&str, bool),
        maker: FilterMaker<'_>,
    ) -> Rc<PlacedFilter> {
        let placed = Rc::new(PlacedFilter {
            filter: DiscoveredFilter::new(name),
            name: name.to_owned(),
            stat_prefix: stat_prefix.to_owned(),
            proxy_100_continue,
            config: RefCell::default(),
        });
        self.put(slot, Rc::<PlacedFilter>::clone(&placed), maker);
        placed
    }

    /// The same in a filter chain.
    pub(in crate::server) fn add_network(
        &self,
        slot: &ExtensionSlot,
        make: Box<NetworkFilterMaker>,
        maker: FilterMaker<'_>,
    ) -> Rc<PlacedNetworkFilter> {
        let filter = DiscoveredNetworkFilter::new();
        let placed = Rc::new(PlacedNetworkFilter { filter, make, config: RefCell::default() });
        self.put(slot, Rc::<PlacedNetworkFilter>::clone(&placed), maker);
        placed
    }

    fn put(&self, slot: &ExtensionSlot, placed: Rc<dyn Placed>, maker: FilterMaker<'_>) {
        go_by(&*placed, slot.latest().as_ref(), maker);
        let mut all = self.0.borrow_mut();
        all.retain(|_, filter| filter.strong_count() > 0);
        all.insert(slot.id, Rc::downgrade(&placed));
    }

    /// Takes over what has come for a slot, if somebody has its filter.
    pub(super) fn update(&self, slot: &ExtensionSlot, config: Option<&Arc<ProvidedConfig>>, maker: FilterMaker<'_>) {
        let known = self.0.borrow().get(&slot.id).and_then(Weak::upgrade);
        if let Some(known) = known {
            go_by(&*known, config, maker);
        }
    }
}

fn go_by(placed: &dyn Placed, config: Option<&Arc<ProvidedConfig>>, maker: FilterMaker<'_>) {
    let same = match (&*placed.config().borrow(), config) {
        (Some(now), Some(next)) => now.id == next.id,
        (None, None) => true,
        _ => false,
    };
    if same {
        return;
    }
    placed.set(config.map(|config| &**config), maker);
    placed.config().replace(config.cloned());
}

// === impl PlacedFilter ===

impl Placed for PlacedFilter {
    fn config(&self) -> &RefCell<Option<Arc<ProvidedConfig>>> {
        &self.config
    }

    fn set(&self, config: Option<&ProvidedConfig>, maker: FilterMaker<'_>) {
        self.filter.set(config.map_or(Discovered::Missing, |config| discovered(self, config, maker)));
    }
}

// === impl PlacedNetworkFilter ===

impl Placed for PlacedNetworkFilter {
    fn config(&self) -> &RefCell<Option<Arc<ProvidedConfig>>> {
        &self.config
    }

    fn set(&self, config: Option<&ProvidedConfig>, _maker: FilterMaker<'_>) {
        self.filter.set(config.map_or(DiscoveredNetwork::Missing, &self.make));
    }
}
