//! The filters of a chain whose configurations stand elsewhere.

use std::sync::Arc;

use sandgate_config::model::{ExtensionDiscovery, FilterChain, HttpFilterKind, NetworkFilterKind, Origin};

use crate::server::unit::FilterPlace;

/// Such a filter, as it stands in a filter chain.
pub(in crate::server) struct DiscoveredEntry<'a> {
    pub(in crate::server) name: &'a str,
    pub(in crate::server) discovery: &'a Arc<ExtensionDiscovery>,
    pub(in crate::server) origin: &'a Origin,
}

/// All of a chain, with their places.
pub(in crate::server) fn discovered_filters(
    chain: &FilterChain,
) -> impl Iterator<Item = (FilterPlace, DiscoveredEntry<'_>)> {
    let of_network = chain.network_filters.iter().enumerate().filter_map(|(at, filter)| {
        let NetworkFilterKind::Discovered(discovery) = &filter.kind else { return None };
        Some((FilterPlace::Network(at), DiscoveredEntry { name: &filter.name, discovery, origin: &filter.origin }))
    });
    let filters = chain.http_connection_manager().into_iter().flat_map(|manager| manager.all_filters()).enumerate();
    let of_http = filters.filter_map(|(at, filter)| {
        let HttpFilterKind::Discovered(discovery) = &filter.kind else { return None };
        Some((FilterPlace::Http(at), DiscoveredEntry { name: &filter.name, discovery, origin: &filter.origin }))
    });
    of_network.chain(of_http)
}
