//! Everything short of serving: `--mode validate` and `sandgate check`.

use std::rc::Rc;
use std::sync::Arc;

use sandgate_config::model::{Bootstrap, CodeSource};
use sandgate_host::{Environment, Host};

use super::{StartError, plugins};
use crate::stats::StatsStore;
use crate::worker::WorkerEnvironment;

/// Loads every plugin of a configuration as a start would, and tells all that fail. Binds nothing.
#[must_use]
pub fn validate(bootstrap: &Bootstrap, host: &Arc<Host>) -> Vec<StartError> {
    let environment: Rc<dyn Environment> = WorkerEnvironment::new(bootstrap.node.serialized.clone(), "main_thread");
    let mut errors = Vec::new();
    // Kept to the end, so that plugins of one module share its compilation, as they do when serving.
    let mut loaded = Vec::new();
    if let Err(error) = super::tls::load(bootstrap, &StatsStore::new()) {
        errors.push(error);
    }
    let _ahead = plugins::compile_ahead(plugins::all(bootstrap), host);
    for wasm in plugins::all(bootstrap).map(|(_, wasm)| wasm).chain(plugins::defaults(bootstrap)) {
        // Nothing is fetched here; the configuration's warnings say so.
        if matches!(wasm.vm.code, CodeSource::Remote(_)) {
            continue;
        }
        match plugins::load_one(wasm, host, &environment) {
            Ok(plugin) => loaded.push(plugin),
            Err(error) => errors.push(error),
        }
    }
    errors
}
