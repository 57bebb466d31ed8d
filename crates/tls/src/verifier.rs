//! The check of a peer's certificate, on either side.

mod chain;
mod wording;

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme};
use sandgate_config::model::CertificateValidationContext;
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::error::TlsError;
use crate::outcome::{self, VerifyFailure};
use crate::sans::{SanMatcher, dns_name_match, sans};
use crate::trust::{Roots, TrustedCa};
use chain::Side;

/// The rules for a peer's certificate, ready for use.
#[derive(Debug)]
pub(crate) struct Rules {
    roots: Option<Roots>,
    /// What the first of the roots is called in stats.
    ca_name: String,
    matchers: Vec<SanMatcher>,
    config: CertificateValidationContext,
    /// The names of the issuers that clients are told of.
    subjects: Vec<DistinguishedName>,
}

/// Checks the certificates that come by one kind of connection.
#[derive(Debug)]
pub(crate) struct Verifier {
    /// `None`: everything is accepted.
    pub(crate) rules: Option<Arc<Rules>>,
    /// These names count and not those of the rules: `auto_san_validation`, and what a request's options say.
    pub(crate) names: Vec<String>,
    pub(crate) mandatory: bool,
    algorithms: WebPkiSupportedAlgorithms,
    /// Those of `signature_algorithms`; empty for all.
    schemes: Vec<SignatureScheme>,
}

/// Why a peer is refused.
struct Refusal {
    kind: VerifyFailure,
    details: String,
    error: CertificateError,
}

// === impl Rules ===

impl Rules {
    pub(crate) fn load(config: CertificateValidationContext, ca_name: &str) -> Result<Self, TlsError> {
        let roots = Roots::load(&config)?;
        let mut subjects: Vec<DistinguishedName> = Vec::new();
        if !config.suppress_client_ca_list {
            for root in roots.iter().flat_map(|roots| &roots.certificates) {
                let Ok((_, certificate)) = X509Certificate::from_der(&root.der) else { continue };
                let subject = DistinguishedName::from(certificate.subject().as_raw().to_vec());
                if !subjects.iter().any(|other| other.as_ref() == subject.as_ref()) {
                    subjects.push(subject);
                }
            }
        }
        let matchers = config.match_typed_subject_alt_names.iter().map(SanMatcher::new).collect();
        Ok(Self { roots, ca_name: ca_name.to_owned(), matchers, config, subjects })
    }

    /// The first of the trusted certificates.
    pub(crate) fn ca(&self) -> Option<TrustedCa> {
        self.roots.as_ref()?.first(&self.ca_name)
    }

    pub(crate) fn has_roots(&self) -> bool {
        self.roots.is_some()
    }

    /// Whether clients are asked for a certificate, and whether they must have one (observed in Envoy 1.40: pins and names
    /// make it mandatory).
    pub(crate) fn asks(&self, required: bool) -> Option<bool> {
        let config = &self.config;
        let pinned = !config.verify_certificate_hash.is_empty() || !config.verify_certificate_spki.is_empty();
        if required && self.roots.is_some() {
            return Some(true);
        }
        if pinned || !self.matchers.is_empty() {
            return Some(!config.accept_untrusted);
        }
        (self.roots.is_some() || config.accept_untrusted).then_some(false)
    }

    /// What these rules are, in bytes: sessions of other rules must not be resumed.
    pub(crate) fn digest(&self) -> Vec<u8> {
        let mut digest = Sha256::new();
        for root in self.roots.iter().flat_map(|roots| &roots.certificates) {
            digest.update(Sha256::digest(&root.der));
        }
        digest.update(format!("{:?}", self.config));
        digest.finalize().to_vec()
    }
}

// === impl Verifier ===

impl Verifier {
    pub(crate) fn new(rules: Option<Arc<Rules>>, names: Vec<String>, mandatory: bool, schemes: &[u16]) -> Self {
        Self {
            rules,
            names,
            mandatory,
            algorithms: aws_lc_rs::default_provider().signature_verification_algorithms,
            schemes: schemes.iter().copied().map(SignatureScheme::from).collect(),
        }
    }

