//! What a connection manager makes of requests before routes see them.

use std::net::IpAddr;

use super::{Context, header_mutations::header_value_option, matcher, type_name};
use crate::{
    model::{
        CidrRange, ClientCertDetails, EscapedSlashesAction, ForwardClientCert, HeaderMutation, OriginalIpDetection,
        PathOptions, StripPort,
    },
    proto::envoy::{
        config::{
            common::mutation_rules::v3::{
                HeaderMutation as MutationMessage, header_mutation::Action as MutationAction,
            },
            core::v3::{CidrRange as CidrMessage, TypedExtensionConfig},
        },
        extensions::{
            filters::network::http_connection_manager::v3::{
                HttpConnectionManager,
                http_connection_manager::{
                    ForwardClientCertDetails, PathWithEscapedSlashesAction as Action, StripPortMode,
                },
            },
            http::{
                early_header_mutation::header_mutation::v3::HeaderMutation as EarlyMutation,
                original_ip_detection::{custom_header::v3::CustomHeaderConfig, xff::v3::XffConfig},
            },
        },
    },
};

const CUSTOM_HEADER: &str = "envoy.extensions.http.original_ip_detection.custom_header.v3.CustomHeaderConfig";
const EARLY_MUTATION: &str = "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation";
const XFF: &str = "envoy.extensions.http.original_ip_detection.xff.v3.XffConfig";

/// Converts what concerns paths.
pub(super) fn path(message: &HttpConnectionManager) -> PathOptions {
    PathOptions {
        normalize: message.normalize_path.unwrap_or_default(),
        merge_slashes: message.merge_slashes,
        escaped_slashes: match Action::try_from(message.path_with_escaped_slashes_action) {
            Ok(Action::RejectRequest) => EscapedSlashesAction::RejectRequest,
            Ok(Action::UnescapeAndRedirect) => EscapedSlashesAction::UnescapeAndRedirect,
            Ok(Action::UnescapeAndForward) => EscapedSlashesAction::UnescapeAndForward,
            Ok(Action::KeepUnchanged | Action::ImplementationSpecificDefault) | Err(_) => {
                EscapedSlashesAction::KeepUnchanged
            }
        },
    }
}

/// Converts which ports are taken away.
pub(super) fn strip_port(context: &mut Context<'_>, message: &HttpConnectionManager) -> StripPort {
    match message.strip_port_mode {
        Some(StripPortMode::StripAnyHostPort(true)) if message.strip_matching_host_port => {
            context.error("Error: Only one of `strip_matching_host_port` or `strip_any_host_port` can be set.");
            StripPort::Any
        }
        Some(StripPortMode::StripAnyHostPort(true)) => StripPort::Any,
        _ if message.strip_matching_host_port => StripPort::Matching,
        _ => StripPort::None,
    }
}

/// Converts what happens to `x-forwarded-client-cert`.
pub(super) fn forward_client_cert(message: &HttpConnectionManager) -> ForwardClientCert {
    match ForwardClientCertDetails::try_from(message.forward_client_cert_details) {
        Ok(ForwardClientCertDetails::Sanitize) | Err(_) => ForwardClientCert::Sanitize,
        Ok(ForwardClientCertDetails::ForwardOnly) => ForwardClientCert::ForwardOnly,
        Ok(ForwardClientCertDetails::AppendForward) => ForwardClientCert::AppendForward,
        Ok(ForwardClientCertDetails::SanitizeSet) => ForwardClientCert::SanitizeSet,
        Ok(ForwardClientCertDetails::AlwaysForwardOnly) => ForwardClientCert::AlwaysForwardOnly,
    }
}

/// Converts what `x-forwarded-client-cert` tells.
pub(super) fn client_cert_details(message: &HttpConnectionManager) -> ClientCertDetails {
    message.set_current_client_cert_details.as_ref().map_or_else(ClientCertDetails::default, |details| {
        ClientCertDetails {
            subject: details.subject == Some(true),
            cert: details.cert,
            chain: details.chain,
            dns: details.dns,
            uri: details.uri,
        }
    })
}

/// Converts a range of addresses.
pub(super) fn cidr_range(context: &mut Context<'_>, message: CidrMessage) -> Option<CidrRange> {
    let Ok(address) = message.address_prefix.parse::<IpAddr>() else {
        context.error_at("address_prefix", format!("malformed IP address: {}", message.address_prefix));
        return None;
    };
    let most = if address.is_ipv4() { 32 } else { 128 };
    // What is longer than an address is as long as one (observed in Envoy 1.40).
    let prefix_len = u8::try_from(message.prefix_len.unwrap_or_default().min(most)).unwrap_or_default();
    Some(CidrRange { address, prefix_len })
}

/// Converts where the client's address comes from.
pub(super) fn original_ip_detection(
    context: &mut Context<'_>,
    message: TypedExtensionConfig,
) -> Option<OriginalIpDetection> {
    let config = message.typed_config.as_ref();
    match config.map(|config| (type_name(config), config)) {
        Some((XFF, config)) => {
            let xff: XffConfig = context.field("typed_config", |context| context.unpack(config))?;
            Some(OriginalIpDetection::Xff {
                trusted_hops: xff.xff_num_trusted_hops,
                skip_append: xff.skip_xff_append.unwrap_or(true),
            })
        }
        Some((CUSTOM_HEADER, config)) => {
            let custom: CustomHeaderConfig = context.field("typed_config", |context| context.unpack(config))?;
            // Other codes are no errors, and stand for 403 (observed in Envoy 1.40).
            let reject_status = custom
                .reject_with_status
                .map(|status| u16::try_from(status.code).ok().filter(|code| (400..=511).contains(code)).unwrap_or(403));
            Some(OriginalIpDetection::CustomHeader {
                name: custom.header_name.to_ascii_lowercase(),
                trusted: custom.allow_extension_to_set_address_as_trusted,
                reject_status,
            })
        }
        _ => {
            context.unknown_extension("original IP detection extension", &message.name, config);
            None
        }
    }
}

/// Converts changes of headers before the route is chosen.
pub(super) fn early_header_mutation(
    context: &mut Context<'_>,
    message: TypedExtensionConfig,
) -> Option<Vec<HeaderMutation>> {
    let config = message.typed_config.as_ref();
    match config.map(|config| (type_name(config), config)) {
        Some((EARLY_MUTATION, config)) => context.field("typed_config", |context| {
            let message: EarlyMutation = context.unpack(config)?;
            Some(context.list("mutations", message.mutations, header_mutation))
        }),
        _ => {
            context.unknown_extension("early header mutation extension", &message.name, config);
            None
        }
    }
}

fn header_mutation(context: &mut Context<'_>, message: MutationMessage) -> Option<HeaderMutation> {
    Some(match context.required("an action", message.action)? {
        MutationAction::Remove(name) => HeaderMutation::Remove(name.to_ascii_lowercase()),
        MutationAction::RemoveOnMatch(action) => {
            let matcher = context.required("key_matcher", action.key_matcher)?;
            let matcher = context.field("remove_on_match.key_matcher", |context| matcher::string(context, matcher))?;
            HeaderMutation::RemoveOnMatch(matcher)
        }
        MutationAction::Append(option) => {
            HeaderMutation::Append(context.field("append", |context| header_value_option(context, option))?)
        }
    })
}
