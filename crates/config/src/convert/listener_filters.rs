//! What looks at a connection before it has a filter chain.

use super::{Context, type_name};
use crate::{
    model::{
        ListenerFilter, ListenerFilterKind, ListenerFilterPredicate, ProxyProtocol, ProxyProtocolRule, TlsInspector,
    },
    proto::envoy::{
        config::{
            core::v3::proxy_protocol_config::Version,
            listener::v3::{
                ListenerFilter as Message, ListenerFilterChainMatchPredicate as Predicate, listener_filter::ConfigType,
                listener_filter_chain_match_predicate::Rule,
            },
        },
        extensions::filters::listener::{
            proxy_protocol::v3::{
                ProxyProtocol as ProxyProtocolMessage,
                proxy_protocol::{Rule as TlvRule, key_value_pair::ValueStringEncoding},
            },
            tls_inspector::v3::TlsInspector as TlsInspectorMessage,
        },
    },
};

const TLS_INSPECTOR: &str = "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector";
const HTTP_INSPECTOR: &str = "envoy.extensions.filters.listener.http_inspector.v3.HttpInspector";
const PROXY_PROTOCOL: &str = "envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol";
const ORIGINAL_DST: &str = "envoy.extensions.filters.listener.original_dst.v3.OriginalDst";
/// The longest ClientHello that is looked at, in bytes.
const MAX_CLIENT_HELLO: u32 = 16 * 1024;
/// Where fields of a header go unless a rule says otherwise.
const PROXY_PROTOCOL_METADATA: &str = "envoy.filters.listener.proxy_protocol";

/// Converts a listener filter.
pub(super) fn listener_filter(context: &mut Context<'_>, message: Message) -> Option<ListenerFilter> {
    let config = message.config_type.as_ref().map(|ConfigType::TypedConfig(config)| config);
    let kind = match config.map(|config| (type_name(config), config)) {
        Some((TLS_INSPECTOR, config)) => context.field("typed_config", |context| {
            let message = context.unpack(config)?;
            Some(ListenerFilterKind::TlsInspector(tls_inspector(message)))
        })?,
        Some((HTTP_INSPECTOR, _)) => ListenerFilterKind::HttpInspector,
        Some((PROXY_PROTOCOL, config)) => context.field("typed_config", |context| {
            let message = context.unpack(config)?;
            Some(ListenerFilterKind::ProxyProtocol(Box::new(proxy_protocol(context, message))))
        })?,
        Some((ORIGINAL_DST, _)) => ListenerFilterKind::OriginalDst,
        _ => {
            context.unknown_extension("listener filter", &message.name, config);
            return None;
        }
    };
    let filter_disabled = match message.filter_disabled {
        None => None,
        Some(rule) => Some(predicate(rule)?),
    };
    Some(ListenerFilter { name: message.name, kind, filter_disabled, origin: context.origin() })
}

/// Nothing if a rule of the schema is broken, which has been said.
fn predicate(message: Predicate) -> Option<ListenerFilterPredicate> {
    let all = |rules: Vec<Predicate>| rules.into_iter().map(predicate).collect::<Option<Vec<_>>>();
    Some(match message.rule? {
        Rule::OrMatch(set) => ListenerFilterPredicate::Or(all(set.rules)?),
        Rule::AndMatch(set) => ListenerFilterPredicate::And(all(set.rules)?),
        Rule::NotMatch(rule) => ListenerFilterPredicate::Not(Box::new(predicate(*rule)?)),
        Rule::AnyMatch(_) => ListenerFilterPredicate::Any,
        Rule::DestinationPortRange(range) => ListenerFilterPredicate::DestinationPort(range.start, range.end),
    })
}

fn tls_inspector(message: TlsInspectorMessage) -> TlsInspector {
    TlsInspector {
        max_client_hello_size: message.max_client_hello_size.unwrap_or(MAX_CLIENT_HELLO) as usize,
        close_on_errors: message.close_connection_on_client_hello_parsing_errors,
    }
}

fn proxy_protocol(context: &mut Context<'_>, message: ProxyProtocolMessage) -> ProxyProtocol {
    let allows = |version: Version| !message.disallowed_versions.contains(&(version as i32));
    let (allow_v1, allow_v2) = (allows(Version::V1), allows(Version::V2));
    if !allow_v1 && !allow_v2 {
        let message = "Proxy Protocol filter is misconfigured: all proxy protocol versions are disallowed.";
        context.error_at("disallowed_versions", message);
    }
    let mut rules: Vec<ProxyProtocolRule> = Vec::new();
    for rule in message.rules.into_iter().filter_map(tlv_rule) {
        // The last one counts.
        rules.retain(|known| known.tlv_type != rule.tlv_type);
        rules.push(rule);
    }
    ProxyProtocol {
        allow_requests_without_proxy_protocol: message.allow_requests_without_proxy_protocol,
        allow_v1,
        allow_v2,
        stat_prefix: if message.stat_prefix.is_empty() { String::new() } else { format!("{}.", message.stat_prefix) },
        rules,
    }
}

/// A rule without a key says nothing.
fn tlv_rule(rule: TlvRule) -> Option<ProxyProtocolRule> {
    let pair = rule.on_tlv_present?;
    let namespace = pair.metadata_namespace;
    Some(ProxyProtocolRule {
        tlv_type: u8::try_from(rule.tlv_type).ok()?,
        namespace: if namespace.is_empty() { PROXY_PROTOCOL_METADATA.to_owned() } else { namespace },
        key: pair.key,
        base64: pair.value_string_encoding == ValueStringEncoding::Base64 as i32,
    })
}
