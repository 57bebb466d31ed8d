//! Role based access control.

use std::sync::Arc;

use prost_types::Any;
use sandgate_expression::{CompileError, Environment, Expression};

use super::{Context, matcher, request_options::cidr_range};
use crate::{
    model::{HttpRbac, RbacAction, RbacPolicy, RbacRule, RbacRules},
    proto::envoy::{
        config::rbac::v3::{
            MetadataSource, Permission, Policy, Principal, Rbac as Rules, SourcedMetadata, permission::Rule,
            principal::Identifier, rbac::Action,
        },
        extensions::filters::http::rbac::v3::{Rbac as HttpMessage, RbacPerRoute},
        r#type::{matcher::v3 as types, v3::Int32Range},
    },
    report::key_path,
};

pub(super) const HTTP_RBAC: &str = "envoy.extensions.filters.http.rbac.v3.RBAC";
pub(super) const RBAC_PER_ROUTE: &str = "envoy.extensions.filters.http.rbac.v3.RBACPerRoute";

/// Converts the HTTP filter's configuration.
pub(super) fn http_rbac(context: &mut Context<'_>, config: &Any) -> Option<Arc<HttpRbac>> {
    let message: HttpMessage = context.unpack(config)?;
    Some(Arc::new(http_message(context, message)))
}

/// Converts what a route says; without rules there is nothing to decide, and requests pass.
pub(super) fn rbac_per_route(context: &mut Context<'_>, config: &Any) -> Option<Arc<HttpRbac>> {
    let message: RbacPerRoute = context.unpack(config)?;
    let rbac = context.field("rbac", |context| http_message(context, message.rbac.unwrap_or_default()));
    Some(Arc::new(rbac))
}

fn http_message(context: &mut Context<'_>, message: HttpMessage) -> HttpRbac {
    HttpRbac {
        rules: message.rules.map(|message| context.field("rules", |context| rules(context, message))),
        shadow_rules: message
            .shadow_rules
            .map(|message| context.field("shadow_rules", |context| rules(context, message))),
        rules_stat_prefix: message.rules_stat_prefix,
        shadow_rules_stat_prefix: message.shadow_rules_stat_prefix,
        track_per_rule_stats: message.track_per_rule_stats,
    }
}

/// Converts rules.
pub(super) fn rules(context: &mut Context<'_>, message: Rules) -> RbacRules {
    let mut policies = Vec::new();
    // The reader keeps maps in the order of their keys.
    for (name, message) in message.policies {
        let path = key_path("policies", &name);
        policies.push(context.field(&path, |context| policy(context, name, message)));
    }
    let action = match Action::try_from(message.action) {
        Ok(Action::Deny) => RbacAction::Deny,
        Ok(Action::Log) => RbacAction::Log,
        Ok(Action::Allow) | Err(_) => RbacAction::Allow,
    };
    RbacRules { action, policies }
}

fn policy(context: &mut Context<'_>, name: String, message: Policy) -> RbacPolicy {
    RbacPolicy {
        name,
        permissions: context.list("permissions", message.permissions, permission),
        principals: context.list("principals", message.principals, principal),
        condition: message.condition.and_then(|message| condition(context, &message)),
    }
}

fn condition(context: &mut Context<'_>, message: &[u8]) -> Option<Arc<Expression>> {
    match Expression::from_message(message, &Environment::filters()) {
        Ok(expression) => Some(Arc::new(expression)),
        Err(CompileError::Syntax(what) | CompileError::Unknown(what)) => {
            context.error_at("condition", format!("failed to create an expression: {what}"));
            None
        }
    }
}

fn permission(context: &mut Context<'_>, message: Permission) -> Option<RbacRule> {
    Some(match context.required("rule", message.rule)? {
        Rule::Any(_) => RbacRule::Any,
        Rule::AndRules(set) => {
            RbacRule::And(context.field("and_rules", |context| context.list("rules", set.rules, permission)))
        }
        Rule::OrRules(set) => {
            RbacRule::Or(context.field("or_rules", |context| context.list("rules", set.rules, permission)))
        }
        Rule::NotRule(rule) => {
            RbacRule::Not(Box::new(context.field("not_rule", |context| permission(context, *rule))?))
        }
        Rule::Header(header) => RbacRule::Header(context.field("header", |context| matcher::header(context, header))?),
        Rule::UrlPath(path) => url_path(context, path)?,
        Rule::Metadata(metadata) => {
            RbacRule::DynamicMetadata(context.field("metadata", |context| matcher::metadata(context, metadata))?)
        }
        Rule::SourcedMetadata(metadata) => sourced_metadata(context, metadata)?,
        Rule::RequestedServerName(name) => RbacRule::RequestedServerName(
            context.field("requested_server_name", |context| matcher::string(context, name))?,
        ),
        Rule::DestinationIp(range) => {
            RbacRule::DestinationIp(context.field("destination_ip", |context| cidr_range(context, range))?)
        }
        // A rule bounds it.
        Rule::DestinationPort(port) => RbacRule::DestinationPort(u16::try_from(port).ok()?),
        Rule::DestinationPortRange(range) => port_range(context, range)?,
    })
}

