//! A configuration as it was read, for those who look at it.

use prost_reflect::{DynamicMessage, SerializeOptions};
use serde_json::Value;

use crate::schema::Schema;

/// A serialized message as JSON with Envoy's field names. Fields that are not set, or that have no presence and their default,
/// are left out; no field that this program takes is marked as sensitive, which a test of the schema sees to.
///
/// # Errors
/// There is no message of that name, or the bytes are none.
pub fn message_to_json(name: &str, bytes: &[u8]) -> Result<Value, String> {
    let descriptor = Schema::get()?.message(name).ok_or_else(|| format!("there is no message {name}"))?;
    let message = DynamicMessage::decode(descriptor, bytes).map_err(|error| error.to_string())?;
    let options = SerializeOptions::new().use_proto_field_name(true);
    message.serialize_with_options(serde_json::value::Serializer, &options).map_err(|error| error.to_string())
}
