//! Envoy's bootstrap configuration, read strictly into validated types.
//!
//! [`load_file`] and [`load_str`] take YAML or JSON in Envoy's dialect and answer with a [`model::Bootstrap`] in which every default
//! is resolved, or with [`Diagnostics`]: all findings of the file at once, each with its place. What the rest of the program
//! sees of a configuration is [`model`], never a protobuf message.
//!
//! The way of a text: `node` (a tree with places, typed as Envoy's YAML reader does) → `read` (messages, by the descriptors in `schema`)
//! → `check` (the schema's rules, deprecated fields, fields that are not implemented) → `convert` (types of `proto` to `model`, and what
//! only Envoy's code checks). Each step reports into `report` and goes on.

mod check;
mod convert;
mod diagnostics;
mod discovery_file;
mod dump;
mod load;
pub mod model;
mod node;
mod proto;
mod read;
mod receive;
mod report;
mod resource;
mod runtime_value;
mod schema;
mod suggest;

pub use self::{
    convert::parse_grpc_service,
    diagnostics::{Diagnostic, Diagnostics, Severity},
    discovery_file::{DiscoveryFile, read_discovery_file},
    dump::message_to_json,
    load::{Format, LoadOptions, Loaded, Unsupported, load_file, load_secret, load_str},
    resource::{LoadedResource, ResourceLoader},
    runtime_value::parse_runtime_value,
    schema::{HarmlessField, harmless_fields},
};

/// The Protobuf messages of Envoy's configuration, for expressions that read or make them. Decoded once.
#[must_use]
pub fn message_types() -> Option<&'static prost_reflect::DescriptorPool> {
    schema::Schema::get().ok().map(|schema| &schema.pool)
}
