//! The rules for a peer's certificate.

use base64::Engine as _;

use super::secret::{data_source, sds, watched_directory};
use crate::{
    convert::{Context, matcher},
    model::{CertificateValidationContext, SanType, SecretKind, SecretSource, SubjectAltNameMatcher, ValidationSource},
    proto::envoy::{
        extensions::transport_sockets::tls::v3::{
            self as proto, certificate_validation_context::TrustChainVerification,
            common_tls_context::ValidationContextType, subject_alt_name_matcher::SanType as Type,
        },
        r#type::matcher::v3::StringMatcher,
    },
};

/// Where the rules come from, if there are any.
pub(super) fn validation_source(
    context: &mut Context<'_>,
    message: Option<ValidationContextType>,
) -> Option<ValidationSource> {
    let take = |kind| match kind {
        SecretKind::Validation(validation) => Some(*validation),
        _ => None,
    };
    let what = "certificate validation context";
    let source = match message? {
        ValidationContextType::ValidationContext(message) => context.field("validation_context", |context| {
            let secret = validation_context(context, message)?;
            check(context, &secret);
            Some(ValidationSource { defaults: None, source: SecretSource::Inline { name: String::new(), secret } })
        })?,
        ValidationContextType::ValidationContextSdsSecretConfig(config) => {
            context.field("validation_context_sds_secret_config", |context| {
                let source = sds(context, config, what, take)?;
                Some(ValidationSource { defaults: None, source })
            })?
        }
        ValidationContextType::CombinedValidationContext(combined) => {
            context.field("combined_validation_context", |context| {
                let defaults = context.field("default_validation_context", |context| {
                    validation_context(context, combined.default_validation_context.unwrap_or_default())
                });
                let config = combined.validation_context_sds_secret_config.unwrap_or_default();
                let source = context
                    .field("validation_context_sds_secret_config", |context| sds(context, config, what, take))?;
                Some(ValidationSource { defaults: Some(Box::new(defaults?)), source })
            })?
        }
    };
    if let ValidationSource { defaults, source: SecretSource::Inline { name, secret } } = &source
        && !name.is_empty()
    {
        let merged = defaults.as_ref().map_or_else(|| secret.clone(), |defaults| defaults.merged(secret.clone()));
        check(context, &merged);
    }
    Some(source)
}

/// Converts the rules.
pub(super) fn validation_context(
    context: &mut Context<'_>,
    message: proto::CertificateValidationContext,
) -> Option<CertificateValidationContext> {
    let spki = context.list("verify_certificate_spki", message.verify_certificate_spki, |context, pin| {
        let decoded = base64::engine::general_purpose::STANDARD.decode(&pin).ok();
        let pin: Option<[u8; 32]> = decoded.and_then(|bytes| bytes.try_into().ok());
        if pin.is_none() {
            context.error("Invalid base64-encoded SHA-256 of a public key");
        }
        pin
    });
    let hashes = context.list("verify_certificate_hash", message.verify_certificate_hash, |context, pin| {
        let pin = hex(&pin);
        if pin.is_none() {
            context.error("Invalid hex-encoded SHA-256 of a certificate");
        }
        pin
    });
    let mut names = context.list("match_typed_subject_alt_names", message.match_typed_subject_alt_names, san_matcher);
    let old = context.list("match_subject_alt_names", message.match_subject_alt_names, |context, message| {
        let matcher = matcher::string(context, message)?;
        let types = [SanType::Dns, SanType::Uri, SanType::Email, SanType::IpAddress];
        Some(types.map(|san_type| SubjectAltNameMatcher { san_type, matcher: matcher.clone() }))
    });
    names.extend(old.into_iter().flatten());
    let trusted_ca = data_source(context, "trusted_ca", message.trusted_ca);
    let crl = data_source(context, "crl", message.crl);
    Some(CertificateValidationContext {
        trusted_ca,
        system_root_certs: message.system_root_certs.is_some(),
        watched_directory: watched_directory(message.watched_directory),
        verify_certificate_spki: spki,
        verify_certificate_hash: hashes,
        match_typed_subject_alt_names: names,
        crl,
        only_verify_leaf_cert_crl: message.only_verify_leaf_cert_crl,
        allow_expired_certificate: message.allow_expired_certificate,
        accept_untrusted: TrustChainVerification::try_from(message.trust_chain_verification)
            == Ok(TrustChainVerification::AcceptUntrusted),
        max_verify_depth: message.max_verify_depth,
        suppress_client_ca_list: message.suppress_client_ca_list,
    })
}

/// What Envoy's code checks of rules that are complete.
pub(super) fn check(context: &mut Context<'_>, rules: &CertificateValidationContext) {
    if rules.verifies_chain() || context.report.is_broken(&context.path) {
        return;
    }
    if rules.crl.is_some() {
        context.error("Failed to load CRL without trusted CA");
    }
    if !rules.match_typed_subject_alt_names.is_empty() {
        context.error("SAN-based verification of peer certificates without trusted CA is insecure and not allowed");
    }
    if rules.allow_expired_certificate {
        context.error("Certificate validity period is always ignored without trusted CA");
    }
}

fn san_matcher(context: &mut Context<'_>, message: proto::SubjectAltNameMatcher) -> Option<SubjectAltNameMatcher> {
    let matcher: StringMatcher = context.required("matcher", message.matcher)?;
    let matcher = context.field("matcher", |context| matcher::string(context, matcher));
    let san_type = match Type::try_from(message.san_type).ok()? {
        Type::Email => SanType::Email,
        Type::Dns => SanType::Dns,
        Type::Uri => SanType::Uri,
        Type::IpAddress => SanType::IpAddress,
        Type::OtherName if message.oid.is_empty() => {
            context.error_at("oid", "OTHER_NAME needs an oid");
            return None;
        }
        Type::OtherName => SanType::OtherName(message.oid),
        Type::Unspecified => return None,
    };
    Some(SubjectAltNameMatcher { san_type, matcher: matcher? })
}

/// 32 bytes in hexadecimal digits, with or without colons between them.
fn hex(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = match text.len() {
        64 => text.bytes().collect(),
        95 => text.split(':').filter(|part| part.len() == 2).flat_map(str::bytes).collect(),
        _ => return None,
    };
    let mut bytes = [0; 32];
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    digits.iter().all(u8::is_ascii_hexdigit).then_some(bytes)
}
