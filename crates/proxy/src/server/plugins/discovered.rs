//! Plugins of what comes from a control plane but listeners: of a filter whose configuration came alone, and of a cluster.

use std::rc::Rc;
use std::sync::Arc;

use sandgate_config::model;
use sandgate_host::{Environment, Host, WorkerHost};

use super::{Loaded, Place, PluginLoader, of_cluster, refused};
use crate::server::StartError;

impl PluginLoader {
    /// Reads, compiles and tries the plugin that a filter is whose configuration came alone, if it is one, and starts it on the main
    /// thread.
    pub(in crate::server) fn load_discovered(
        plugin: Option<&model::WasmPlugin>,
        host: &Arc<Host>,
        environment: &Rc<dyn Environment>,
        local: &Rc<WorkerHost>,
    ) -> Result<Self, StartError> {
        Self::load_all(plugin.into_iter().map(|plugin| (Place::Discovered, plugin)), host, environment, local)
    }

    /// The same for a cluster.
    pub(in crate::server) fn load_cluster(
        cluster: &model::Cluster,
        host: &Arc<Host>,
        environment: &Rc<dyn Environment>,
        local: &Rc<WorkerHost>,
    ) -> Result<Self, StartError> {
        Self::load_all(of_cluster(Place::OF_ONE_CLUSTER, cluster), host, environment, local)
    }

    /// Loads what code was fetched for before.
    ///
    /// # Errors
    /// It cannot run, or refuses.
    pub(in crate::server) fn load_known(
        &mut self,
        plugin: Option<&model::WasmPlugin>,
        (host, environment): (&Arc<Host>, &Rc<dyn Environment>),
        local: &Rc<WorkerHost>,
    ) -> Result<(), StartError> {
        let Some(wasm) = plugin else { return Ok(()) };
        for (place, mut pending) in std::mem::take(&mut self.pending) {
            let Some(code) = pending.code.clone() else {
                self.pending.push((place, pending));
                continue;
            };
            pending.config.vm.code = code;
            let plugin = host.load(Arc::new(pending.config), Rc::clone(environment));
            let plugin = plugin.map_err(|source| refused(wasm, source))?;
            self.running.0.push((place, local.plugin_handle_by_policy(&plugin)));
            self.plugins.loaded.push((place, Loaded::Plugin(plugin)));
        }
        Ok(())
    }

    /// Whether code has to be fetched.
    pub(in crate::server) fn waits_for_code(&self) -> bool {
        !self.pending.is_empty()
    }
}
