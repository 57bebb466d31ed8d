//! The network filters that are simple.

use bytes::Bytes;

use super::{Context, rbac::rules, source};
use crate::{
    model::{ConnectionLimit, NetworkRbac, RbacRule, RbacRules, RuntimeFeatureFlag},
    proto::envoy::extensions::filters::network::{
        connection_limit::v3::ConnectionLimit as ConnectionLimitMessage,
        direct_response::v3::Config as DirectResponseMessage,
        rbac::v3::{Rbac as RbacMessage, rbac::EnforcementType},
    },
};

/// The most that a direct response may have, in bytes, as the file of any other data that is sent.
const MAX_RESPONSE: usize = 128 * 1024 * 1024;

/// Converts a limit of connections.
pub(super) fn connection_limit(context: &mut Context<'_>, message: ConnectionLimitMessage) -> Option<ConnectionLimit> {
    let max_connections = context.required("max_connections", message.max_connections)?;
    let enabled = message.runtime_enabled.map_or_else(
        || RuntimeFeatureFlag { default: true, key: String::new() },
        |flag| RuntimeFeatureFlag { default: flag.default_value == Some(true), key: flag.runtime_key },
    );
    Some(ConnectionLimit {
        stat_prefix: message.stat_prefix,
        max_connections,
        delay: context.duration("delay", message.delay).filter(|delay| !delay.is_zero()),
        enabled,
    })
}

/// Converts what is sent to everybody.
pub(super) fn direct_response(context: &mut Context<'_>, message: DirectResponseMessage) -> Option<Bytes> {
    match message.response {
        Some(response) => context.field("response", |context| source::read(context, response, MAX_RESPONSE)),
        None => Some(Bytes::new()),
    }
}

/// Converts role based access control of connections.
pub(super) fn network_rbac(context: &mut Context<'_>, message: RbacMessage) -> NetworkRbac {
    let mut converted = |field: &str, message: Option<_>| {
        let rules = message.map(|message| context.field(field, |context| rules(context, message)));
        if let Some(header) = rules.as_ref().and_then(header_of) {
            context.error_at(
                field,
                format!("found a rule over the header {header}, which the RBAC network filter does not support"),
            );
        }
        rules
    };
    let (rules, shadow_rules) = (converted("rules", message.rules), converted("shadow_rules", message.shadow_rules));
    NetworkRbac {
        rules,
        shadow_rules,
        shadow_rules_stat_prefix: message.shadow_rules_stat_prefix,
        stat_prefix: message.stat_prefix,
        continuous: message.enforcement_type == EnforcementType::Continuous as i32,
        delay_deny: context.duration("delay_deny", message.delay_deny).filter(|delay| !delay.is_zero()),
    }
}

/// A header that rules look at.
fn header_of(rules: &RbacRules) -> Option<&str> {
    let all = rules.policies.iter().flat_map(|policy| policy.permissions.iter().chain(&policy.principals));
    all.filter_map(header_in).next()
}

fn header_in(rule: &RbacRule) -> Option<&str> {
    match rule {
        RbacRule::Header(header) => Some(&header.name),
        RbacRule::And(rules) | RbacRule::Or(rules) => rules.iter().find_map(header_in),
        RbacRule::Not(rule) => header_in(rule),
        _ => None,
    }
}
