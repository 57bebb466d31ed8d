//! `xds.*`: the names and metadata of what the configuration made the stream use.

use super::{Found, Rest, Take, View, scalar};
use crate::{LookupError, MetadataOf, Value, proto};

pub(super) fn lookup(view: &View<'_>, name: &[u8], rest: Rest<'_, '_>, take: Take<'_>) -> Found {
    let source = view.source;
    let of = match name {
        // Without a stream's source it is [`super::lookup_without_stream`] that answers.
        b"node" => return proto::node(&source.node().unwrap_or_default(), view.messages, rest, take),
        b"listener_direction" => return scalar(source.listener_direction().map(Value::Int), rest, take),
        b"cluster_name" => return text(source.cluster_name(), rest, take),
        b"route_name" => return text(source.route_name(), rest, take),
        b"virtual_host_name" => return text(source.virtual_host_name(), rest, take),
        b"filter_chain_name" => return text(source.filter_chain_name(), rest, take),
        b"cluster_metadata" => MetadataOf::Cluster,
        b"route_metadata" => MetadataOf::Route,
        b"virtual_host_metadata" => MetadataOf::VirtualHost,
        b"upstream_host_metadata" => MetadataOf::UpstreamHost,
        b"upstream_host_locality_metadata" => MetadataOf::UpstreamLocality,
        b"listener_metadata" => MetadataOf::Listener,
        _ => return scalar(None, rest, take),
    };
    match source.metadata(of) {
        // Null, where others are empty (observed in Envoy 1.40).
        Some(bytes) if matches!(of, MetadataOf::UpstreamHost | MetadataOf::UpstreamLocality) && bytes.is_empty() => {
            match rest.next() {
                None => Err(LookupError::NoByteForm),
                Some(_) => Err(LookupError::NotFound),
            }
        }
        Some(bytes) => proto::metadata(&bytes, view.messages, rest, take),
        None => scalar(None, rest, take),
    }
}

fn text(value: Option<String>, rest: Rest<'_, '_>, take: Take<'_>) -> Found {
    scalar(value.as_deref().map(Value::str), rest, take)
}
