//! Which configurations a filter can have.

use sandgate_config::model::{DiscoveredKind, ExtensionDiscovery, HttpFilterKind, NetworkFilterKind};

/// Whether the filter takes configurations of that type.
///
/// # Errors
/// It does not; in Envoy's words.
pub(super) fn check_type(discovery: &ExtensionDiscovery, type_url: &str) -> Result<(), String> {
    if discovery.type_urls.iter().any(|wanted| wanted == type_url) {
        return Ok(());
    }
    let wanted = discovery.type_urls.join(", ");
    Err(format!("Error: filter config has type URL {type_url} but expect {wanted}."))
}

/// Whether a filter of that kind can stand where this one does: one that ends a chain at the end, others before that.
///
/// # Errors
/// It cannot; in Envoy's words.
pub(super) fn check_place(name: &str, discovery: &ExtensionDiscovery, kind: &DiscoveredKind) -> Result<(), String> {
    let (is_terminal, filter_type, category) = match kind {
        DiscoveredKind::Http(kind) => (matches!(kind, HttpFilterKind::Router(_)), http_type(kind), "http"),
        DiscoveredKind::Network(kind) => (kind.is_terminal(), network_type(kind), "network"),
    };
    match (is_terminal, discovery.is_last) {
        (true, false) => Err(format!(
            "Error: terminal filter named {name} of type {filter_type} must be the last filter in a {category} filter \
             chain."
        )),
        (false, true) => Err(format!(
            "Error: non-terminal filter named {name} of type {filter_type} is the last filter in a {category} filter \
             chain."
        )),
        _ => Ok(()),
    }
}

/// The name of the kind in Envoy.
fn http_type(kind: &HttpFilterKind) -> &'static str {
    match kind {
        HttpFilterKind::Wasm(_) => "envoy.filters.http.wasm",
        HttpFilterKind::HealthCheck(_) => "envoy.filters.http.health_check",
        HttpFilterKind::SetMetadata(_) => "envoy.filters.http.set_metadata",
        HttpFilterKind::SetFilterState(_) => "envoy.filters.http.set_filter_state",
        HttpFilterKind::Rbac(_) => "envoy.filters.http.rbac",
        HttpFilterKind::Router(_) => "envoy.filters.http.router",
        HttpFilterKind::Discovered(_) => "config_discovery",
    }
}

/// The same of a network filter.
fn network_type(kind: &NetworkFilterKind) -> &'static str {
    match kind {
        NetworkFilterKind::Wasm(_) => "envoy.filters.network.wasm",
        NetworkFilterKind::ConnectionLimit(_) => "envoy.filters.network.connection_limit",
        NetworkFilterKind::Rbac(_) => "envoy.filters.network.rbac",
        NetworkFilterKind::SetFilterState(_) => "envoy.filters.network.set_filter_state",
        NetworkFilterKind::SniCluster => "envoy.filters.network.sni_cluster",
        NetworkFilterKind::DirectResponse(_) => "envoy.filters.network.direct_response",
        NetworkFilterKind::Echo => "envoy.filters.network.echo",
        NetworkFilterKind::Discovered(_) => "config_discovery",
    }
}

#[cfg(test)]
mod tests {
    use sandgate_config::model::{ConfigSource, ConfigSourceKind, FilterCategory, Origin, Router};

    use super::*;

    fn discovery(is_last: bool) -> ExtensionDiscovery {
        let kind = ConfigSourceKind::Ads;
        ExtensionDiscovery {
            source: ConfigSource { kind, initial_fetch_timeout: None, origin: Origin::default() },
            category: FilterCategory::Http,
            default: None,
            apply_default_without_warming: false,
            type_urls: vec!["a.B".to_owned(), "a.C".to_owned()],
            is_last,
        }
    }

    #[test]
    fn a_type_is_one_of_those_wanted() {
        assert_eq!(check_type(&discovery(false), "a.C"), Ok(()));
        let refused = "Error: filter config has type URL a.D but expect a.B, a.C.";
        assert_eq!(check_type(&discovery(false), "a.D"), Err(refused.to_owned()));
    }

    #[test]
    fn a_router_ends_its_chain() {
        let router = DiscoveredKind::Http(HttpFilterKind::Router(Router::default()));
        assert_eq!(check_place("f", &discovery(true), &router), Ok(()));
        let refused = "Error: terminal filter named f of type envoy.filters.http.router must be the last filter in a \
                       http filter chain.";
        assert_eq!(check_place("f", &discovery(false), &router), Err(refused.to_owned()));
        let echo = DiscoveredKind::Network(NetworkFilterKind::Echo);
        assert_eq!(check_place("f", &discovery(true), &echo), Ok(()));
        let cluster = DiscoveredKind::Network(NetworkFilterKind::SniCluster);
        let refused = "Error: non-terminal filter named f of type envoy.filters.network.sni_cluster is the last filter \
                       in a network filter chain.";
        assert_eq!(check_place("f", &discovery(true), &cluster), Err(refused.to_owned()));
    }
}
