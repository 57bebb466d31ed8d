//! Everything short of serving: `--mode validate` and `sandgate check`.

use std::rc::Rc;
use std::sync::Arc;

use sandgate_config::model::{Bootstrap, HttpFilterKind};
use sandgate_host::{Environment, Host};

use super::StartError;
use super::plugins::plugin_config;
use crate::worker::WorkerEnvironment;

/// Loads every plugin of a configuration as a start would, and tells all that fail. Binds nothing.
#[must_use]
pub fn validate(bootstrap: &Bootstrap, host: &Arc<Host>) -> Vec<StartError> {
    let environment: Rc<dyn Environment> = WorkerEnvironment::new(bootstrap.node.serialized.clone());
    let mut errors = Vec::new();
    for listener in &bootstrap.listeners {
        for filter in listener.filter_chains.iter().flat_map(|chain| &chain.http_connection_manager.http_filters) {
            let HttpFilterKind::Wasm(wasm) = &filter.kind else { continue };
            let loaded = plugin_config(wasm, listener).and_then(|config| {
                host.load(Arc::new(config), Rc::clone(&environment)).map_err(|source| StartError::Plugin {
                    origin: Box::new(wasm.origin.clone()),
                    source: Box::new(source),
                })
            });
            errors.extend(loaded.err());
        }
    }
    errors
}
