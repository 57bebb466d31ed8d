//! The attribute tree of a stream and its byte serialization.
#![forbid(unsafe_code)]

mod lookup;
mod old_names;
mod proto;
mod source;
mod state;
mod value;

pub use lookup::{LookupError, Messages, View, WASM_STATE_PREFIX, lookup, lookup_without_stream, segments};
pub use old_names::{is_old_name, renamed};
pub use proto::metadata_value;
pub use source::{AttributeSource, MetadataOf, ResponseFlags, TlsAttribute};
pub use state::{Declaration, LifeSpan, StateJson, StateRefusal, StateValue};
pub use value::Value;