fn principal(context: &mut Context<'_>, message: Principal) -> Option<RbacRule> {
    Some(match context.required("identifier", message.identifier)? {
        Identifier::Any(_) => RbacRule::Any,
        Identifier::AndIds(set) => {
            RbacRule::And(context.field("and_ids", |context| context.list("ids", set.ids, principal)))
        }
        Identifier::OrIds(set) => {
            RbacRule::Or(context.field("or_ids", |context| context.list("ids", set.ids, principal)))
        }
        Identifier::NotId(id) => RbacRule::Not(Box::new(context.field("not_id", |context| principal(context, *id))?)),
        Identifier::Header(header) => {
            RbacRule::Header(context.field("header", |context| matcher::header(context, header))?)
        }
        Identifier::UrlPath(path) => url_path(context, path)?,
        Identifier::Metadata(metadata) => {
            RbacRule::DynamicMetadata(context.field("metadata", |context| matcher::metadata(context, metadata))?)
        }
        Identifier::SourcedMetadata(metadata) => sourced_metadata(context, metadata)?,
        Identifier::FilterState(state) => context.field("filter_state", |context| {
            let types::filter_state_matcher::Matcher::StringMatch(value) =
                context.required("a matcher", state.matcher)?;
            let value = context.field("string_match", |context| matcher::string(context, value))?;
            Some(RbacRule::FilterState { key: state.key, value })
        })?,
        Identifier::SourceIp(range) => {
            RbacRule::SourceIp(context.field("source_ip", |context| cidr_range(context, range))?)
        }
        Identifier::DirectRemoteIp(range) => {
            RbacRule::DirectRemoteIp(context.field("direct_remote_ip", |context| cidr_range(context, range))?)
        }
        Identifier::RemoteIp(range) => {
            RbacRule::RemoteIp(context.field("remote_ip", |context| cidr_range(context, range))?)
        }
        Identifier::Authenticated(authenticated) => {
            let name = match authenticated.principal_name {
                Some(name) => {
                    Some(context.field("authenticated.principal_name", |context| matcher::string(context, name))?)
                }
                None => None,
            };
            RbacRule::Authenticated(name)
        }
    })
}

fn url_path(context: &mut Context<'_>, message: types::PathMatcher) -> Option<RbacRule> {
    context.field("url_path", |context| {
        let types::path_matcher::Rule::Path(path) = context.required("rule", message.rule)?;
        Some(RbacRule::UrlPath(context.field("path", |context| matcher::string(context, path))?))
    })
}

fn sourced_metadata(context: &mut Context<'_>, message: SourcedMetadata) -> Option<RbacRule> {
    context.field("sourced_metadata", |context| {
        let metadata = context.required("metadata_matcher", message.metadata_matcher)?;
        let metadata = context.field("metadata_matcher", |context| matcher::metadata(context, metadata))?;
        Some(match MetadataSource::try_from(message.metadata_source) {
            Ok(MetadataSource::Route) => RbacRule::RouteMetadata(metadata),
            Ok(MetadataSource::Dynamic) | Err(_) => RbacRule::DynamicMetadata(metadata),
        })
    })
}

/// The texts are Envoy's.
fn port_range(context: &mut Context<'_>, range: Int32Range) -> Option<RbacRule> {
    context.field("destination_port_range", |context| {
        let Int32Range { start, end } = range;
        let port = |port: i32| u32::try_from(port).ok().filter(|port| *port <= 65_536);
        let error = match (port(start), port(end)) {
            (Some(start), Some(end)) if start < end => return Some(RbacRule::DestinationPortRange { start, end }),
            (None, _) => format!("range start {start} is out of bounds"),
            (_, None) => format!("range end {end} is out of bounds"),
            _ => format!("range start {start} cannot be greater or equal than range end {end}"),
        };
        context.error(error);
        None
    })
}
