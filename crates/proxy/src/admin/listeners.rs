//! `/listeners`.

use std::fmt::Write as _;

use serde_json::json;

use super::pages::{Parameters, value};
use super::{AdminContext, AdminResponse};

pub(super) fn listeners(context: &AdminContext, parameters: &Parameters) -> AdminResponse {
    let listeners = context.listeners();
    if value(parameters, "format") == Some("json") {
        let statuses: Vec<_> = listeners
            .iter()
            .map(|(name, address)| {
                let socket = json!({ "address": address.ip().to_string(), "port_value": address.port() });
                json!({ "name": name, "local_address": { "socket_address": socket } })
            })
            .collect();
        return AdminResponse::json(&json!({ "listener_statuses": statuses }));
    }
    AdminResponse::text(listeners.iter().fold(String::new(), |mut out, (name, address)| {
        let _ = writeln!(out, "{name}::{address}");
        out
    }))
}
