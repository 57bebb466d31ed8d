//! TLS contexts.

mod names;
mod parameters;
mod secret;
mod validation;

pub(crate) use self::secret::secret_of;
pub(super) use self::secret::{secret, static_secrets};

use std::time::Duration;

use prost_types::Any;

use self::{
    parameters::{Side, parameters},
    secret::{certificate, sds, ticket_keys},
    validation::validation_source,
};
use super::{Context, type_name};
use crate::{
    model::{CommonTlsContext, DownstreamTlsContext, SecretKind, SecretSource, UpstreamTlsContext},
    proto::envoy::{
        config::core::v3::{TransportSocket, transport_socket::ConfigType},
        extensions::transport_sockets::tls::v3::{self as proto, downstream_tls_context::SessionTicketKeysType},
    },
};

const RAW_BUFFER: &str = "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer";
const DOWNSTREAM: &str = "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";
const UPSTREAM: &str = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";
/// The longest time that fits the field of a session ticket, in seconds.
const MAX_SESSION_SECONDS: u64 = u32::MAX as u64;

/// Converts a filter chain's transport socket; `None` is the plain one.
pub(super) fn downstream_socket(
    context: &mut Context<'_>,
    socket: Option<&TransportSocket>,
) -> Option<DownstreamTlsContext> {
    in_socket(context, socket, DOWNSTREAM, |context, any| {
        let message = context.unpack(any)?;
        downstream(context, message)
    })
}

/// Converts a cluster's transport socket; `None` is the plain one.
pub(super) fn upstream_socket(
    context: &mut Context<'_>,
    socket: Option<&TransportSocket>,
) -> Option<UpstreamTlsContext> {
    in_socket(context, socket, UPSTREAM, |context, any| {
        let message = context.unpack(any)?;
        upstream(context, message)
    })
}

