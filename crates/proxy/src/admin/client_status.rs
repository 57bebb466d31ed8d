//! What has become of the resources of control planes: `envoy.service.status.v3.ClientStatusDiscoveryService` (CSDS) by gRPC, and in
//! its JSON mapping, `/v3/discovery:client_status`. Envoy 1.40 does not serve it; clients of xDS by gRPC do.

mod grpc;
mod messages;

use serde_json::{Map, Value, json};

pub(crate) use grpc::{answer, is_call};

use super::config_dump::rfc3339;
use super::{AdminContext, AdminRequest, AdminResponse, TEXT};
use crate::resource_status::{Refused, ResourceStatus};

pub(super) const PATH: &str = "/v3/discovery:client_status";

/// Answers a `ClientStatusRequest`; nothing is one, too. Contents are not told: they are in `/config_dump`.
pub(super) fn respond(context: &AdminContext, request: AdminRequest<'_>) -> AdminResponse {
    if request.method != b"POST" {
        let method = String::from_utf8_lossy(request.method);
        return AdminResponse::new(405, TEXT, format!("Method {method} not allowed, POST required."));
    }
    if let Err(reason) = check(request.body) {
        return AdminResponse::new(400, TEXT, format!("INVALID_ARGUMENT: {reason}"));
    }
    let resources: Vec<_> =
        context.statuses.get().iter().map(|(kind, name, status)| resource(kind.type_url(), name, status)).collect();
    let mut client = Map::new();
    if let Some(node) = context.bootstrap().get("node") {
        client.insert("node".to_owned(), node.clone());
    }
    client.insert("generic_xds_configs".to_owned(), Value::Array(resources));
    AdminResponse::json(&json!({ "config": [client] }))
}

fn check(body: &[u8]) -> Result<(), String> {
    if body.trim_ascii().is_empty() {
        return Ok(());
    }
    let fields: Map<String, Value> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    match fields
        .keys()
        .find(|name| !["node", "exclude_resource_contents", "excludeResourceContents"].contains(&name.as_str()))
    {
        Some(name) if ["node_matchers", "nodeMatchers"].contains(&name.as_str()) => {
            Err(format!("{name}: there is only this node"))
        }
        Some(name) => Err(format!("{name}: no such field")),
        None => Ok(()),
    }
}

/// A `ClientConfig.GenericXdsConfig`.
fn resource(type_url: &str, name: &str, status: &ResourceStatus) -> Value {
    let mut fields = Map::from_iter([("type_url".to_owned(), json!(type_url)), ("name".to_owned(), json!(name))]);
    if let Some((version, at)) = &status.taken {
        fields.insert("version_info".to_owned(), json!(version));
        fields.insert("last_updated".to_owned(), json!(rfc3339(*at)));
    }
    fields.insert("client_status".to_owned(), json!(status.state.name()));
    if let Some(Refused { version, at, details }) = &status.refused {
        let error = json!({ "last_update_attempt": rfc3339(*at), "details": details, "version_info": version });
        fields.insert("error_state".to_owned(), error);
    }
    Value::Object(fields)
}
