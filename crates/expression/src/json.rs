//! Values as JSON, for `%TYPED_CEL%` of access logs.

use prost_reflect::SerializeOptions;
use serde_json::{Map as Object, Value as Json};

use crate::{Value, text, time};

impl Value {
    /// The value as JSON has it: bytes in Base64, times as text, messages with the names that their fields have in Protobuf. Nothing for
    /// types and branches of the attribute tree.
    #[must_use]
    pub fn to_json(&self) -> Option<Json> {
        Some(match self {
            Self::Null => Json::Null,
            Self::Bool(value) => Json::from(*value),
            Self::Int(value) => Json::from(*value),
            Self::UInt(value) => Json::from(*value),
            Self::Double(value) => Json::from(*value),
            Self::String(value) => Json::from(String::from_utf8_lossy(value)),
            Self::Bytes(value) => Json::from(text::base64(value)),
            Self::Duration(value) => Json::from(time::duration_text(*value)),
            Self::Timestamp(value) => Json::from(time::json_timestamp(*value)),
            Self::List(list) => Json::Array(list.iter().map(Self::to_json).collect::<Option<_>>()?),
            Self::Map(map) => {
                let mut entries = Vec::with_capacity(map.entries().len());
                for (key, value) in map.entries() {
                    let key = match key {
                        Self::String(key) => String::from_utf8_lossy(key).into_owned(),
                        key => key.to_json()?.to_string(),
                    };
                    entries.push((key, value.to_json()?));
                }
                // Keys are in order, as Envoy writes them.
                entries.sort_by(|(a, _), (b, _)| a.cmp(b));
                Json::Object(Object::from_iter(entries))
            }
            Self::Message(message) => {
                let options = SerializeOptions::new().use_proto_field_name(true);
                message.serialize_with_options(serde_json::value::Serializer, &options).ok()?
            }
            Self::Type(_) | Self::Attributes(_) => return None,
        })
    }
}
