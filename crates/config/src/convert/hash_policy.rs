//! What a request's hash is made of.

use std::time::Duration;

use super::{Context, matcher};
use crate::{
    model::{HashCookie, HashPolicy, HashSpecifier},
    proto::envoy::config::route::v3::route_action::{self as proto, hash_policy::PolicySpecifier},
};

/// Converts one policy.
pub(super) fn hash_policy(context: &mut Context<'_>, message: proto::HashPolicy) -> Option<HashPolicy> {
    let specifier = match context.required("a policy", message.policy_specifier)? {
        PolicySpecifier::Header(header) => {
            let rewrite = match header.regex_rewrite {
                Some(rewrite) => Some(context.field("header", |context| {
                    context.field("regex_rewrite", |context| matcher::regex_rewrite(context, rewrite))
                })?),
                None => None,
            };
            HashSpecifier::Header { name: header.header_name.to_ascii_lowercase(), rewrite }
        }
        PolicySpecifier::Cookie(cookie) => {
            let ttl = context.field("cookie", |context| context.duration("ttl", cookie.ttl));
            HashSpecifier::Cookie(HashCookie {
                name: cookie.name,
                // Envoy writes whole seconds.
                ttl: ttl.map(|ttl| Duration::from_secs(ttl.as_secs())),
                path: cookie.path,
                attributes: cookie.attributes.into_iter().map(|each| (each.name, each.value)).collect(),
            })
        }
        PolicySpecifier::ConnectionProperties(connection) if connection.source_ip => HashSpecifier::SourceIp,
        // Envoy takes it for no policy at all.
        PolicySpecifier::ConnectionProperties(_) => return None,
        PolicySpecifier::QueryParameter(parameter) => HashSpecifier::QueryParameter(parameter.name),
        PolicySpecifier::FilterState(_) => HashSpecifier::FilterState,
    };
    Some(HashPolicy { specifier, terminal: message.terminal })
}
