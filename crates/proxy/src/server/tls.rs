//! The TLS contexts of a configuration.

use std::sync::Arc;

use sandgate_config::model::{Bootstrap, FilterChain, Listener};

use super::StartError;
use super::hcm::listener_stat_name;
use crate::listener_tls::ListenerTls;
use crate::stats::StatsStore;

/// The contexts of the filter chains of each listener; nothing for plain text.
pub(super) type ListenerContexts = Vec<Vec<Option<Arc<ListenerTls>>>>;

/// Reads the contexts of all listeners and their chains, in the order of the configuration.
pub(super) fn load(bootstrap: &Bootstrap, store: &StatsStore) -> Result<ListenerContexts, StartError> {
    let of_listener = |listener: &Listener| {
        let stat_name = listener_stat_name(listener);
        listener.filter_chains.iter().map(|chain| load_chain(chain, &stat_name, store)).collect()
    };
    bootstrap.listeners.iter().map(of_listener).collect()
}

/// Reads the context of one.
pub(super) fn load_chain(
    chain: &FilterChain,
    stat_name: &str,
    store: &StatsStore,
) -> Result<Option<Arc<ListenerTls>>, StartError> {
    let tls = ListenerTls::load(chain, stat_name).map_err(|source| {
        let origin = chain.tls.as_ref().map(|tls| tls.origin.clone()).unwrap_or_default();
        StartError::Tls { origin: Box::new(origin), source }
    })?;
    if let Some(tls) = &tls {
        tls.show_expiry(store);
    }
    Ok(tls)
}
