//! Which connections a filter chain is for.

use super::{Context, request_options::cidr_range};
use crate::{
    model::{FilterChain, FilterChainMatch, FilterChainTree, Overlap, SourceType},
    proto::envoy::config::listener::v3::{self as proto, filter_chain_match::ConnectionSourceType},
};

/// Converts the criteria.
pub(super) fn filter_chain_match(context: &mut Context<'_>, message: proto::FilterChainMatch) -> FilterChainMatch {
    let partial = |name: &String| name.contains('*') && !name.starts_with("*.");
    if message.server_names.iter().any(partial) {
        context.error_at("server_names", "partial wildcards are not supported in \"server_names\"");
    }
    FilterChainMatch {
        destination_port: message.destination_port.and_then(|port| u16::try_from(port).ok()),
        prefix_ranges: context.list("prefix_ranges", message.prefix_ranges, cidr_range),
        server_names: message.server_names.iter().map(|name| name.to_ascii_lowercase()).collect(),
        transport_protocol: message.transport_protocol,
        application_protocols: message.application_protocols,
        direct_source_prefix_ranges: context.list(
            "direct_source_prefix_ranges",
            message.direct_source_prefix_ranges,
            cidr_range,
        ),
        source_type: match ConnectionSourceType::try_from(message.source_type) {
            Ok(ConnectionSourceType::SameIpOrLoopback) => SourceType::SameIpOrLoopback,
            Ok(ConnectionSourceType::External) => SourceType::External,
            Ok(ConnectionSourceType::Any) | Err(_) => SourceType::Any,
        },
        source_prefix_ranges: context.list("source_prefix_ranges", message.source_prefix_ranges, cidr_range),
        source_ports: message.source_ports.into_iter().filter_map(|port| u16::try_from(port).ok()).collect(),
    }
}

/// How a chain is chosen among `chains`, whose rules may have nothing in common.
pub(super) fn filter_chain_tree(context: &mut Context<'_>, chains: &[FilterChain]) -> FilterChainTree {
    let mut tree = FilterChainTree::default();
    for (index, chain) in chains.iter().enumerate() {
        let same = chains.iter().take(index).find(|other| other.filter_chain_match == chain.filter_chain_match);
        if let Some(same) = same {
            let (name, other) = (&chain.name, &same.name);
            let message = format!("filter chain '{name}' has the same matching rules defined as '{other}'");
            context.error_at(&format!("filter_chains[{index}]"), message);
        } else if tree.add(&chain.filter_chain_match, index) == Err(Overlap) {
            let message = "multiple filter chains with overlapping matching rules are defined";
            context.error_at(&format!("filter_chains[{index}].filter_chain_match"), message);
        }
    }
    tree
}
