//! Secrets, wherever they are.

use std::path::PathBuf;
use std::sync::Arc;

use sandgate_config::model::{
    CertificateValidationContext, CommonTlsContext, DataSource, SdsSource, Secret, SecretKind, SecretSource,
    SessionTicketKeys, TlsCertificate, ValidationSource,
};

use crate::error::TlsError;
use crate::verifier::Rules;

/// A certificate and its name.
pub(crate) fn certificate(source: &SecretSource<TlsCertificate>) -> Result<(TlsCertificate, String), TlsError> {
    match source {
        SecretSource::Inline { name, secret } => Ok((secret.clone(), name.clone())),
        SecretSource::Sds(sds) => match secret(sds)?.kind {
            SecretKind::Certificate(certificate) => Ok((certificate, sds.name.clone())),
            _ => Err(unexpected(sds)),
        },
        SecretSource::Dynamic { name, .. } => Err(untold(name)),
    }
}

/// The rules for a peer's certificate, if there are any.
pub(crate) fn rules(source: Option<&ValidationSource>) -> Result<Option<Arc<Rules>>, TlsError> {
    let Some(ValidationSource { defaults, source }) = source else { return Ok(None) };
    let (found, name) = validation(source)?;
    let merged = defaults.as_ref().map_or_else(|| found.clone(), |defaults| defaults.merged(found.clone()));
    Rules::load(merged, &name).map(Arc::new).map(Some)
}

fn validation(
    source: &SecretSource<CertificateValidationContext>,
) -> Result<(CertificateValidationContext, String), TlsError> {
    match source {
        SecretSource::Inline { name, secret } => Ok((secret.clone(), name.clone())),
        SecretSource::Sds(sds) => match secret(sds)?.kind {
            SecretKind::Validation(validation) => Ok((*validation, sds.name.clone())),
            _ => Err(unexpected(sds)),
        },
        SecretSource::Dynamic { name, .. } => Err(untold(name)),
    }
}

/// The keys of session tickets.
pub(crate) fn ticket_keys(source: &SecretSource<SessionTicketKeys>) -> Result<SessionTicketKeys, TlsError> {
    match source {
        SecretSource::Inline { secret, .. } => Ok(secret.clone()),
        SecretSource::Sds(sds) => match secret(sds)?.kind {
            SecretKind::TicketKeys(keys) => Ok(keys),
            _ => Err(unexpected(sds)),
        },
        SecretSource::Dynamic { name, .. } => Err(untold(name)),
    }
}

/// Every file that these contexts depend on now: when one of them changes, what was made of them is out of date.
#[must_use]
pub fn files(common: &CommonTlsContext, tickets: Option<&SecretSource<SessionTicketKeys>>) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut add = |source: Option<&DataSource>| {
        if let Some(DataSource::File(path)) = source {
            files.push(path.clone());
        }
    };
    let mut sds = Vec::new();
    for source in &common.certificates {
        if let SecretSource::Sds(source) = source {
            sds.push(source.path.clone());
        }
        if let Ok((certificate, _)) = certificate(source) {
            add(Some(&certificate.certificate_chain));
            add(Some(&certificate.private_key));
        }
    }
    if let Some(ValidationSource { defaults, source }) = &common.validation {
        if let SecretSource::Sds(source) = source {
            sds.push(source.path.clone());
        }
        let found = validation(source).map(|(found, _)| found).unwrap_or_default();
        let merged = defaults.as_ref().map_or_else(|| found.clone(), |defaults| defaults.merged(found.clone()));
        add(merged.trusted_ca.as_ref());
        add(merged.crl.as_ref());
    }
    if let Some(source) = tickets {
        if let SecretSource::Sds(source) = source {
            sds.push(source.path.clone());
        }
        for key in ticket_keys(source).map(|keys| keys.keys).unwrap_or_default() {
            add(Some(&key));
        }
    }
    files.extend(sds);
    files
}

fn secret(source: &SdsSource) -> Result<Secret, TlsError> {
    sandgate_config::load_secret(&source.path, &source.name).map_err(|findings| TlsError::Invalid(findings.to_string()))
}

fn unexpected(source: &SdsSource) -> TlsError {
    TlsError::Invalid(format!("{}: the secret {} is of another kind", source.path.display(), source.name))
}

/// Whoever asks the control plane puts the secret in its place first.
fn untold(name: &str) -> TlsError {
    TlsError::Invalid(format!("the secret {name} has not come from the control plane"))
}
