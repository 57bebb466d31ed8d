//! `/runtime` and `/runtime_modify`.

use serde_json::json;

use super::pages::Parameters;
use super::{AdminContext, AdminResponse, TEXT};

const USAGE: &str = "usage: /runtime_modify?key1=value1&key2=value2&keyN=valueN\n       \
    or send the parameters as form values\nuse an empty value to remove a previously added override";

/// Layers and values. Envoy's order of members changes from one answer to the next; here it is that of the keys.
pub(super) fn runtime(context: &AdminContext, _: &Parameters) -> AdminResponse {
    let view = context.runtime.view();
    let entries: serde_json::Map<_, _> = view
        .entries
        .into_iter()
        .map(|(key, values)| {
            // A layer with an empty value hides nothing here (observed in Envoy 1.40).
            let value = values.iter().rev().find(|value| !value.is_empty()).cloned().unwrap_or_default();
            (key, json!({ "layer_values": values, "final_value": value }))
        })
        .collect();
    AdminResponse::json(&json!({ "layers": view.layers, "entries": entries }))
}

/// Sets values of the admin layer.
pub(super) fn modify(context: &AdminContext, parameters: &Parameters) -> AdminResponse {
    if parameters.is_empty() {
        return AdminResponse::new(400, TEXT, USAGE);
    }
    match context.runtime.merge(parameters) {
        Ok(()) => AdminResponse::text("OK\n"),
        Err(error) => {
            log::error!(target: "misc", "{error}");
            AdminResponse::new(503, TEXT, error.to_string())
        }
    }
}
