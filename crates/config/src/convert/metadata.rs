//! What load balancing reads of an endpoint's metadata.

use std::collections::BTreeMap;

use prost::Message;
use prost_types::{Struct, Value, value::Kind};

use crate::model::LbMetadata;

/// `envoy.config.core.v3.Metadata`, as far as it is read here; elsewhere it stays serialized.
#[derive(Clone, PartialEq, Message)]
struct Metadata {
    #[prost(btree_map = "string, message", tag = "1")]
    filter_metadata: BTreeMap<String, Struct>,
}

/// The names in `envoy.lb`.
pub(super) fn lb_names(serialized: &[u8]) -> Vec<String> {
    let metadata = Metadata::decode(serialized).unwrap_or_default();
    let fields = metadata.filter_metadata.into_iter().find(|(namespace, _)| namespace == "envoy.lb");
    fields.map(|(_, fields)| fields.fields.into_keys().collect()).unwrap_or_default()
}

/// The keys of `envoy.lb`.
pub(super) fn lb_metadata(serialized: &[u8]) -> LbMetadata {
    let mut found = LbMetadata::default();
    let Ok(mut metadata) = Metadata::decode(serialized) else { return found };
    let Some(fields) = metadata.filter_metadata.remove("envoy.lb") else { return found };
    for (name, Value { kind }) in fields.fields {
        match (name.as_str(), kind) {
            ("canary", Some(Kind::BoolValue(canary))) => found.canary = canary,
            ("hash_key", Some(Kind::StringValue(key))) => found.hash_key = key,
            _ => {}
        }
    }
    found
}
