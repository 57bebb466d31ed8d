//! The filters that stand in front of the hosts of a cluster, on one thread.

use std::rc::Rc;

use sandgate_config::model::{Bootstrap, Cluster};
use sandgate_host::WorkerHost;

use super::hcm::{plugin_factory, wasm_factory};
use super::plugins::{Place, Plugins, Running};
use super::thread::LocalWorker;
use crate::cluster::WorkerCluster;
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

/// Gives a cluster that a control plane has told its filters.
pub(super) fn equip_discovered(cluster: &WorkerCluster, plugins: &Plugins, host: &Rc<WorkerHost>) {
    equip_cluster(cluster, &cluster.config, Place::OF_ONE_CLUSTER, |name, place| {
        plugin_factory(name, plugins.get(place)?, host)
    });
}

/// The same on the main thread, where the plugins run already.
pub(super) fn equip_discovered_main(
    cluster: &WorkerCluster,
    (plugins, running): (&Plugins, &Running),
    host: &Rc<WorkerHost>,
) {
    equip_cluster(cluster, &cluster.config, Place::OF_ONE_CLUSTER, |name, place| match running.get(place) {
        Some(handle) => Some(wasm_factory(name, Rc::clone(handle))),
        None => plugin_factory(name, plugins.get(place)?, host),
    });
}

fn equip_with(bootstrap: &Bootstrap, local: &LocalWorker, mut make: impl FnMut(&str, Place) -> Option<FilterFactory>) {
    for (index, config) in bootstrap.clusters.iter().enumerate() {
        if let Some(cluster) = local.worker.clusters.at(index) {
            equip_cluster(&cluster, config, index, &mut make);
        }
    }
}

/// `number` is that of the cluster in the places of its plugins.
fn equip_cluster(
    cluster: &WorkerCluster,
    config: &Cluster,
    number: usize,
    mut make: impl FnMut(&str, Place) -> Option<FilterFactory>,
) {
    let filters = config.http.http_filters.iter().enumerate().filter_map(|(at, filter)| {
        let make = make(&filter.name, Place::Cluster(number, at))?;
        Some(FilterEntry { name: filter.name.as_str().into(), disabled: filter.disabled, make })
    });
    cluster.set_filters(filters.collect());
}
