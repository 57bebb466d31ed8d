//! Why a chain is refused, in BoringSSL's words and alerts.

use rustls::CertificateError;
use rustls::pki_types::{CertificateDer, UnixTime};
use webpki::Error;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::sans::San;
use crate::trust::Roots;

/// `X509_verify_cert: certificate verification error at depth N: TEXT`.
pub(super) fn describe(
    error: &Error,
    roots: &Roots,
    leaf: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    now: UnixTime,
) -> String {
    let all: Vec<_> = std::iter::once(leaf).chain(intermediates).collect();
    let chain: Vec<_> =
        all.iter().filter_map(|der| X509Certificate::from_der(der).ok()).map(|(_, parsed)| parsed).collect();
    let linked = linked(&chain);
    let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let (depth, text) = match error {
        Error::CertExpired { .. } => {
            let expired = |certificate: &X509Certificate<'_>| certificate.validity().not_after.timestamp() < seconds;
            (place(&chain, linked, expired), "certificate has expired")
        }
        Error::CertNotValidYet { .. } => {
            let early = |certificate: &X509Certificate<'_>| certificate.validity().not_before.timestamp() > seconds;
            (place(&chain, linked, early), "certificate is not yet valid")
        }
        Error::CertRevoked => (revoked(roots, &chain), "certificate revoked"),
        Error::UnknownRevocationStatus => (0, "unable to get certificate CRL"),
        Error::CrlExpired { .. } => (0, "CRL has expired"),
        Error::MaximumPathDepthExceeded | Error::MaximumPathBuildCallsExceeded => {
            (linked.saturating_sub(1), "certificate chain too long")
        }
        Error::PathLenConstraintViolated => (linked.saturating_sub(1), "path length constraint exceeded"),
        Error::EndEntityUsedAsCa => (1, "invalid CA certificate"),
        Error::CaUsedAsEndEntity => (0, "unsuitable certificate purpose"),
        Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => (0, "unsuitable certificate purpose"),
        Error::NameConstraintViolation => (0, "permitted subtree violation"),
        Error::UnsupportedCriticalExtension => (0, "unhandled critical extension"),
        Error::InvalidSignatureForPublicKey
        | Error::UnsupportedSignatureAlgorithmContext(_)
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => (0, "certificate signature failure"),
        _ => {
            let last = chain.get(linked.saturating_sub(1));
            let self_signed = last.is_some_and(|last| last.subject().as_raw() == last.issuer().as_raw());
            match (linked, self_signed) {
                (0 | 1, true) => (0, "self signed certificate"),
                (linked, true) => (linked - 1, "self signed certificate in certificate chain"),
                (linked, false) => (linked.saturating_sub(1), "unable to get local issuer certificate"),
            }
        }
    };
    format!("X509_verify_cert: certificate verification error at depth {depth}: {text}")
}

/// How many of the certificates are each the issuer of the one before.
fn linked(chain: &[X509Certificate<'_>]) -> usize {
    let mut count = chain.len().min(1);
    for pair in chain.windows(2) {
        let [below, above] = pair else { break };
        if below.issuer().as_raw() != above.subject().as_raw() {
            break;
        }
        count += 1;
    }
    count
}

/// Where the one that is nearest to the root stands; beyond the chain, if it is none of these: the root then.
fn place(chain: &[X509Certificate<'_>], linked: usize, wanted: impl Fn(&X509Certificate<'_>) -> bool) -> usize {
    chain.iter().take(linked).rposition(wanted).unwrap_or(linked)
}

fn revoked(roots: &Roots, chain: &[X509Certificate<'_>]) -> usize {
    let is_revoked = |certificate: &X509Certificate<'_>| {
        roots.lists.iter().any(|list| {
            list.issuer() == certificate.issuer().as_raw()
                && list.find_serial(certificate.raw_serial()).is_ok_and(|found| found.is_some())
        })
    };
    chain.iter().position(is_revoked).unwrap_or(0)
}

/// What stands for an error in rustls, so that the peer is told what BoringSSL would tell it.
pub(super) fn alert(error: &Error) -> CertificateError {
    match error {
        Error::CertExpired { .. } | Error::CrlExpired { .. } => CertificateError::Expired,
        Error::CertNotValidYet { .. } => CertificateError::BadEncoding,
        Error::CertRevoked => CertificateError::Revoked,
        Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension | Error::CaUsedAsEndEntity => {
            CertificateError::InvalidPurpose
        }
        Error::InvalidSignatureForPublicKey
        | Error::UnsupportedSignatureAlgorithmContext(_)
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => CertificateError::BadSignature,
        Error::PathLenConstraintViolated | Error::NameConstraintViolation | Error::UnsupportedCriticalExtension => {
            super::unspecific()
        }
        _ => CertificateError::UnknownIssuer,
    }
}

/// The names of a certificate as Envoy's logs have them.
pub(super) fn list(sans: &[San]) -> String {
    let texts: Vec<_> = sans.iter().map(|san| san.value.as_str()).collect();
    texts.join(", ")
}
