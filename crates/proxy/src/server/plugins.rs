//! Wasm plugins of a configuration: loaded once on the main thread, cloned on every worker.

use std::rc::Rc;
use std::sync::Arc;

use sandgate_config::model::{self, Listener};
use sandgate_host::{
    Environment, FailurePolicy, Host, Plugin, PluginConfig, PluginError, PluginHandle, VmConfig, WorkerHost,
};

use super::StartError;

/// Plugins by listener, filter chain and place among all filters of the chain.
#[derive(Debug, Default)]
pub(super) struct Plugins {
    loaded: Vec<((usize, usize, usize), Arc<Plugin>)>,
}

impl Plugins {
    /// Reads, compiles and tries every plugin, and starts each on the main thread, whose host is `local`, before the next
    /// one is read, as Envoy does. Call on the main thread. The handles keep the plugins there.
    pub(super) fn load(
        listeners: &[Listener],
        host: &Arc<Host>,
        environment: &Rc<dyn Environment>,
        local: &Rc<WorkerHost>,
    ) -> Result<(Self, Vec<Rc<PluginHandle>>), StartError> {
        let mut plugins = Self::default();
        let mut handles = Vec::new();
        for (listener_index, listener) in listeners.iter().enumerate() {
            for (chain_index, chain) in listener.filter_chains.iter().enumerate() {
                for (filter_index, filter) in chain.http_connection_manager.all_filters().enumerate() {
                    let model::HttpFilterKind::Wasm(wasm) = &filter.kind else { continue };
                    let plugin = load_one(wasm, host, environment)?;
                    handles.push(local.plugin_handle_by_policy(&plugin));
                    plugins.loaded.push(((listener_index, chain_index, filter_index), plugin));
                }
            }
        }
        Ok((plugins, handles))
    }

    /// The plugin of one filter.
    pub(super) fn get(&self, listener: usize, chain: usize, filter: usize) -> Option<&Arc<Plugin>> {
        self.loaded.iter().find(|(place, _)| *place == (listener, chain, filter)).map(|(_, plugin)| plugin)
    }
}

/// Reads, compiles and tries one plugin.
pub(super) fn load_one(
    wasm: &model::WasmPlugin,
    host: &Arc<Host>,
    environment: &Rc<dyn Environment>,
) -> Result<Arc<Plugin>, StartError> {
    let config = Arc::new(plugin_config(wasm)?);
    host.load(config, Rc::clone(environment)).map_err(|source| refused(wasm, source))
}

fn refused(wasm: &model::WasmPlugin, source: PluginError) -> StartError {
    StartError::Plugin { origin: Box::new(wasm.origin.clone()), source: Box::new(source) }
}

fn plugin_config(wasm: &model::WasmPlugin) -> Result<PluginConfig, StartError> {
    let vm = &wasm.vm;
    let code = vm.code.read().map_err(|source| StartError::Code {
        plugin: wasm.name.clone(),
        origin: Box::new(vm.code_origin.clone()),
        source,
    })?;
    Ok(PluginConfig {
        name: wasm.name.clone(),
        root_id: wasm.root_id.clone(),
        vm: VmConfig {
            vm_id: vm.vm_id.clone(),
            runtime: vm.runtime.clone(),
            code,
            configuration: vm.configuration.clone(),
            environment: vm.environment.clone(),
            identity: vm.identity.clone(),
            capabilities: vm.capabilities.clone(),
            ..VmConfig::default()
        },
        configuration: wasm.configuration.clone(),
        failure_policy: match wasm.failure_policy {
            model::FailurePolicy::FailClosed => FailurePolicy::FailClosed,
            model::FailurePolicy::FailOpen => FailurePolicy::FailOpen,
            model::FailurePolicy::FailReload => FailurePolicy::FailReload,
        },
        legacy_fail_open: wasm.fail_open,
        reload_backoff: Some(wasm.reload_backoff),
        allow_on_headers_stop_iteration: wasm.allow_on_headers_stop_iteration,
        identity: wasm.identity.clone(),
    })
}
