//! The service over gRPC: `FetchClientStatus` and `StreamClientStatus`, which answer each request alike.

use prost::Message as _;

use super::super::{AdminContext, is_allowed};
use super::messages::{ClientConfig, ClientStatusRequest, ClientStatusResponse, GenericXdsConfig, UpdateFailureState};
use crate::resource_status::{Refused, ResourceStatus};

const METHODS: [&[u8]; 2] = [
    b"/envoy.service.status.v3.ClientStatusDiscoveryService/FetchClientStatus",
    b"/envoy.service.status.v3.ClientStatusDiscoveryService/StreamClientStatus",
];

/// Whether a request is a call of the service that is allowed.
pub(crate) fn is_call(context: &AdminContext, path: &[u8], content_type: &[u8]) -> bool {
    METHODS.contains(&path) && content_type.starts_with(b"application/grpc") && is_allowed(context, path)
}

/// The answer to a message, serialized.
///
/// # Errors
/// The request cannot be answered: an `INVALID_ARGUMENT` with this text.
pub(crate) fn answer(context: &AdminContext, message: &[u8]) -> Result<Vec<u8>, String> {
    let request = ClientStatusRequest::decode(message).map_err(|error| error.to_string())?;
    if !request.node_matchers.is_empty() {
        return Err("node_matchers: there is only this node".to_owned());
    }
    let resources = context.statuses.get().into_iter();
    let resources = resources.map(|(kind, name, status)| resource(kind.type_url(), name, status)).collect();
    let config = vec![ClientConfig { node: context.node.clone(), generic_xds_configs: resources }];
    Ok(ClientStatusResponse { config }.encode_to_vec())
}

fn resource(type_url: &str, name: String, status: ResourceStatus) -> GenericXdsConfig {
    let (version_info, last_updated) = status.taken.map(|(version, at)| (version, Some(at.into()))).unwrap_or_default();
    GenericXdsConfig {
        type_url: type_url.to_owned(),
        name,
        version_info,
        last_updated,
        client_status: status.state.number(),
        error_state: status.refused.map(|Refused { version, at, details }| UpdateFailureState {
            last_update_attempt: Some(at.into()),
            details,
            version_info: version,
        }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use std::sync::Arc;

    use sandgate_config::model;
    use sandgate_matcher::StringMatcher;
    use sandgate_xds::{Names, ResourceType};

    use super::*;
    use crate::stats::StatsStore;

    fn context() -> AdminContext {
        AdminContext::new(StatsStore::new(), Arc::default())
    }

    #[test]
    fn a_status_is_told_with_its_number() {
        let context = context();
        let names = Names::Set([String::from("r")].into());
        let wanted = context.statuses.subscribe(ResourceType::Route, &names);
        wanted.refused("2", "no");
        let answer = answer(&context, b"").unwrap();
        let answer = ClientStatusResponse::decode(answer.as_slice()).unwrap();
        let resource = &answer.config[0].generic_xds_configs[0];
        assert_eq!((resource.name.as_str(), resource.client_status, &*resource.version_info), ("r", 4, ""));
        let error = resource.error_state.as_ref().unwrap();
        assert_eq!((&*error.version_info, &*error.details), ("2", "no"));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        assert!(answer(&context(), b"\x0a\x00").unwrap_err().starts_with("node_matchers: "));
        assert!(answer(&context(), b"\x0a\x05a").is_err());
    }

    #[test]
    fn calls_are_as_allowed_as_pages() {
        let mut context = context();
        assert!(is_call(&context, METHODS[0], b"application/grpc+proto"));
        assert!(!is_call(&context, METHODS[0], b"application/json"));
        assert!(!is_call(&context, b"/stats", b"application/grpc"));
        let allowed = model::StringMatcher::new(model::StringPattern::Exact("/stats".to_owned()));
        context.allow_paths = vec![StringMatcher::new(&allowed)];
        assert!(!is_call(&context, METHODS[1], b"application/grpc"));
    }
}