    fn verify(
        &self,
        side: Side,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        outcome::note(|outcome| outcome.validated = false);
        let Some(rules) = &self.rules else { return Ok(()) };
        match self.check(rules, side, leaf, intermediates, now) {
            Ok(validated) => {
                outcome::note(|outcome| outcome.validated = validated);
                Ok(())
            }
            Err(refusal) => {
                outcome::note(|outcome| outcome.failure = Some(refusal.kind));
                if rules.config.accept_untrusted {
                    return Ok(());
                }
                outcome::note(|outcome| outcome.details = Some(refusal.details));
                Err(Error::InvalidCertificate(refusal.error))
            }
        }
    }

    /// Whether it was checked against anything.
    fn check(
        &self,
        rules: &Rules,
        side: Side,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<bool, Refusal> {
        let mut validated = false;
        if let Some(roots) = &rules.roots {
            chain::verify(roots, &rules.config, side, self.algorithms.all, (leaf, intermediates), now).map_err(
                |error| Refusal {
                    kind: VerifyFailure::Error,
                    details: format!(
                        "verify cert failed: {}",
                        wording::describe(&error, roots, leaf, intermediates, now)
                    ),
                    error: wording::alert(&error),
                },
            )?;
            validated = true;
        }
        let unwanted = |details: String| Refusal { kind: VerifyFailure::San, details, error: unspecific() };
        if !self.names.is_empty() {
            let found = sans(leaf).unwrap_or_default();
            let fits = |name: &String| {
                found.iter().any(|san| match san.kind {
                    sandgate_config::model::SanType::Dns => dns_name_match(name, &san.value),
                    _ => *name == san.value,
                })
            };
            if !self.names.iter().any(fits) {
                return Err(unwanted(format!(
                    "verify cert failed: verify SAN list, expected SANs: [{}], certificate SANs: [{}]",
                    self.names.join(", "),
                    wording::list(&found)
                )));
            }
            validated = true;
        } else if !rules.matchers.is_empty() {
            let found = sans(leaf).unwrap_or_default();
            if !rules.matchers.iter().any(|matcher| found.iter().any(|san| matcher.matches(san))) {
                let found = wording::list(&found);
                return Err(unwanted(format!("verify cert failed: SAN matcher, certificate SANs are [{found}]")));
            }
            validated = true;
        }
        let config = &rules.config;
        if !config.verify_certificate_hash.is_empty() || !config.verify_certificate_spki.is_empty() {
            let hash: [u8; 32] = Sha256::digest(leaf).into();
            let spki = X509Certificate::from_der(leaf).ok();
            let spki: Option<[u8; 32]> = spki.map(|(_, leaf)| Sha256::digest(leaf.public_key().raw).into());
            let fits = config.verify_certificate_hash.contains(&hash)
                || spki.is_some_and(|spki| config.verify_certificate_spki.contains(&spki));
            if !fits {
                let details = "verify cert failed: cert hash and spki".to_owned();
                return Err(Refusal { kind: VerifyFailure::Hash, details, error: unspecific() });
            }
            validated = true;
        }
        Ok(validated)
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        let all = self.algorithms.supported_schemes();
        if self.schemes.is_empty() {
            return all;
        }
        self.schemes.iter().copied().filter(|scheme| all.contains(scheme)).collect()
    }
}

/// An error whose alert is `certificate_unknown`.
fn unspecific() -> CertificateError {
    #[derive(Debug, thiserror::Error)]
    #[error("the certificate is not what is wanted")]
    struct Unwanted;
    CertificateError::Other(OtherError(Arc::new(Unwanted)))
}

impl ClientCertVerifier for Verifier {
    fn offer_client_auth(&self) -> bool {
        true
    }

    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.rules.as_ref().map_or(&[], |rules| &rules.subjects)
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.verify(Side::Client, leaf, intermediates, now).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        outcome::note(|outcome| outcome.scheme = Some(signed.scheme.into()));
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        outcome::note(|outcome| outcome.scheme = Some(signed.scheme.into()));
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verify(Side::Server, leaf, intermediates, now).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        ClientCertVerifier::verify_tls12_signature(self, message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        ClientCertVerifier::verify_tls13_signature(self, message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}
