//! The messages of `envoy.service.status.v3.ClientStatusDiscoveryService`, as far as they are used. What is not declared is
//! passed over.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ClientStatusRequest {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub(super) node_matchers: Vec<Bytes>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ClientStatusResponse {
    #[prost(message, repeated, tag = "1")]
    pub(super) config: Vec<ClientConfig>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ClientConfig {
    /// An `envoy.config.core.v3.Node`, serialized.
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) node: Bytes,
    #[prost(message, repeated, tag = "3")]
    pub(super) generic_xds_configs: Vec<GenericXdsConfig>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct GenericXdsConfig {
    #[prost(string, tag = "1")]
    pub(super) type_url: String,
    #[prost(string, tag = "2")]
    pub(super) name: String,
    #[prost(string, tag = "3")]
    pub(super) version_info: String,
    #[prost(message, optional, tag = "5")]
    pub(super) last_updated: Option<Timestamp>,
    /// An `envoy.admin.v3.ClientResourceStatus`.
    #[prost(int32, tag = "7")]
    pub(super) client_status: i32,
    #[prost(message, optional, tag = "8")]
    pub(super) error_state: Option<UpdateFailureState>,
}

/// `envoy.admin.v3.UpdateFailureState`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct UpdateFailureState {
    #[prost(message, optional, tag = "2")]
    pub(super) last_update_attempt: Option<Timestamp>,
    #[prost(string, tag = "3")]
    pub(super) details: String,
    #[prost(string, tag = "4")]
    pub(super) version_info: String,
}

/// `google.protobuf.Timestamp`.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(super) struct Timestamp {
    #[prost(int64, tag = "1")]
    pub(super) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(super) nanos: i32,
}

// === impl Timestamp ===

impl From<SystemTime> for Timestamp {
    /// A time before 1970 is 1970: no resource is that old.
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
            nanos: i32::try_from(since.subsec_nanos()).unwrap_or(0),
        }
    }
}
