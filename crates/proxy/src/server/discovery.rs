//! What a configuration expects from a control plane or a file while the server runs, and nobody here asks for yet.

use sandgate_config::model::{
    Bootstrap, CommonTlsContext, ConfigSource, Discovery, FilterChain, HttpFilterKind, Listener, Origin,
    RuntimeLayerKind, SecretSource,
};

use super::StartError;

pub(super) const NOT_YET: &str = "resources of control planes are not implemented";

/// Refuses the first of them.
pub(super) fn refuse(bootstrap: &Bootstrap) -> Result<(), StartError> {
    let sources = bootstrap.dynamic_resources.cds.iter().map(|source| &source.origin);
    let layers = bootstrap.layered_runtime.layers.iter().filter_map(|layer| match &layer.kind {
        RuntimeLayerKind::Rtds { source, .. } => Some(&source.origin),
        _ => None,
    });
    let clusters = bootstrap.clusters.iter().flat_map(|cluster| {
        let endpoints = match &cluster.discovery {
            Discovery::Eds(eds) => Some(&eds.source.origin),
            _ => None,
        };
        endpoints.into_iter().chain(cluster.tls.iter().flat_map(|tls| of_tls(&tls.common)))
    });
    let chains = bootstrap.listeners.iter().flat_map(|listener| &listener.filter_chains).flat_map(of_chain);
    match sources.chain(layers).chain(clusters).chain(chains).next() {
        Some(origin) => Err(StartError::Unsupported { origin: Box::new(origin.clone()), what: NOT_YET }),
        None => Ok(()),
    }
}

/// Refuses a listener of a control plane for the same.
pub(super) fn refuse_listener(listener: &Listener) -> Result<(), StartError> {
    match listener.filter_chains.iter().flat_map(of_chain).next() {
        Some(origin) => Err(StartError::Unsupported { origin: Box::new(origin.clone()), what: NOT_YET }),
        None => Ok(()),
    }
}

fn of_chain(chain: &FilterChain) -> Vec<&Origin> {
    let filters = chain.http_connection_manager().into_iter().flat_map(|manager| manager.all_filters());
    let discovered = filters.filter_map(|filter| match &filter.kind {
        HttpFilterKind::Discovered(discovery) => Some(&discovery.source.origin),
        _ => None,
    });
    let mut found: Vec<_> = discovered.collect();
    if let Some(tls) = &chain.tls {
        found.extend(of_tls(&tls.common));
        found.extend(tls.session_ticket_keys.as_ref().and_then(dynamic).map(|source| &source.origin));
    }
    found
}

fn of_tls(common: &CommonTlsContext) -> impl Iterator<Item = &Origin> {
    let validation = common.validation.as_ref().and_then(|validation| dynamic(&validation.source));
    common.certificates.iter().filter_map(dynamic).chain(validation).map(|source| &source.origin)
}

fn dynamic<T>(source: &SecretSource<T>) -> Option<&ConfigSource> {
    match source {
        SecretSource::Dynamic { source, .. } => Some(source),
        SecretSource::Inline { .. } | SecretSource::Sds(_) => None,
    }
}
