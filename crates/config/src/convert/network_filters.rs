//! The network filters of a filter chain.

use std::collections::HashSet;

use prost_types::Any;

use super::{
    Context,
    http_connection_manager::http_connection_manager,
    simple_network_filters::{connection_limit, direct_response, network_rbac},
    state_filters::network_set_filter_state,
    tcp_proxy::tcp_proxy,
    type_name,
    wasm::{WASM_NETWORK_FILTER, wasm_network_filter},
};
use crate::{
    model::{NetworkFilter, NetworkFilterKind, TerminalFilter},
    proto::envoy::config::listener::v3::{Filter, filter::ConfigType},
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
    let config = message.config_type.as_ref().map(|ConfigType::TypedConfig(config)| config);
    let Some((type_name, config)) = config.map(|config| (type_name(config), config)) else {
        context.unknown_extension("network filter", &name, None);
        return None;
    };
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
            let kind = network_filter_kind(context, &name, config)?;
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

/// What a filter is, by the type of its configuration.
fn network_filter_kind(context: &mut Context<'_>, name: &str, config: &Any) -> Option<NetworkFilterKind> {
    match type_name(config) {
        WASM_NETWORK_FILTER => wasm_network_filter(context, config).map(|wasm| NetworkFilterKind::Wasm(Box::new(wasm))),
        CONNECTION_LIMIT => context.field("typed_config", |context| {
            let message = context.unpack(config)?;
            connection_limit(context, message).map(NetworkFilterKind::ConnectionLimit)
        }),
        RBAC => context.field("typed_config", |context| {
            let message = context.unpack(config)?;
            Some(NetworkFilterKind::Rbac(Box::new(network_rbac(context, message))))
        }),
        DIRECT_RESPONSE => context.field("typed_config", |context| {
            let message = context.unpack(config)?;
            direct_response(context, message).map(NetworkFilterKind::DirectResponse)
        }),
        SET_FILTER_STATE => context.field("typed_config", |context| {
            let message = context.unpack(config)?;
            Some(NetworkFilterKind::SetFilterState(Box::new(network_set_filter_state(context, message))))
        }),
        SNI_CLUSTER => Some(NetworkFilterKind::SniCluster),
        ECHO => Some(NetworkFilterKind::Echo),
        _ => {
            context.unknown_extension("network filter", name, Some(config));
            None
        }
    }
}
