//! The files that a secret names, read when it comes and again when they change.

use std::path::PathBuf;

use bytes::Bytes;
use sandgate_config::model::{DataSource, Secret, SecretKind};

use crate::listener_tls::Fingerprint;

/// A secret with what is in its files in their place, and the files before they were read. Users of keys of session tickets read
/// those themselves, as in Envoy.
pub(super) struct Resolved {
    pub(super) seen: Vec<Fingerprint>,
    pub(super) secret: Result<Secret, String>,
}

// === impl Resolved ===

impl Resolved {
    pub(super) fn new(mut secret: Secret) -> Self {
        let mut sources: Vec<&mut DataSource> = match &mut secret.kind {
            SecretKind::Certificate(certificate) => {
                vec![&mut certificate.certificate_chain, &mut certificate.private_key]
            }
            SecretKind::Validation(rules) => rules.trusted_ca.iter_mut().chain(&mut rules.crl).collect(),
            SecretKind::TicketKeys(_) => Vec::new(),
        };
        let path = |source: &&mut DataSource| -> Option<PathBuf> {
            match &**source {
                DataSource::File(path) => Some(path.clone()),
                DataSource::Inline(_) => None,
            }
        };
        let seen = Fingerprint::all(sources.iter().filter_map(path).collect());
        let read = sources.iter_mut().try_for_each(|source| {
            let Some(path) = path(source) else { return Ok(()) };
            let bytes = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            **source = DataSource::Inline(Bytes::from(bytes));
            Ok(())
        });
        Self { seen, secret: read.map(|()| secret) }
    }
}
