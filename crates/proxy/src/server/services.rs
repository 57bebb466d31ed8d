//! Plugins that run beside the listeners, without streams.

use std::rc::Rc;

use sandgate_config::model::Bootstrap;
use sandgate_host::{PluginHandle, WorkerHost};

use super::plugins::{Loaded, Place, Plugins};

/// Starts them on a worker, but for those of the main thread alone. They live as long as what is returned.
///
/// One that fails here is not there on this worker; the host has logged why (as in Envoy).
pub(super) fn start(bootstrap: &Bootstrap, plugins: &Plugins, host: &Rc<WorkerHost>) -> Vec<Rc<PluginHandle>> {
    let loaded = (0..bootstrap.services.len()).filter_map(|index| match plugins.get(Place::Service(index)) {
        Some(Loaded::Plugin(plugin)) => Some(plugin),
        Some(Loaded::Failed(_)) | None => None,
    });
    loaded.map(|plugin| host.plugin_handle_by_policy(plugin)).collect()
}
