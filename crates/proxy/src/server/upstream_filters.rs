//! The filters that stand in front of the hosts of a cluster, on one thread.

use std::rc::Rc;

use sandgate_config::model::Bootstrap;

use super::hcm::{plugin_factory, wasm_factory};
use super::plugins::{Place, Plugins, Running};
use super::thread::LocalWorker;
use crate::hcm::{FilterEntry, FilterFactory};

/// Gives the clusters of a worker their filters; before its listeners get theirs, as in Envoy.
pub(super) fn equip(bootstrap: &Bootstrap, plugins: &Plugins, local: &LocalWorker) {
    equip_with(bootstrap, local, |name, place| plugin_factory(name, plugins.get(place)?, &local.host));
}

/// The same on the main thread, where the plugins run already.
pub(super) fn equip_main(bootstrap: &Bootstrap, plugins: &Plugins, running: &Running, local: &LocalWorker) {
    equip_with(bootstrap, local, |name, place| match running.get(place) {
        Some(handle) => Some(wasm_factory(name, Rc::clone(handle))),
        None => plugin_factory(name, plugins.get(place)?, &local.host),
    });
}

fn equip_with(bootstrap: &Bootstrap, local: &LocalWorker, mut make: impl FnMut(&str, Place) -> Option<FilterFactory>) {
    for (index, config) in bootstrap.clusters.iter().enumerate() {
        let filters = config.http.http_filters.iter().enumerate().filter_map(|(at, filter)| {
            let make = make(&filter.name, Place::Cluster(index, at))?;
            Some(FilterEntry { name: filter.name.as_str().into(), disabled: filter.disabled, make })
        });
        let filters: Vec<_> = filters.collect();
        if let Some(cluster) = local.worker.clusters.at(index) {
            cluster.set_filters(filters);
        }
    }
}
