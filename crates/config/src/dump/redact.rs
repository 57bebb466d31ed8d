//! Messages without what nobody is to see.

use prost::Message as _;
use prost_reflect::{DynamicMessage, FieldDescriptor, ReflectMessage as _, Value};

use crate::schema::Schema;

/// In the place of strings and bytes (observed in Envoy 1.40).
const REDACTED: &str = "[redacted]";

/// Redacts the fields that the schema marks as sensitive, and everything if all of the message is.
pub(super) fn redact(schema: &Schema, message: &mut DynamicMessage, sensitive: bool) {
    if message.descriptor().full_name() == "google.protobuf.Any" {
        redact_any(schema, message, sensitive);
        return;
    }
    let rules = schema.rules(&message.descriptor());
    let is_sensitive = |field: &FieldDescriptor| {
        rules.fields.iter().any(|(known, rules)| known.number() == field.number() && rules.sensitive)
    };
    let mut gone = Vec::new();
    for (field, value) in message.fields_mut() {
        let sensitive = sensitive || is_sensitive(&field);
        if !redact_value(schema, value, sensitive) {
            gone.push(field);
        }
    }
    gone.iter().for_each(|field| message.clear_field(field));
}

/// Whether something of the value is left to be shown.
fn redact_value(schema: &Schema, value: &mut Value, sensitive: bool) -> bool {
    match value {
        Value::Message(message) => redact(schema, message, sensitive),
        Value::List(items) => items.retain_mut(|item| redact_value(schema, item, sensitive)),
        Value::Map(entries) => entries.retain(|_, value| redact_value(schema, value, sensitive)),
        _ if !sensitive => {}
        Value::String(text) => REDACTED.clone_into(text),
        Value::Bytes(bytes) => *bytes = REDACTED.into(),
        _ => return false,
    }
    true
}

/// The message in an `Any`, if it is known; else it is shown as what it is unless it is sensitive.
fn redact_any(schema: &Schema, any: &mut DynamicMessage, sensitive: bool) {
    let text = |name| any.get_field_by_name(name).map(std::borrow::Cow::into_owned);
    let (Some(Value::String(url)), Some(Value::Bytes(bytes))) = (text("type_url"), text("value")) else { return };
    let descriptor = schema.message(url.rsplit('/').next().unwrap_or_default());
    match descriptor.and_then(|descriptor| DynamicMessage::decode(descriptor, bytes).ok()) {
        Some(mut inner) => {
            redact(schema, &mut inner, sensitive);
            any.set_field_by_name("value", Value::Bytes(inner.encode_to_vec().into()));
        }
        None if sensitive => any.clear_field_by_name("value"),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test may panic")]

    use serde_json::json;

    use super::*;

    /// A message of that name, as `/config_dump` shows it.
    fn shown(name: &str, message: &serde_json::Value) -> serde_json::Value {
        let descriptor = Schema::get().unwrap().message(name).unwrap();
        let message = DynamicMessage::deserialize(descriptor, message).unwrap();
        crate::message_to_json(name, &message.encode_to_vec()).unwrap()
    }

    #[test]
    fn keys_are_not_shown() {
        const SECRET: &str = "envoy.extensions.transport_sockets.tls.v3.Secret";
        let certificate = json!({"name": "s", "tls_certificate": {
            "certificate_chain": {"inline_string": "chain"},
            "private_key": {"inline_string": "key"},
        }});
        let expected = json!({"name": "s", "tls_certificate": {
            "certificate_chain": {"inline_string": "chain"},
            "private_key": {"inline_string": REDACTED},
        }});
        assert_eq!(shown(SECRET, &certificate), expected);
        let tickets = json!({"session_ticket_keys": {"keys": [{"filename": "/keys"}]}});
        assert_eq!(shown(SECRET, &tickets), json!({"session_ticket_keys": {"keys": [{"filename": REDACTED}]}}));
    }

    #[test]
    fn keys_are_not_shown_in_messages_within_messages() {
        let socket = |key: &str| {
            json!({"name": "tls", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
                "sni": "example.com",
                "common_tls_context": {"tls_certificates": [{"private_key": {"inline_string": key}}]},
            }})
        };
        assert_eq!(shown("envoy.config.core.v3.TransportSocket", &socket("key")), socket(REDACTED));
    }
}
