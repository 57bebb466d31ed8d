//! Resources as they come.

use std::time::Duration;

use bytes::Bytes;

use crate::ResourceType;

/// One resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// What it is asked for by.
    pub name: String,
    /// Its own version with delta, else that of the response.
    pub version: String,
    /// The message; nothing if the control plane has sent none, which subscribers are to refuse.
    pub body: Option<Bytes>,
    /// What the body is.
    pub type_url: String,
    /// How long it lives unless it is renewed.
    pub ttl: Option<Duration>,
}

/// What somebody who subscribed to resources of a type is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// Of all the resources.
    pub resource_type: ResourceType,
    /// `version_info`, `system_version_info` with delta. Empty if nobody said so: resources whose time was over.
    pub version: String,
    /// Of those that were subscribed to.
    pub resources: Vec<Resource>,
    /// Names of those that are gone; only with delta, and where the time of a resource is over.
    pub removed: Vec<String>,
    /// Whether what is not in `resources` stays as it is.
    pub is_delta: bool,
}
