//! The TLS contexts of a configuration.

use std::sync::Arc;

use sandgate_config::model::Bootstrap;

use super::StartError;
use super::hcm::listener_stat_name;
use crate::listener_tls::ListenerTls;
use crate::stats::StatsStore;

/// Reads the contexts of all listeners, in the order of the configuration.
pub(super) fn load(bootstrap: &Bootstrap, store: &StatsStore) -> Result<Vec<Option<Arc<ListenerTls>>>, StartError> {
    let mut all = Vec::new();
    for listener in &bootstrap.listeners {
        let Some(chain) = listener.filter_chains.first() else {
            all.push(None);
            continue;
        };
        let tls = ListenerTls::load(chain, &listener_stat_name(listener)).map_err(|source| {
            let origin = chain.tls.as_ref().map(|tls| tls.origin.clone()).unwrap_or_default();
            StartError::Tls { origin: Box::new(origin), source }
        })?;
        if let Some(tls) = &tls {
            tls.show_expiry(store);
        }
        all.push(tls);
    }
    Ok(all)
}
