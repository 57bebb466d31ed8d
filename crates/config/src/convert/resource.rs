//! Single resources, as a control plane or a file tells them.

use std::collections::HashSet;

use super::{Context, cluster, discovery::discovered_kind, listener, route, runtime, tls, type_name};
use crate::{
    model::{Cluster, ClusterLoadAssignment, ExtensionConfig, Listener, RouteConfiguration, RuntimeResource, Secret},
    proto::envoy::{
        config::{
            cluster::v3::Cluster as ClusterMessage, core::v3::TypedExtensionConfig, endpoint::v3 as endpoint,
            listener::v3::Listener as ListenerMessage, route::v3::RouteConfiguration as RouteMessage,
        },
        extensions::transport_sockets::tls::v3::Secret as SecretMessage,
        service::runtime::v3::Runtime,
    },
};

/// By how much, in percent, healthy endpoints are taken to be more than they are.
const OVERPROVISIONING_FACTOR: u32 = 140;

/// Routes in it must lead to clusters that exist, as in a static one (observed in Envoy 1.40).
pub(crate) fn listener(
    context: &mut Context<'_>,
    message: ListenerMessage,
    clusters: &HashSet<String>,
) -> Option<Listener> {
    listener::listener(context, message, clusters)
}

pub(crate) fn cluster(context: &mut Context<'_>, message: ClusterMessage) -> Option<Cluster> {
    cluster::cluster(context, message)
}

/// Its routes may lead to clusters that do not exist, unless it says otherwise.
pub(crate) fn route_configuration(
    context: &mut Context<'_>,
    message: RouteMessage,
    clusters: &HashSet<String>,
) -> RouteConfiguration {
    route::route_configuration(context, message, clusters, false)
}

pub(crate) fn endpoints(
    context: &mut Context<'_>,
    message: endpoint::ClusterLoadAssignment,
) -> Option<ClusterLoadAssignment> {
    let policy = message.policy.unwrap_or_default();
    let localities = context
        .list("endpoints", message.endpoints, |context, message| Some(cluster::locality(context, message, false)));
    let endpoint_stale_after = context.field("policy", |context| {
        context.duration("endpoint_stale_after", policy.endpoint_stale_after).filter(|time| !time.is_zero())
    });
    Some(ClusterLoadAssignment {
        cluster_name: message.cluster_name,
        localities,
        overprovisioning_factor: policy.overprovisioning_factor.unwrap_or(OVERPROVISIONING_FACTOR),
        weighted_priority_health: policy.weighted_priority_health,
        endpoint_stale_after,
        origin: context.origin(),
    })
}

pub(crate) fn secret(context: &mut Context<'_>, message: SecretMessage) -> Option<Secret> {
    tls::secret(context, message)
}

pub(crate) fn extension(context: &mut Context<'_>, message: TypedExtensionConfig) -> Option<ExtensionConfig> {
    let config = message.typed_config.as_ref();
    let found = config.and_then(|config| {
        let kind = context.field("typed_config", |context| discovered_kind(context, config))?;
        Some((type_name(config).to_owned(), kind))
    });
    let Some((type_url, kind)) = found else {
        if !context.report.has_errors() {
            context.unknown_extension("HTTP or network filter", &message.name, config);
        }
        return None;
    };
    Some(ExtensionConfig { name: message.name, type_url, kind, origin: context.origin() })
}

pub(crate) fn runtime(context: &mut Context<'_>, message: Runtime) -> Option<RuntimeResource> {
    let values = message.layer.unwrap_or_default();
    let values = context.field("layer", |context| runtime::static_layer(context, values));
    Some(RuntimeResource { name: message.name, values })
}
