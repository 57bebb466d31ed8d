//! Certificates, keys, and where they are found.

use std::{path::PathBuf, sync::Arc};

use super::validation::validation_context;
use crate::{
    convert::{
        Context,
        config_source::{config_source, resource_name},
        source::{Data, data},
        type_name,
    },
    model::{DataSource, SdsSource, Secret, SecretKind, SecretSource, SessionTicketKeys, TlsCertificate},
    proto::envoy::{
        config::core::v3::{self as core, config_source::ConfigSourceSpecifier},
        extensions::transport_sockets::tls::v3::{self as proto, secret::Type},
        service::discovery::v3::DiscoveryResponse,
    },
};

/// Converts `static_resources.secrets`.
pub(in crate::convert) fn static_secrets(context: &mut Context<'_>, messages: Vec<proto::Secret>) -> Vec<Secret> {
    let mut secrets: Vec<Secret> = Vec::new();
    context.list("secrets", messages, |context, message| {
        let secret = secret(context, message)?;
        let kind = std::mem::discriminant(&secret.kind);
        if secrets.iter().any(|other| other.name == secret.name && std::mem::discriminant(&other.kind) == kind) {
            context.error(format!("Duplicate static secret name {}", secret.name));
        }
        secrets.push(secret);
        Some(())
    });
    secrets
}

/// The secret of that name in a response of a discovery service.
pub(crate) fn secret_of(context: &mut Context<'_>, response: DiscoveryResponse, name: &str) -> Option<Secret> {
    const SECRET: &str = "envoy.extensions.transport_sockets.tls.v3.Secret";
    let secrets = context.list("resources", response.resources, |context, resource| {
        if type_name(&resource) != SECRET {
            context.error(format!("a {} is no secret", type_name(&resource)));
            return None;
        }
        let message: proto::Secret = context.unpack(&resource)?;
        // Of the others only the names are looked at.
        if message.name == name { secret(context, message) } else { None }
    });
    secrets.into_iter().next()
}

/// Converts a secret.
pub(in crate::convert) fn secret(context: &mut Context<'_>, message: proto::Secret) -> Option<Secret> {
    let kind = match message.r#type {
        Some(Type::TlsCertificate(message)) => {
            SecretKind::Certificate(context.field("tls_certificate", |context| certificate(context, message))?)
        }
        Some(Type::SessionTicketKeys(message)) => {
            SecretKind::TicketKeys(context.field("session_ticket_keys", |context| ticket_keys(context, message))?)
        }
        Some(Type::ValidationContext(message)) => SecretKind::Validation(Box::new(
            context.field("validation_context", |context| validation_context(context, message))?,
        )),
        None => {
            if !context.report.is_broken(&context.path) {
                context.error("Secret type not implemented");
            }
            return None;
        }
    };
    Some(Secret { name: message.name, kind })
}

/// Where a secret is: with a control plane, in a file, or in the static secrets. `take` is for those of the wanted kind, which is called `what`.
pub(super) fn sds<T: Clone>(
    context: &mut Context<'_>,
    config: proto::SdsSecretConfig,
    what: &str,
    take: impl Fn(SecretKind) -> Option<T>,
) -> Option<SecretSource<T>> {
    let Some(source) = config.sds_config else {
        let secrets = Arc::clone(&context.surroundings.secrets);
        let found = secrets.iter().filter(|secret| secret.name == config.name);
        let found = found.cloned().find_map(|secret| take(secret.kind));
        if found.is_none() && !context.surroundings.secrets_failed {
            context.error(format!("Unknown static {what}: {}", config.name));
        }
        return found.map(|secret| SecretSource::Inline { name: config.name, secret });
    };
    resource_name(context, "name", &config.name);
    context.field("sds_config", |context| match source.config_source_specifier {
        Some(ConfigSourceSpecifier::Ads(_) | ConfigSourceSpecifier::ApiConfigSource(_)) => {
            let source = config_source(context, source, "envoy.extensions.transport_sockets.tls.v3.Secret")?;
            Some(SecretSource::Dynamic { name: config.name, source })
        }
        _ => {
            let (path, watched_directory) = path(context, source)?;
            Some(SecretSource::Sds(SdsSource { name: config.name, path, watched_directory }))
        }
    })
}

fn path(context: &mut Context<'_>, source: core::ConfigSource) -> Option<(PathBuf, Option<PathBuf>)> {
    let (field, path, watched) = match source.config_source_specifier {
        Some(ConfigSourceSpecifier::Path(path)) => ("path", path, None),
        Some(ConfigSourceSpecifier::PathConfigSource(source)) => {
            ("path_config_source", source.path, watched_directory(source.watched_directory))
        }
        // Others are not files, and what is missing was said.
        Some(ConfigSourceSpecifier::Ads(_) | ConfigSourceSpecifier::ApiConfigSource(_)) | None => return None,
    };
    let path = PathBuf::from(path);
    if context.options.check_files && !path.is_file() {
        context.error_at(
            field,
            format!("paths must refer to an existing path in the system: '{}' does not exist", path.display()),
        );
        return None;
    }
    Some((path, watched))
}

/// The directory that is watched, if one is named.
pub(super) fn watched_directory(message: Option<core::WatchedDirectory>) -> Option<PathBuf> {
    message.map(|directory| PathBuf::from(directory.path))
}

/// Converts the place of data.
pub(super) fn data_source(
    context: &mut Context<'_>,
    field: &str,
    source: Option<core::DataSource>,
) -> Option<DataSource> {
    let source = source?;
    context.field(field, |context| {
        Some(match data(context, source)? {
            Data::File(path) => DataSource::File(path),
            Data::Inline(bytes) => DataSource::Inline(bytes),
        })
    })
}

/// Converts a certificate and its key.
pub(super) fn certificate(context: &mut Context<'_>, message: proto::TlsCertificate) -> Option<TlsCertificate> {
    for (field, missing) in
        [("certificate_chain", message.certificate_chain.is_none()), ("private_key", message.private_key.is_none())]
    {
        if missing {
            let other = if field == "private_key" { "private key" } else { "certificate chain" };
            context.error(format!("Failed to load incomplete certificate: {other} not set"));
            return None;
        }
    }
    let certificate_chain = data_source(context, "certificate_chain", message.certificate_chain);
    let private_key = data_source(context, "private_key", message.private_key);
    Some(TlsCertificate {
        certificate_chain: certificate_chain?,
        private_key: private_key?,
        watched_directory: watched_directory(message.watched_directory),
    })
}

/// Converts the keys of session tickets.
pub(super) fn ticket_keys(
    context: &mut Context<'_>,
    message: proto::TlsSessionTicketKeys,
) -> Option<SessionTicketKeys> {
    let count = message.keys.len();
    let keys = context.list("keys", message.keys, |context, source| {
        Some(match data(context, source)? {
            Data::File(path) => DataSource::File(path),
            Data::Inline(bytes) => {
                if bytes.len() != 80 {
                    let length = bytes.len();
                    context.error(format!(
                        "Incorrect TLS session ticket key length. Length {length}, expected length 80."
                    ));
                }
                DataSource::Inline(bytes)
            }
        })
    });
    (keys.len() == count).then_some(SessionTicketKeys { keys })
}
