//! Paths of names into messages, as `proxy_get_property` follows them.

use sandgate_attributes::{LookupError, Messages, Value as Attribute};
use smallvec::SmallVec;

use crate::{Environment, Value, message};

// === impl Environment ===

impl Messages for Environment {
    fn read(
        &self,
        type_name: &str,
        bytes: &[u8],
        path: &mut dyn Iterator<Item = &[u8]>,
        take: &mut dyn FnMut(Attribute<'_>) -> Result<(), LookupError>,
    ) -> Result<(), LookupError> {
        let path: SmallVec<[&[u8]; 4]> = path.collect();
        // What cannot be read is null.
        let root = self.message(type_name).and_then(|descriptor| message::decode(&descriptor, bytes));
        let mut value = root.unwrap_or(Value::Null);
        for name in path {
            value = step(&value, name).ok_or(LookupError::NotFound)?;
        }
        take(value.as_attribute().ok_or(LookupError::NoByteForm)?)
    }
}

/// The field of a message, what a map has at that key, or an element of a list by its index in decimal.
fn step(value: &Value, name: &[u8]) -> Option<Value> {
    match value {
        Value::Message(message) => message::field(message, name).ok(),
        Value::Map(map) => map.get(&Value::String(bytes::Bytes::copy_from_slice(name))).cloned(),
        Value::List(list) => list.get(index(name)?).cloned(),
        _ => None,
    }
}

/// With a sign, and with space around it, as Envoy's library reads numbers.
fn index(name: &[u8]) -> Option<usize> {
    std::str::from_utf8(name.trim_ascii()).ok()?.parse().ok()
}
