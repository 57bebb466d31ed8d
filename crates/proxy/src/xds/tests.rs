//! Whole streams, to a control plane on this thread.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test may panic")]

mod control_plane;
mod files;
mod fixture;
mod streams;
mod updates;

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;
use sandgate_xds::{
    Any, DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse, ResourceWrapper,
};
use tokio::task::LocalSet;

use super::{Names, ResourceType};

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(30);

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, test);
}

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let Ok(value) = tokio::time::timeout(PATIENCE, future).await else { panic!("never: {what}") };
    value
}

fn anywhere() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn names(names: &[&str]) -> Names {
    Names::Set(names.iter().map(|&name| name.to_owned()).collect())
}

/// A resource that has nothing but a name: the first field of all of them.
fn any(kind: ResourceType, name: &str) -> Any {
    let value = Any { type_url: name.to_owned(), value: Bytes::new() }.encode_to_vec().into();
    Any { type_url: kind.type_url().to_owned(), value }
}

fn sotw(kind: ResourceType, version: &str, nonce: &str, resources: &[&str]) -> DiscoveryResponse {
    DiscoveryResponse {
        version_info: version.to_owned(),
        resources: resources.iter().map(|name| any(kind, name)).collect(),
        type_url: kind.type_url().to_owned(),
        nonce: nonce.to_owned(),
        control_plane: None,
    }
}

fn delta(kind: ResourceType, nonce: &str, resources: &[(&str, &str)], removed: &[&str]) -> DeltaDiscoveryResponse {
    let wrapper = |&(name, version): &(&str, &str)| ResourceWrapper {
        name: name.to_owned(),
        version: version.to_owned(),
        resource: Some(any(kind, name)),
        ..ResourceWrapper::default()
    };
    DeltaDiscoveryResponse {
        resources: resources.iter().map(wrapper).collect(),
        type_url: kind.type_url().to_owned(),
        nonce: nonce.to_owned(),
        removed_resources: removed.iter().map(|&name| name.to_owned()).collect(),
        ..DeltaDiscoveryResponse::default()
    }
}

/// `type v=version n=nonce [names] node ERR text`.
fn line(request: &DiscoveryRequest) -> String {
    let kind = ResourceType::from_type_url(&request.type_url).unwrap();
    let node = if request.node.is_some() { " node" } else { "" };
    let error = request.error_detail.as_ref().map(|error| format!(" ERR {}", error.message)).unwrap_or_default();
    let (version, nonce, names) = (&request.version_info, &request.response_nonce, request.resource_names.join(" "));
    format!("{kind:?} v={version} n={nonce} [{names}]{node}{error}")
}

/// `type n=nonce +added -removed =versions node`.
fn delta_line(request: &DeltaDiscoveryRequest) -> String {
    let kind = ResourceType::from_type_url(&request.type_url).unwrap();
    let node = if request.node.is_some() { " node" } else { "" };
    let (added, removed) = (request.resource_names_subscribe.join(","), request.resource_names_unsubscribe.join(","));
    let versions: Vec<_> = request.initial_resource_versions.iter().map(|(name, of)| format!("{name}@{of}")).collect();
    format!("{kind:?} n={} +{added} -{removed} ={}{node}", request.response_nonce, versions.join(","))
}
