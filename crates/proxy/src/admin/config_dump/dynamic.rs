//! What came from control planes.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};

use super::super::{AdminContext, ResourceView};
use super::packed;
use super::sections::rfc3339;
use crate::cluster::ClusterEntry;

/// What is sensitive is shown as.
const REDACTED: &str = "[redacted]";
const CLUSTER: &str = "envoy.config.cluster.v3.Cluster";
const EXTENSION: &str = "envoy.config.core.v3.TypedExtensionConfig";
const LISTENER: &str = "envoy.config.listener.v3.Listener";
const SECRET: &str = "envoy.extensions.transport_sockets.tls.v3.Secret";
const ROUTES: &str = "envoy.config.route.v3.RouteConfiguration";

/// `dynamic_listeners`: those that control planes have sent, also if the last one of a name was refused.
pub(super) fn listeners(context: &AdminContext) -> Vec<Value> {
    let views = context.listeners.get().into_iter();
    let views = views.filter(|view| view.active.is_some() || view.warming.is_some() || view.refused.is_some());
    views
        .map(|view| {
            let mut fields = Map::from_iter([("name".to_owned(), json!(view.name))]);
            for (field, state) in [("active_state", &view.active), ("warming_state", &view.warming)] {
                if let Some(state) = state {
                    fields.insert(field.to_owned(), resource(state, "listener", LISTENER));
                }
            }
            if let Some((refused, reason)) = &view.refused {
                fields.insert("error_state".to_owned(), error(refused, reason, LISTENER));
            }
            Value::Object(fields)
        })
        .collect()
}

/// `dynamic_active_clusters` or `dynamic_warming_clusters`
pub(super) fn clusters(entries: &[Arc<ClusterEntry>]) -> Vec<Value> {
    let views = entries.iter().filter_map(|entry| entry.origin.view());
    views.map(|view| resource(view, "cluster", CLUSTER)).collect()
}

/// `dynamic_route_configs`
pub(super) fn routes(context: &AdminContext) -> Vec<Value> {
    context.routes.get().iter().map(|view| resource(view, "route_config", ROUTES)).collect()
}

/// `ecds_filters`
pub(super) fn extensions(context: &AdminContext) -> Vec<Value> {
    context.extensions.get().iter().map(|view| resource(view, "ecds_filter", EXTENSION)).collect()
}

/// `dynamic_active_secrets` or `dynamic_warming_secrets`
pub(super) fn secrets(views: &[ResourceView]) -> Vec<Value> {
    views.iter().map(|view| with_files(with_name(resource(view, "secret", SECRET)))).collect()
}

/// A secret with what is in its files in their place, as Envoy shows it.
fn with_files(mut item: Value) -> Value {
    const PLACES: [&str; 4] = [
        "/secret/tls_certificate/certificate_chain",
        "/secret/tls_certificate/private_key",
        "/secret/validation_context/trusted_ca",
        "/secret/validation_context/crl",
    ];
    for place in PLACES {
        let Some(source) = item.pointer_mut(place) else { continue };
        let Some(path) = source.get("filename").and_then(Value::as_str) else { continue };
        let bytes = if path == REDACTED { Ok(path.as_bytes().to_vec()) } else { std::fs::read(path) };
        // One that is not there any more is shown by its name.
        if let Ok(bytes) = bytes {
            *source = json!({ "inline_bytes": BASE64.encode(bytes) });
        }
    }
    item
}

/// A secret's name stands also beside it.
pub(super) fn with_name(mut item: Value) -> Value {
    let name = item.pointer("/secret/name").cloned();
    if let (Value::Object(fields), Some(name)) = (&mut item, name) {
        fields.shift_insert(0, "name".to_owned(), name);
    }
    item
}

/// A resource of that type with what was said of it.
pub(super) fn resource(view: &ResourceView, field: &str, message: &str) -> Value {
    let mut fields = Map::new();
    if !view.version.is_empty() {
        fields.insert("version_info".to_owned(), json!(view.version));
    }
    fields.insert(field.to_owned(), shown(view, message));
    if let Some(updated) = view.updated {
        fields.insert("last_updated".to_owned(), json!(rfc3339(updated)));
    }
    Value::Object(fields)
}

/// An `envoy.admin.v3.UpdateFailureState`.
pub(super) fn error(view: &ResourceView, reason: &str, message: &str) -> Value {
    let mut fields = Map::new();
    if !view.serialized.is_empty() {
        fields.insert("failed_configuration".to_owned(), shown(view, message));
    }
    if let Some(updated) = view.updated {
        fields.insert("last_update_attempt".to_owned(), json!(rfc3339(updated)));
    }
    fields.insert("details".to_owned(), json!(reason));
    if !view.version.is_empty() {
        fields.insert("version_info".to_owned(), json!(view.version));
    }
    Value::Object(fields)
}

fn shown(view: &ResourceView, message: &str) -> Value {
    let json = sandgate_config::message_to_json(message, &view.serialized).unwrap_or_else(|error| {
        log::error!(target: "admin", "a resource cannot be shown: {error}");
        Value::Object(Map::new())
    });
    packed(message, &json)
}
