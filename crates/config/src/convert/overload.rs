//! The overload manager.

use super::{Context, type_name};
use crate::proto::envoy::{
    config::overload::v3::{OverloadManager, ResourceMonitor, resource_monitor::ConfigType},
    extensions::resource_monitors::downstream_connections::v3::DownstreamConnectionsConfig,
};

const DOWNSTREAM_CONNECTIONS: &str =
    "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig";

/// Converts it to the most connections that clients may have, if it says so.
pub(super) fn max_downstream_connections(context: &mut Context<'_>, message: OverloadManager) -> Option<u64> {
    let mut found = false;
    let most = context.list("resource_monitors", message.resource_monitors, |context, monitor| {
        let limit = resource_monitor(context, &monitor)?;
        if std::mem::replace(&mut found, true) {
            context.error(format!("Duplicate resource monitor {}", monitor.name));
        }
        Some(limit)
    });
    most.into_iter().next()
}

fn resource_monitor(context: &mut Context<'_>, monitor: &ResourceMonitor) -> Option<u64> {
    let config = monitor.config_type.as_ref().map(|ConfigType::TypedConfig(config)| config);
    let Some(config) = config.filter(|config| type_name(config) == DOWNSTREAM_CONNECTIONS) else {
        context.unknown_extension("resource monitor", &monitor.name, config);
        return None;
    };
    context.field("typed_config", |context| {
        let DownstreamConnectionsConfig { max_active_downstream_connections } = context.unpack(config)?;
        // The rules of the schema let nothing else pass than numbers above zero.
        u64::try_from(max_active_downstream_connections).ok()
    })
}
