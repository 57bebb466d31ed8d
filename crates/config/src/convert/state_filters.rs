//! The filters that keep values with a stream.

use sandgate_filter::state_factory_exists;

use super::{Context, substitution_format};
use crate::{
    model::{FilterStateValue, MetadataEntry, NetworkSetFilterState, SetFilterState, SetMetadata},
    proto::envoy::extensions::filters::{
        common::set_filter_state::v3::{
            FilterStateValue as ValueMessage,
            filter_state_value::{Key, SharedWithUpstream, Value},
        },
        http::{set_filter_state::v3::Config as FilterStateMessage, set_metadata::v3::Config as MetadataMessage},
        network::set_filter_state::v3::Config as NetworkFilterStateMessage,
    },
};

/// Converts the configuration of `envoy.filters.http.set_metadata`.
pub(super) fn set_metadata(context: &mut Context<'_>, message: MetadataMessage) -> SetMetadata {
    let mut filter = SetMetadata::default();
    // The older way to say the same.
    if let Some(value) = message.value
        && !message.metadata_namespace.is_empty()
    {
        let namespace = message.metadata_namespace;
        filter.untyped.push(MetadataEntry { namespace, allow_overwrite: true, value });
    }
    context.list("metadata", message.metadata, |context, entry| {
        let (namespace, allow_overwrite) = (entry.metadata_namespace, entry.allow_overwrite);
        match (entry.value, entry.typed_value) {
            (Some(value), None) => filter.untyped.push(MetadataEntry { namespace, allow_overwrite, value }),
            (None, Some(value)) => filter.typed.push(MetadataEntry { namespace, allow_overwrite, value }),
            (Some(_), Some(_)) => context.error("only one of value and typed_value can be set"),
            (None, None) => context.error("one of value and typed_value must be set"),
        }
        None::<()>
    });
    filter
}

/// Converts the configuration of `envoy.filters.http.set_filter_state`.
pub(super) fn set_filter_state(context: &mut Context<'_>, message: FilterStateMessage) -> SetFilterState {
    SetFilterState {
        on_request_headers: context.list("on_request_headers", message.on_request_headers, filter_state_value),
        clear_route_cache: message.clear_route_cache,
    }
}

/// Converts the configuration of `envoy.filters.network.set_filter_state`.
pub(super) fn network_set_filter_state(
    context: &mut Context<'_>,
    message: NetworkFilterStateMessage,
) -> NetworkSetFilterState {
    let mut list = |name, values| context.list(name, values, filter_state_value);
    NetworkSetFilterState {
        on_new_connection: list("on_new_connection", message.on_new_connection),
        on_downstream_tls_handshake: list("on_downstream_tls_handshake", message.on_downstream_tls_handshake),
        on_downstream_data: list("on_downstream_data", message.on_downstream_data),
    }
}

/// Converts one value; its factory must be there.
pub(super) fn filter_state_value(context: &mut Context<'_>, message: ValueMessage) -> Option<FilterStateValue> {
    let ValueMessage { key, factory_key, value, read_only, shared_with_upstream, skip_if_empty } = message;
    let Key::ObjectKey(object_key) = context.required("object_key", key)?;
    let Value::FormatString(format) = context.required("format_string", value)?;
    let factory_key = if factory_key.is_empty() { object_key.clone() } else { factory_key };
    if !state_factory_exists(&factory_key) {
        context.error(format!("'{factory_key}' does not have an object factory"));
    }
    if SharedWithUpstream::try_from(shared_with_upstream) != Ok(SharedWithUpstream::None) {
        context.error_at("shared_with_upstream", "objects are not shared with upstream connections");
    }
    let format = context.field("format_string", |context| substitution_format::format(context, format))?;
    Some(FilterStateValue { object_key, factory_key, format, read_only, skip_if_empty })
}
