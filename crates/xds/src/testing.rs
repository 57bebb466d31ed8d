//! What the tests of both protocols use.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test may panic")]

use std::fmt::Debug;
use std::time::Instant;

use bytes::Bytes;
use prost::Message;

use crate::messages::Named;
use crate::{
    Any, DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse, Lifetime, Mux, Names,
    NodePolicy, ResourceType, ResourceWrapper, Response,
};

pub(crate) fn node(first_only: bool) -> NodePolicy {
    NodePolicy::new(Bytes::from_static(b"me"), first_only)
}

pub(crate) fn set(names: &[&str]) -> Names {
    Names::Set(names.iter().map(|&name| name.to_owned()).collect())
}

/// A resource that has nothing but a name.
pub(crate) fn any(kind: ResourceType, name: &str) -> Any {
    Any { type_url: kind.type_url().to_owned(), value: Named { name: name.to_owned() }.encode_to_vec().into() }
}

pub(crate) fn wrapper(name: &str, version: &str, resource: Option<Any>) -> ResourceWrapper {
    ResourceWrapper { name: name.to_owned(), version: version.to_owned(), resource, ..ResourceWrapper::default() }
}

pub(crate) fn wrapped(wrapper: &ResourceWrapper) -> Any {
    let type_url = "type.googleapis.com/envoy.service.discovery.v3.Resource".to_owned();
    Any { type_url, value: wrapper.encode_to_vec().into() }
}

pub(crate) fn seconds(seconds: i64) -> Option<Lifetime> {
    Some(Lifetime { seconds, nanos: 0 })
}

pub(crate) fn sotw(kind: ResourceType, version: &str, nonce: &str, resources: Vec<Any>) -> DiscoveryResponse {
    DiscoveryResponse {
        version_info: version.to_owned(),
        resources,
        type_url: kind.type_url().to_owned(),
        nonce: nonce.to_owned(),
        control_plane: None,
    }
}

pub(crate) fn delta(
    kind: ResourceType,
    nonce: &str,
    resources: Vec<ResourceWrapper>,
    removed: &[&str],
) -> DeltaDiscoveryResponse {
    DeltaDiscoveryResponse {
        system_version_info: format!("v-{nonce}"),
        resources,
        type_url: kind.type_url().to_owned(),
        nonce: nonce.to_owned(),
        removed_resources: removed.iter().map(|&name| name.to_owned()).collect(),
        control_plane: None,
    }
}

/// Takes a message that is a response.
pub(crate) fn receive(mux: &mut impl Mux, message: &impl Message) -> Response {
    mux.receive(message.encode_to_vec().into()).unwrap().response.unwrap()
}

/// Takes a response as if the subscribers had said that. Gives what they were told: who, of which resources, of which that are gone.
pub(crate) fn take(
    mux: &mut impl Mux,
    message: &impl Message,
    result: Result<(), &str>,
    now: Instant,
) -> Vec<(u64, String, String)> {
    let mut response = receive(mux, message);
    let told = std::mem::take(&mut response.deliveries).into_iter().map(|delivery| {
        let names: Vec<_> = delivery.update.resources.into_iter().map(|resource| resource.name).collect();
        (delivery.watch.serial, names.join(" "), delivery.update.removed.join(" "))
    });
    let told = told.collect();
    let refused = response.refused.clone();
    mux.finish(response, refused.map_or_else(|| result.map_err(str::to_owned), Err), now);
    told
}

/// Everything that is to be sent now, one line each, as `type v=version n=nonce [names] node ERR text`.
pub(crate) fn sent(mux: &mut impl Mux) -> Vec<String> {
    let mut lines = Vec::new();
    while mux.has_request() {
        let DiscoveryRequest { version_info, node, resource_names, type_url, response_nonce, error_detail } =
            DiscoveryRequest::decode(mux.next_request().unwrap()).unwrap();
        let kind = ResourceType::from_type_url(&type_url).unwrap();
        let names = resource_names.join(" ");
        let (node, error) = (mark(node.as_ref()), error_detail.map(|e| format!(" ERR {}", e.message)));
        let error = error.unwrap_or_default();
        lines.push(format!("{kind:?} v={version_info} n={response_nonce} [{names}]{node}{error}"));
    }
    lines
}

/// The same of delta, as `type n=nonce +added -removed =versions node ERR text`.
pub(crate) fn sent_delta(mux: &mut impl Mux) -> Vec<String> {
    let mut lines = Vec::new();
    while mux.has_request() {
        let request = DeltaDiscoveryRequest::decode(mux.next_request().unwrap()).unwrap();
        let kind = ResourceType::from_type_url(&request.type_url).unwrap();
        let initial = request.initial_resource_versions.iter().map(|(name, version)| format!("{name}@{version}"));
        let lists = [
            ("+", request.resource_names_subscribe),
            ("-", request.resource_names_unsubscribe),
            ("=", initial.collect()),
        ];
        let lists: String = lists
            .iter()
            .filter(|list| !list.1.is_empty())
            .fold(String::new(), |text, (sign, list)| text + &format!(" {sign}{}", list.join(",")));
        let (node, nonce) = (mark(request.node.as_ref()), request.response_nonce);
        let error = request.error_detail.map(|e| format!(" ERR {}", e.message)).unwrap_or_default();
        lines.push(format!("{kind:?} n={nonce}{lists}{node}{error}"));
    }
    lines
}

fn mark(node: Option<&Bytes>) -> &'static str {
    if node.is_some() { " node" } else { "" }
}

#[track_caller]
pub(crate) fn refused<T: Debug>(response: &Response, detail: &str, rest: T) {
    assert!(response.deliveries.is_empty(), "{rest:?}");
    assert_eq!(response.refused.as_deref(), Some(detail), "{rest:?}");
}
