//! Secrets of control planes, put into the TLS contexts that want them.

use std::sync::Arc;

use sandgate_config::model::{
    CommonTlsContext, ConfigSource, Secret, SecretKind, SecretSource, SessionTicketKeys, ValidationSource,
};
use sandgate_tls::TlsError;

use crate::listener_tls::Reloadable;

/// What a secret is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SecretType {
    Certificate,
    TicketKeys,
    Validation,
}

/// A secret that a context lacks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WantedSecret {
    pub(crate) name: String,
    /// Who is asked.
    pub(crate) source: ConfigSource,
    pub(crate) kind: SecretType,
}

/// The secrets of a context that control planes tell, in the order in which [`wanted`] has them; `None` has not come yet.
pub(crate) type ToldSecrets = Vec<Option<Arc<Secret>>>;

/// TLS that control planes may tell secrets of.
pub(crate) trait SecretUser: Reloadable {
    /// What it lacks; always the same.
    fn wanted(&self) -> Vec<WantedSecret>;

    /// Makes a context of these secrets; called, the result puts it in the place of the one before. Without one of the secrets there
    /// is no new context, and that is no error.
    ///
    /// # Errors
    /// No context can be made of them. Nothing has changed then.
    fn prepare(self: Arc<Self>, told: ToldSecrets) -> Result<Box<dyn FnOnce()>, TlsError>;
}

// === impl SecretType ===

impl SecretType {
    /// Whether a secret is what was wanted.
    pub(crate) fn fits(self, kind: &SecretKind) -> bool {
        matches!(
            (self, kind),
            (Self::Certificate, SecretKind::Certificate(_))
                | (Self::TicketKeys, SecretKind::TicketKeys(_))
                | (Self::Validation, SecretKind::Validation(_))
        )
    }
}

/// The secrets of contexts that control planes tell.
pub(crate) fn wanted(
    common: &CommonTlsContext,
    tickets: Option<&SecretSource<SessionTicketKeys>>,
) -> Vec<WantedSecret> {
    fn of<T>(source: &SecretSource<T>, kind: SecretType) -> Option<WantedSecret> {
        match source {
            SecretSource::Dynamic { name, source } => {
                Some(WantedSecret { name: name.clone(), source: source.clone(), kind })
            }
            SecretSource::Inline { .. } | SecretSource::Sds(_) => None,
        }
    }
    let certificates = common.certificates.iter().filter_map(|source| of(source, SecretType::Certificate));
    let validation = common.validation.as_ref().and_then(|rules| of(&rules.source, SecretType::Validation));
    certificates.chain(validation).chain(tickets.and_then(|keys| of(keys, SecretType::TicketKeys))).collect()
}

/// Puts into these contexts what has come. Whether nothing is missing then.
pub(crate) fn fill(
    common: &mut CommonTlsContext,
    tickets: Option<&mut SecretSource<SessionTicketKeys>>,
    told: &[Option<Arc<Secret>>],
) -> bool {
    let mut told = told.iter();
    for source in &mut common.certificates {
        put(source, &mut told, |kind| match kind {
            SecretKind::Certificate(certificate) => Some(certificate.clone()),
            _ => None,
        });
    }
    if let Some(ValidationSource { source, .. }) = &mut common.validation {
        put(source, &mut told, |kind| match kind {
            SecretKind::Validation(validation) => Some((**validation).clone()),
            _ => None,
        });
    }
    let missing = wanted(common, None).len();
    let Some(keys) = tickets else { return missing == 0 };
    put(keys, &mut told, |kind| match kind {
        SecretKind::TicketKeys(keys) => Some(keys.clone()),
        _ => None,
    });
    missing == 0 && !matches!(keys, SecretSource::Dynamic { .. })
}

fn put<'a, T>(
    place: &mut SecretSource<T>,
    told: &mut impl Iterator<Item = &'a Option<Arc<Secret>>>,
    get: impl Fn(&SecretKind) -> Option<T>,
) {
    let SecretSource::Dynamic { name, .. } = place else { return };
    let Some(Some(secret)) = told.next() else { return };
    if let Some(secret) = get(&secret.kind) {
        *place = SecretSource::Inline { name: std::mem::take(name), secret };
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test may panic")]

    use bytes::Bytes;
    use sandgate_config::model::{
        CertificateValidationContext, ConfigSourceKind, DataSource, Origin, TlsCertificate, TlsParameters, TlsVersion,
    };

    use super::*;

    fn dynamic<T>(name: &str) -> SecretSource<T> {
        let source =
            ConfigSource { kind: ConfigSourceKind::Ads, initial_fetch_timeout: None, origin: Origin::default() };
        SecretSource::Dynamic { name: name.to_owned(), source }
    }

    fn secret(name: &str, kind: SecretKind) -> Option<Arc<Secret>> {
        Some(Arc::new(Secret { name: name.to_owned(), kind }))
    }

    fn names(common: &CommonTlsContext, tickets: &SecretSource<SessionTicketKeys>) -> Vec<String> {
        wanted(common, Some(tickets)).into_iter().map(|wanted| wanted.name).collect()
    }

    #[test]
    fn secrets_get_to_their_places_in_the_order_in_which_they_are_wanted() {
        let data = |text: &'static str| DataSource::Inline(Bytes::from_static(text.as_bytes()));
        let certificate =
            |text| TlsCertificate { certificate_chain: data(text), private_key: data("key"), watched_directory: None };
        let of = |text| SecretKind::Certificate(certificate(text));
        let keys = SessionTicketKeys { keys: vec![data("keys")] };
        let inline = SecretSource::Inline { name: String::new(), secret: certificate("b") };
        let mut common = CommonTlsContext {
            certificates: vec![dynamic("a"), inline.clone(), dynamic("c")],
            validation: Some(ValidationSource { defaults: None, source: dynamic("v") }),
            params: TlsParameters {
                min_version: TlsVersion::Tls12,
                max_version: TlsVersion::Tls13,
                cipher_suites: Vec::new(),
                ecdh_curves: Vec::new(),
                signature_algorithms: Vec::new(),
            },
            alpn_protocols: Vec::new(),
        };
        let mut tickets = dynamic("t");
        assert_eq!(names(&common, &tickets), ["a", "c", "v", "t"]);

        let validation = SecretKind::Validation(Box::<CertificateValidationContext>::default());
        let told =
            [secret("a", of("a")), None, secret("v", validation), secret("t", SecretKind::TicketKeys(keys.clone()))];
        assert!(!fill(&mut common, Some(&mut tickets), &told));
        let a = SecretSource::Inline { name: "a".to_owned(), secret: certificate("a") };
        assert_eq!(common.certificates, [a, inline, dynamic("c")]);
        assert_eq!(tickets, SecretSource::Inline { name: "t".to_owned(), secret: keys });
        assert_eq!(names(&common, &tickets), ["c"]);
        assert!(fill(&mut common, Some(&mut tickets), &[secret("c", of("c"))]));
    }
}