fn in_socket<T>(
    context: &mut Context<'_>,
    socket: Option<&TransportSocket>,
    wanted: &str,
    convert: impl FnOnce(&mut Context<'_>, &Any) -> Option<T>,
) -> Option<T> {
    let socket = socket?;
    context.field("transport_socket", |context| {
        let config = socket.config_type.as_ref().map(|ConfigType::TypedConfig(config)| config);
        match config {
            Some(config) if type_name(config) == RAW_BUFFER => None,
            Some(config) if type_name(config) == wanted => {
                context.field("typed_config", |context| convert(context, config))
            }
            _ => {
                context.unknown_extension("transport socket", &socket.name, config);
                None
            }
        }
    })
}

fn downstream(context: &mut Context<'_>, message: proto::DownstreamTlsContext) -> Option<DownstreamTlsContext> {
    let common = common(context, message.common_tls_context, Side::Server);
    if common.as_ref().is_some_and(|common| common.certificates.is_empty()) {
        context.error("No TLS certificates found for server context");
    }
    let tickets = message.session_ticket_keys_type;
    let stateless_disabled = matches!(tickets, Some(SessionTicketKeysType::DisableStatelessSessionResumption(true)));
    let session_ticket_keys = match tickets {
        None => None,
        Some(SessionTicketKeysType::SessionTicketKeys(keys)) => {
            let keys = context.field("session_ticket_keys", |context| ticket_keys(context, keys));
            keys.map(|secret| SecretSource::Inline { name: String::new(), secret })
        }
        Some(SessionTicketKeysType::SessionTicketKeysSdsSecretConfig(config)) => {
            context.field("session_ticket_keys_sds_secret_config", |context| {
                sds(context, config, "session ticket keys", |kind| match kind {
                    SecretKind::TicketKeys(keys) => Some(keys),
                    _ => None,
                })
            })
        }
        Some(SessionTicketKeysType::DisableStatelessSessionResumption(_)) => None,
    };
    let session_timeout = context.duration("session_timeout", message.session_timeout);
    Some(DownstreamTlsContext {
        common: common?,
        require_client_certificate: message.require_client_certificate.unwrap_or(false),
        require_sni: message.require_sni.unwrap_or(false),
        session_ticket_keys,
        disable_stateless_session_resumption: stateless_disabled,
        disable_stateful_session_resumption: message.disable_stateful_session_resumption,
        session_timeout: session_timeout.map(|time| Duration::from_secs(time.as_secs().min(MAX_SESSION_SECONDS))),
        full_scan_certs_on_sni_mismatch: message.full_scan_certs_on_sni_mismatch.unwrap_or(false),
        prefer_client_ciphers: message.prefer_client_ciphers,
        origin: context.origin(),
    })
}

fn upstream(context: &mut Context<'_>, message: proto::UpstreamTlsContext) -> Option<UpstreamTlsContext> {
    let common = common(context, message.common_tls_context, Side::Client);
    if common.as_ref().is_some_and(|common| common.certificates.len() > 1) {
        context.error("Multiple TLS certificates are not supported for client contexts");
    }
    if message.sni.contains('\0') {
        context.error("SNI names containing NULL-byte are not allowed");
    }
    if message.allow_renegotiation {
        context.error_at("allow_renegotiation", "renegotiation is not implemented: it is unsafe, and TLS 1.3 has none");
    }
    if message.enforce_rsa_key_usage == Some(false) {
        let ignored = "certificates whose key usage forbids what they are used for are refused";
        context.lost_at("enforce_rsa_key_usage", "false is not implemented", ignored);
    }
    Some(UpstreamTlsContext {
        common: common?,
        sni: message.sni,
        auto_host_sni: message.auto_host_sni,
        auto_sni_san_validation: message.auto_sni_san_validation,
        max_session_keys: message.max_session_keys.unwrap_or(1),
        origin: context.origin(),
    })
}

fn common(context: &mut Context<'_>, message: Option<proto::CommonTlsContext>, side: Side) -> Option<CommonTlsContext> {
    let message = message.unwrap_or_default();
    context.field("common_tls_context", |context| {
        let params =
            context.field("tls_params", |context| parameters(context, message.tls_params.unwrap_or_default(), side));
        let with_sds = !message.tls_certificate_sds_secret_configs.is_empty();
        if with_sds && !message.tls_certificates.is_empty() {
            // Envoy takes the first kind then, and says nothing.
            context.warning_at("tls_certificate_sds_secret_configs", "has no effect beside tls_certificates");
        }
        let certificates = if message.tls_certificates.is_empty() {
            context.list(
                "tls_certificate_sds_secret_configs",
                message.tls_certificate_sds_secret_configs,
                |context, config| {
                    sds(context, config, "secret", |kind| match kind {
                        SecretKind::Certificate(certificate) => Some(certificate),
                        _ => None,
                    })
                },
            )
        } else {
            let certificates = context.list("tls_certificates", message.tls_certificates, |context, message| {
                // Envoy passes over those that say nothing.
                let empty = message.certificate_chain.is_none() && message.private_key.is_none();
                if empty { None } else { Some(certificate(context, message)) }
            });
            let inline = |secret| SecretSource::Inline { name: String::new(), secret };
            certificates.into_iter().flatten().map(inline).collect()
        };
        let validation = validation_source(context, message.validation_context_type);
        alpn(context, &message.alpn_protocols);
        Some(CommonTlsContext { params: params?, certificates, validation, alpn_protocols: message.alpn_protocols })
    })
}

/// A name has one to 255 bytes. Envoy joins them all by commas, so that one with a comma is two.
fn alpn(context: &mut Context<'_>, protocols: &[String]) {
    let bad = |name: &String| name.is_empty() || name.len() > 255;
    if protocols.iter().any(bad) || protocols.iter().map(|name| name.len() + 1).sum::<usize>() >= 65535 {
        context.error_at("alpn_protocols", "Invalid ALPN protocol string");
    }
}
