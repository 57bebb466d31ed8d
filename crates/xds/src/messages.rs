//! The messages on the wire: `envoy.service.discovery.v3`, with the fields that are used.

use bytes::Bytes;
use prost::Message;

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Any {
    /// What the value is.
    #[prost(string, tag = "1")]
    pub type_url: String,
    /// A message of that type.
    #[prost(bytes = "bytes", tag = "2")]
    pub value: Bytes,
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Status {
    /// A gRPC status.
    #[prost(int32, tag = "1")]
    pub code: i32,
    /// What is wrong.
    #[prost(string, tag = "2")]
    pub message: String,
}

/// `google.protobuf.Duration`: how long a resource lives.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Lifetime {
    /// Whole seconds.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// The rest.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

/// `envoy.config.core.v3.ControlPlane`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ControlPlane {
    /// Who answers.
    #[prost(string, tag = "1")]
    pub identifier: String,
}

/// `DiscoveryRequest`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct DiscoveryRequest {
    /// The last version that was taken.
    #[prost(string, tag = "1")]
    pub version_info: String,
    /// An `envoy.config.core.v3.Node`.
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub node: Option<Bytes>,
    /// None are all there are.
    #[prost(string, repeated, tag = "3")]
    pub resource_names: Vec<String>,
    /// Of what.
    #[prost(string, tag = "4")]
    pub type_url: String,
    /// Of the response that is answered; empty if none is.
    #[prost(string, tag = "5")]
    pub response_nonce: String,
    /// Why that response was refused.
    #[prost(message, optional, tag = "6")]
    pub error_detail: Option<Status>,
}

/// `DiscoveryResponse`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct DiscoveryResponse {
    /// Of all the resources together.
    #[prost(string, tag = "1")]
    pub version_info: String,
    /// Bare or in a [`ResourceWrapper`].
    #[prost(message, repeated, tag = "2")]
    pub resources: Vec<Any>,
    /// Of all of them.
    #[prost(string, tag = "4")]
    pub type_url: String,
    /// Answers name it.
    #[prost(string, tag = "5")]
    pub nonce: String,
    /// Who answers.
    #[prost(message, optional, tag = "6")]
    pub control_plane: Option<ControlPlane>,
}

/// `Resource`: one resource with its name.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ResourceWrapper {
    /// Of this resource.
    #[prost(string, tag = "1")]
    pub version: String,
    /// None is a heartbeat.
    #[prost(message, optional, tag = "2")]
    pub resource: Option<Any>,
    /// What it is asked for by.
    #[prost(string, tag = "3")]
    pub name: String,
    /// Other names of it.
    #[prost(string, repeated, tag = "4")]
    pub aliases: Vec<String>,
    /// How long it lives unless it is renewed.
    #[prost(message, optional, tag = "6")]
    pub ttl: Option<Lifetime>,
}

/// `DeltaDiscoveryRequest`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct DeltaDiscoveryRequest {
    /// An `envoy.config.core.v3.Node`.
    #[prost(bytes = "bytes", optional, tag = "1")]
    pub node: Option<Bytes>,
    /// Of what.
    #[prost(string, tag = "2")]
    pub type_url: String,
    /// Names that are wanted from now on.
    #[prost(string, repeated, tag = "3")]
    pub resource_names_subscribe: Vec<String>,
    /// Names that are not wanted any more.
    #[prost(string, repeated, tag = "4")]
    pub resource_names_unsubscribe: Vec<String>,
    /// The versions that are there when a stream begins.
    #[prost(btree_map = "string, string", tag = "5")]
    pub initial_resource_versions: std::collections::BTreeMap<String, String>,
    /// Of the response that is answered; empty if none is.
    #[prost(string, tag = "6")]
    pub response_nonce: String,
    /// Why that response was refused.
    #[prost(message, optional, tag = "7")]
    pub error_detail: Option<Status>,
}

/// `DeltaDiscoveryResponse`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct DeltaDiscoveryResponse {
    /// For people to read.
    #[prost(string, tag = "1")]
    pub system_version_info: String,
    /// New and changed ones.
    #[prost(message, repeated, tag = "2")]
    pub resources: Vec<ResourceWrapper>,
    /// Of all of them.
    #[prost(string, tag = "4")]
    pub type_url: String,
    /// Answers name it.
    #[prost(string, tag = "5")]
    pub nonce: String,
    /// Names of resources that are gone.
    #[prost(string, repeated, tag = "6")]
    pub removed_resources: Vec<String>,
    /// Who answers.
    #[prost(message, optional, tag = "7")]
    pub control_plane: Option<ControlPlane>,
}

/// The first field of any resource, which is its name in all types there are.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct Named {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
}

impl Lifetime {
    /// Nothing if it is less than nothing.
    #[must_use]
    pub fn duration(&self) -> Option<std::time::Duration> {
        let (seconds, nanos) = (u64::try_from(self.seconds).ok()?, u32::try_from(self.nanos).ok()?);
        (nanos < 1_000_000_000).then(|| std::time::Duration::new(seconds, nanos))
    }
}
