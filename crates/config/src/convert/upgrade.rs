//! Upgrades and CONNECT.

use std::collections::HashSet;

use super::{Context, http_filters::http_filters};
use crate::{
    model::{ConnectConfig, HttpFilter, HttpFilterKind, RouteUpgrade, Router, UpgradeConfig},
    proto::envoy::{
        config::route::v3::route_action::UpgradeConfig as RouteMessage,
        extensions::filters::network::http_connection_manager::v3::http_connection_manager::UpgradeConfig as Message,
    },
};

/// What the connection manager says of upgrades; `filters` are those of all requests.
pub(super) fn of_connection_manager(
    context: &mut Context<'_>,
    messages: Vec<Message>,
    filters: &[HttpFilter],
) -> Vec<UpgradeConfig> {
    let mut names = HashSet::new();
    context.list("upgrade_configs", messages, |context, message| {
        let name = message.upgrade_type;
        if !names.insert(name.to_ascii_lowercase()) {
            context.error(format!("Error: multiple upgrade configs with the same name: '{name}'"));
        }
        let own = (!message.filters.is_empty()).then(|| http_filters(context, "filters", message.filters));
        if own.as_deref().and_then(router).is_some_and(|own| Some(own) != router(filters)) {
            context.error_at("filters", "another router than that of http_filters is not implemented");
        }
        Some(UpgradeConfig { upgrade_type: name, enabled: message.enabled.unwrap_or(true), filters: own })
    })
}

fn router(filters: &[HttpFilter]) -> Option<&Router> {
    filters.iter().find_map(|filter| match &filter.kind {
        HttpFilterKind::Router(router) => Some(router),
        _ => None,
    })
}

/// What a route says of upgrades, and of CONNECT.
pub(super) fn of_route(
    context: &mut Context<'_>,
    messages: Vec<RouteMessage>,
) -> (Vec<RouteUpgrade>, Option<ConnectConfig>) {
    let mut names = HashSet::new();
    let mut connect = None;
    let upgrades = context.list("upgrade_configs", messages, |context, message| {
        let upgrade_type = message.upgrade_type.to_ascii_lowercase();
        if !names.insert(upgrade_type.clone()) {
            context.error(format!("Duplicate upgrade {}", message.upgrade_type));
        }
        if let Some(config) = message.connect_config {
            match upgrade_type.as_str() {
                "connect" => connect = Some(ConnectConfig { allow_post: config.allow_post }),
                "connect-udp" => context.error_at("connect_config", "CONNECT-UDP is not implemented"),
                _ => context.error(format!("Non-CONNECT upgrade type {} has ConnectConfig", message.upgrade_type)),
            }
        }
        Some(RouteUpgrade { upgrade_type, enabled: message.enabled.unwrap_or(true) })
    });
    (upgrades, connect)
}
