//! What a connection manager makes of requests before routes see them.

use std::net::IpAddr;

use super::{Context, type_name};
use crate::{
    model::{CidrRange, EscapedSlashesAction, ForwardClientCert, OriginalIpDetection, PathOptions, StripPort},
    proto::envoy::{
        config::core::v3::{CidrRange as CidrMessage, TypedExtensionConfig},
        extensions::{
            filters::network::http_connection_manager::v3::{
                HttpConnectionManager,
                http_connection_manager::{
                    ForwardClientCertDetails, PathWithEscapedSlashesAction as Action, StripPortMode,
                },
            },
            http::original_ip_detection::xff::v3::XffConfig,
        },
    },
};

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
        Ok(ForwardClientCertDetails::AlwaysForwardOnly) => ForwardClientCert::AlwaysForward,
        _ => ForwardClientCert::Sanitize,
    }
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
        _ => {
            context.unknown_extension("original IP detection extension", &message.name, config);
            None
        }
    }
}
