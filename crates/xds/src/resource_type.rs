//! The types of resources.

/// What a control plane can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceType {
    /// CDS.
    Cluster,
    /// EDS: the hosts of one cluster.
    Endpoint,
    /// LDS.
    Listener,
    /// RDS.
    Route,
    /// SDS.
    Secret,
    /// ECDS: the configuration of one filter.
    Extension,
    /// RTDS: a layer of the runtime.
    Runtime,
}

impl ResourceType {
    const ALL: [Self; 7] =
        [Self::Cluster, Self::Endpoint, Self::Listener, Self::Route, Self::Secret, Self::Extension, Self::Runtime];

    /// Of its messages, and of responses with them.
    #[must_use]
    pub fn type_url(self) -> &'static str {
        match self {
            Self::Cluster => "type.googleapis.com/envoy.config.cluster.v3.Cluster",
            Self::Endpoint => "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
            Self::Listener => "type.googleapis.com/envoy.config.listener.v3.Listener",
            Self::Route => "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
            Self::Secret => "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
            Self::Extension => "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
            Self::Runtime => "type.googleapis.com/envoy.service.runtime.v3.Runtime",
        }
    }

    /// The type with that URL.
    #[must_use]
    pub fn from_type_url(url: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.type_url() == url)
    }

    /// The full name of its message.
    #[must_use]
    pub fn message_name(self) -> &'static str {
        self.type_url().rsplit('/').next().unwrap_or_default()
    }

    /// The gRPC service that has only this type.
    #[must_use]
    pub fn service(self) -> &'static str {
        match self {
            Self::Cluster => "envoy.service.cluster.v3.ClusterDiscoveryService",
            Self::Endpoint => "envoy.service.endpoint.v3.EndpointDiscoveryService",
            Self::Listener => "envoy.service.listener.v3.ListenerDiscoveryService",
            Self::Route => "envoy.service.route.v3.RouteDiscoveryService",
            Self::Secret => "envoy.service.secret.v3.SecretDiscoveryService",
            Self::Extension => "envoy.service.extension.v3.ExtensionConfigDiscoveryService",
            Self::Runtime => "envoy.service.runtime.v3.RuntimeDiscoveryService",
        }
    }

    /// The method of that service.
    #[must_use]
    pub fn method(self, delta: bool) -> &'static str {
        match (self, delta) {
            (Self::Cluster, false) => "StreamClusters",
            (Self::Cluster, true) => "DeltaClusters",
            (Self::Endpoint, false) => "StreamEndpoints",
            (Self::Endpoint, true) => "DeltaEndpoints",
            (Self::Listener, false) => "StreamListeners",
            (Self::Listener, true) => "DeltaListeners",
            (Self::Route, false) => "StreamRoutes",
            (Self::Route, true) => "DeltaRoutes",
            (Self::Secret, false) => "StreamSecrets",
            (Self::Secret, true) => "DeltaSecrets",
            (Self::Extension, false) => "StreamExtensionConfigs",
            (Self::Extension, true) => "DeltaExtensionConfigs",
            (Self::Runtime, false) => "StreamRuntime",
            (Self::Runtime, true) => "DeltaRuntime",
        }
    }

    /// Types whose requests wait while an update of this type is taken: one request then has all the names that come of it.
    #[must_use]
    pub fn paused_by_update(self) -> &'static [Self] {
        match self {
            Self::Cluster => &[Self::Endpoint, Self::Secret],
            Self::Listener => &[Self::Route, Self::Secret],
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_types() {
        for kind in ResourceType::ALL {
            assert_eq!(ResourceType::from_type_url(kind.type_url()), Some(kind));
        }
        assert_eq!(ResourceType::from_type_url("type.googleapis.com/envoy.config.foo.v3.Foo"), None);
        assert_eq!(ResourceType::from_type_url(""), None);
    }
}
