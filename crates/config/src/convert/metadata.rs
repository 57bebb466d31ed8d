//! What load balancing reads of an endpoint's metadata.

use std::sync::Arc;

use crate::model::{LbMetadata, MetadataCriteria, MetadataValue};

/// What a route asks of hosts: `envoy.lb` of its `metadata_match`.
pub(super) fn criteria(serialized: Option<&Vec<u8>>) -> Option<Arc<MetadataCriteria>> {
    MetadataCriteria::of_metadata(serialized?).map(Arc::new)
}

/// The same of one of several clusters, over what is asked for all of them.
pub(super) fn criteria_over(
    of_all: Option<&Arc<MetadataCriteria>>,
    serialized: Option<&Vec<u8>>,
) -> Option<Arc<MetadataCriteria>> {
    match (of_all, criteria(serialized)) {
        (Some(of_all), Some(own)) => Some(Arc::new(of_all.merged(&own))),
        (of_all, own) => own.or_else(|| of_all.cloned()),
    }
}

/// The names in `envoy.lb`.
pub(super) fn lb_names(serialized: &[u8]) -> Vec<String> {
    let fields = MetadataCriteria::of_metadata(serialized).unwrap_or_default();
    fields.as_slice().iter().map(|field| field.name.as_ref().to_owned()).collect()
}

/// The keys of `envoy.lb`.
pub(super) fn lb_metadata(serialized: &[u8]) -> LbMetadata {
    let Some(fields) = MetadataCriteria::of_metadata(serialized) else { return LbMetadata::default() };
    LbMetadata {
        canary: fields.get("canary") == Some(&MetadataValue::Bool(true)),
        hash_key: match fields.get("hash_key") {
            Some(MetadataValue::String(key)) => key.as_ref().to_owned(),
            _ => String::new(),
        },
        fields: Some(Arc::new(fields)),
    }
}
