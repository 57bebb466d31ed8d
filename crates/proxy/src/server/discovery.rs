//! What a configuration expects from a control plane or a file while the server runs, and nobody here asks for yet.

use sandgate_config::model::{
    Bootstrap, Cluster, CommonTlsContext, ConfigSource, FilterChain, Listener, Origin, RuntimeLayerKind, SecretSource,
};

use super::StartError;

pub(super) const NOT_YET: &str = "resources of control planes are not implemented";

/// Refuses the first of them.
pub(super) fn refuse(bootstrap: &Bootstrap) -> Result<(), StartError> {
    let layers = bootstrap.layered_runtime.layers.iter().filter_map(|layer| match &layer.kind {
        RuntimeLayerKind::Rtds { source, .. } => Some(&source.origin),
        _ => None,
    });
    let clusters = bootstrap.clusters.iter().flat_map(|cluster| cluster.tls.iter().flat_map(|tls| of_tls(&tls.common)));
    let chains = bootstrap.listeners.iter().flat_map(|listener| &listener.filter_chains).flat_map(of_chain);
    match layers.chain(clusters).chain(chains).next() {
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

/// Refuses a cluster of a control plane that has what only one of the bootstrap may have.
pub(super) fn refuse_cluster(cluster: &Cluster) -> Result<(), StartError> {
    let unsupported = |origin: &Origin, what| StartError::Unsupported { origin: Box::new(origin.clone()), what };
    if let Some(origin) = cluster.tls.iter().flat_map(|tls| of_tls(&tls.common)).next() {
        return Err(unsupported(origin, NOT_YET));
    }
    if !cluster.http.http_filters.is_empty() {
        return Err(unsupported(&cluster.origin, "filters of a cluster that a control plane tells"));
    }
    Ok(())
}

fn of_chain(chain: &FilterChain) -> Vec<&Origin> {
    let mut found = Vec::new();
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
