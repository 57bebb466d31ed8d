//! The filters that keep values with a stream.

use prost_types::{Any, Struct};

use super::SubstitutionFormat;

/// `envoy.filters.http.set_metadata`, in the order in which it works: untyped values, then typed ones.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SetMetadata {
    /// Values of `filter_metadata`.
    pub untyped: Vec<MetadataEntry<Struct>>,
    /// Messages of `typed_filter_metadata`.
    pub typed: Vec<MetadataEntry<Any>>,
}

/// One namespace that is set.
#[derive(Clone, Debug, PartialEq)]
pub struct MetadataEntry<T> {
    /// Its name.
    pub namespace: String,
    /// What is there already is merged with (untyped) or replaced (typed); else it stays.
    pub allow_overwrite: bool,
    /// What is set.
    pub value: T,
}

/// Envoy's `envoy.extensions.filters.http.set_filter_state.v3.Config`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SetFilterState {
    /// What is set when the headers of a request come.
    pub on_request_headers: Vec<FilterStateValue>,
    /// The route is chosen anew afterwards.
    pub clear_route_cache: bool,
}

/// Envoy's `envoy.extensions.filters.network.set_filter_state.v3.Config`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NetworkSetFilterState {
    /// What is set when a connection is there; with TLS, its handshake is still to come.
    pub on_new_connection: Vec<FilterStateValue>,
    /// What is set when the handshake is complete; without TLS, at once.
    pub on_downstream_tls_handshake: Vec<FilterStateValue>,
    /// What is set when the first bytes have come.
    pub on_downstream_data: Vec<FilterStateValue>,
}

/// Envoy's `envoy.extensions.filters.common.set_filter_state.v3.FilterStateValue`.
#[derive(Clone, Debug, PartialEq)]
pub struct FilterStateValue {
    /// The object's name.
    pub object_key: String,
    /// The factory that makes it of text; one that there is.
    pub factory_key: String,
    /// The text.
    pub format: SubstitutionFormat,
    /// It cannot be changed.
    pub read_only: bool,
    /// Nothing is set if the text is empty.
    pub skip_if_empty: bool,
}
