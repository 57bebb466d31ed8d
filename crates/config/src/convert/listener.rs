//! Listeners.

use std::{collections::HashSet, sync::Arc, time::Duration};

use super::{
    Context, address,
    filter_chain_match::{filter_chain_match, filter_chain_tree},
    listener_filters::listener_filter,
    network_filters::network_filters,
    tls,
};
use crate::{
    model::{DrainType, FilterChain, GlobalConnectionLimit, Listener, TrafficDirection},
    proto::envoy::config::{core::v3::TrafficDirection as Direction, listener::v3 as proto},
};

/// How long listener filters may take, unless the configuration says otherwise.
const LISTENER_FILTERS_TIMEOUT: Duration = Duration::from_secs(15);

/// Converts a listener.
pub(super) fn listener(
    context: &mut Context<'_>,
    message: proto::Listener,
    clusters: &HashSet<String>,
) -> Option<Listener> {
    let address = context.required("address", message.address);
    let address =
        address.and_then(|address| context.field("address", |context| address::bind_address(context, address)));
    let mut filter_chains =
        context.list("filter_chains", message.filter_chains, |context, chain| filter_chain(context, chain, clusters));
    let filter_chain_tree = filter_chain_tree(context, &filter_chains);
    let mut default_filter_chain = None;
    if let Some(chain) = message.default_filter_chain {
        let chain = context.field("default_filter_chain", |context| filter_chain(context, chain, clusters));
        default_filter_chain = chain.is_some().then_some(filter_chains.len());
        filter_chains.extend(chain);
    } else if filter_chains.is_empty() && !context.report.has_errors() {
        context.error("no filter chains specified");
    }
    let listener_filters = context.list("listener_filters", message.listener_filters, listener_filter);
    let listener_filters_timeout =
        context.limit("listener_filters_timeout", message.listener_filters_timeout, Some(LISTENER_FILTERS_TIMEOUT));
    let (address, ipv4_compat) = address?;
    Some(Listener {
        name: if message.name.is_empty() { random_name(address, &context.path) } else { message.name },
        address,
        ipv4_compat,
        stat_prefix: message.stat_prefix,
        traffic_direction: match Direction::try_from(message.traffic_direction) {
            Ok(Direction::Inbound) => TrafficDirection::Inbound,
            Ok(Direction::Outbound) => TrafficDirection::Outbound,
            Ok(Direction::Unspecified) | Err(_) => TrafficDirection::Unspecified,
        },
        metadata: message.metadata.map(Into::into),
        drain_type: match proto::listener::DrainType::try_from(message.drain_type) {
            Ok(proto::listener::DrainType::ModifyOnly) => DrainType::ModifyOnly,
            Ok(proto::listener::DrainType::Default) | Err(_) => DrainType::Default,
        },
        enable_reuse_port: message.enable_reuse_port.unwrap_or(true),
        per_connection_buffer_limit_bytes: message.per_connection_buffer_limit_bytes.unwrap_or(1 << 20),
        tcp_backlog_size: message.tcp_backlog_size,
        global_connection_limit: match (message.ignore_global_conn_limit, message.bypass_overload_manager) {
            (true, _) => GlobalConnectionLimit::Ignored,
            (false, true) => GlobalConnectionLimit::RuntimeOnly,
            (false, false) => GlobalConnectionLimit::Enforced,
        },
        listener_filters,
        listener_filters_timeout,
        continue_on_listener_filters_timeout: message.continue_on_listener_filters_timeout,
        filter_chains,
        filter_chain_tree,
        default_filter_chain,
        origin: context.origin(),
    })
}

/// Envoy makes up a random name; one that is the same at every start serves better in stats.
fn random_name(address: std::net::SocketAddr, path: &str) -> String {
    if path.is_empty() { address.to_string() } else { format!("{address}-{path}") }
}

fn filter_chain(
    context: &mut Context<'_>,
    message: proto::FilterChain,
    clusters: &HashSet<String>,
) -> Option<FilterChain> {
    let tls = tls::downstream_socket(context, message.transport_socket.as_ref());
    let connect_timeout =
        context.limit("transport_socket_connect_timeout", message.transport_socket_connect_timeout, None);
    let criteria = message.filter_chain_match.unwrap_or_default();
    let filter_chain_match = context.field("filter_chain_match", |context| filter_chain_match(context, criteria));
    let (network_filters, terminal) = network_filters(context, message.filters, clusters)?;
    Some(FilterChain {
        name: message.name,
        filter_chain_match,
        tls: tls.map(Arc::new),
        transport_socket_connect_timeout: connect_timeout,
        network_filters,
        terminal,
    })
}
