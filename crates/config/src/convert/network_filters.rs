//! The network filters of a filter chain.

use std::{collections::HashSet, sync::Arc};

use prost_types::Any;

use super::{
    Context,
    config_source::resource_name,
    discovery::extension_discovery,
    http_connection_manager::http_connection_manager,
    simple_network_filters::{connection_limit, direct_response, network_rbac},
    state_filters::network_set_filter_state,
    tcp_proxy::tcp_proxy,
    type_name,
    wasm::{WASM_NETWORK_FILTER, wasm_network_filter},
};
use crate::{
    model::{ExtensionDiscovery, FilterCategory, NetworkFilter, NetworkFilterKind, TerminalFilter},
    proto::envoy::config::{
        core::v3::ExtensionConfigSource,
        listener::v3::{Filter, filter::ConfigType},
    },
};

const HTTP_CONNECTION_MANAGER: &str =
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const TCP_PROXY: &str = "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";

const CONNECTION_LIMIT: &str = "envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit";
const RBAC: &str = "envoy.extensions.filters.network.rbac.v3.RBAC";
const DIRECT_RESPONSE: &str = "envoy.extensions.filters.network.direct_response.v3.Config";
const SNI_CLUSTER: &str = "envoy.extensions.filters.network.sni_cluster.v3.SniCluster";
const SET_FILTER_STATE: &str = "envoy.extensions.filters.network.set_filter_state.v3.Config";
const ECHO: &str = "envoy.extensions.filters.network.echo.v3.Echo";

/// Types of filters that can be discovered.
pub(super) const DISCOVERABLE: [&str; 7] =
    [WASM_NETWORK_FILTER, CONNECTION_LIMIT, RBAC, DIRECT_RESPONSE, SNI_CLUSTER, SET_FILTER_STATE, ECHO];
/// Types of those that cannot.
pub(super) const WITH_CODE_OF_THEIR_OWN: [&str; 2] = [HTTP_CONNECTION_MANAGER, TCP_PROXY];

/// A network filter as it is configured.
enum Converted {
    Filter(NetworkFilter),
    Terminal(TerminalFilter),
}

/// Converts what connections pass, and what that ends in.
pub(super) fn network_filters(
    context: &mut Context<'_>,
    messages: Vec<Filter>,
    clusters: &HashSet<String>,
) -> Option<(Vec<NetworkFilter>, TerminalFilter)> {
    let count = messages.len();
    let mut index = 0;
    let converted = context.list("filters", messages, |context, message| {
        index += 1;
        network_filter(context, message, index == count, clusters)
    });
    if count == 0 && !context.report.is_broken(&context.path) {
        context.error("a filter chain without filters would serve nothing");
    }
    let mut filters = Vec::new();
    let mut terminal = TerminalFilter::InChain;
    for filter in converted {
        match filter {
            Converted::Filter(filter) => filters.push(filter),
            Converted::Terminal(last) => terminal = last,
        }
    }
    // What is missing was refused.
    (terminal != TerminalFilter::InChain || !filters.is_empty()).then_some((filters, terminal))
}

fn network_filter(
    context: &mut Context<'_>,
    message: Filter,
    last: bool,
    clusters: &HashSet<String>,
) -> Option<Converted> {
    let name = message.name;
    let config = match &message.config_type {
        Some(ConfigType::TypedConfig(config)) => config,
        Some(ConfigType::ConfigDiscovery(discovery)) => {
            let discovery = discovered(context, discovery, &name, last)?;
            let kind = NetworkFilterKind::Discovered(Arc::new(discovery));
            return Some(Converted::Filter(NetworkFilter { name, kind, origin: context.origin() }));
        }
        None => {
            context.unknown_extension("network filter", &name, None);
            return None;
        }
    };
    let type_name = type_name(config);
    let misplaced =
        |filter: &str| format!("terminal filter named {filter} must be the last filter in a network filter chain");
    if matches!(type_name, HTTP_CONNECTION_MANAGER | TCP_PROXY) && !last {
        context.error(misplaced(&name));
        return None;
    }
    let converted = match type_name {
        HTTP_CONNECTION_MANAGER => Converted::Terminal(TerminalFilter::Http {
            config: Box::new(context.field("typed_config", |context| {
                let message = context.unpack(config)?;
                http_connection_manager(context, message, clusters)
            })?),
            name,
        }),
        TCP_PROXY => Converted::Terminal(TerminalFilter::TcpProxy {
            config: Box::new(context.field("typed_config", |context| {
                let message = context.unpack(config)?;
                tcp_proxy(context, message)
            })?),
            name,
        }),
        _ => {
            if !DISCOVERABLE.contains(&type_name) {
                context.unknown_extension("network filter", &name, Some(config));
                return None;
            }
            let kind = context.field("typed_config", |context| network_filter_kind(context, config))?;
            match kind.is_terminal() {
                true if !last => context.error(misplaced(&name)),
                false if last => context
                    .error(format!("non-terminal filter named {name} is the last filter in a network filter chain")),
                _ => {}
            }
            Converted::Filter(NetworkFilter { name, kind, origin: context.origin() })
        }
    };
    Some(converted)
}

/// Who tells what the filter is.
fn discovered(
    context: &mut Context<'_>,
    discovery: &ExtensionConfigSource,
    name: &str,
    last: bool,
) -> Option<ExtensionDiscovery> {
    resource_name(context, "name", name);
    let place = (FilterCategory::Network, last);
    context.field("config_discovery", |context| extension_discovery(context, discovery.clone(), name, place))
}

/// Converts the configuration of a filter of one of the types that can be discovered; else there is none, and nothing is said.
pub(super) fn network_filter_kind(context: &mut Context<'_>, config: &Any) -> Option<NetworkFilterKind> {
    Some(match type_name(config) {
        WASM_NETWORK_FILTER => NetworkFilterKind::Wasm(Box::new(wasm_network_filter(context, config)?)),
        CONNECTION_LIMIT => {
            let message = context.unpack(config)?;
            NetworkFilterKind::ConnectionLimit(connection_limit(context, message)?)
        }
        RBAC => {
            let message = context.unpack(config)?;
            NetworkFilterKind::Rbac(Box::new(network_rbac(context, message)))
        }
        DIRECT_RESPONSE => {
            let message = context.unpack(config)?;
            NetworkFilterKind::DirectResponse(direct_response(context, message)?)
        }
        SET_FILTER_STATE => {
            let message = context.unpack(config)?;
            NetworkFilterKind::SetFilterState(Box::new(network_set_filter_state(context, message)))
        }
        SNI_CLUSTER => NetworkFilterKind::SniCluster,
        ECHO => NetworkFilterKind::Echo,
        _ => return None,
    })
}
