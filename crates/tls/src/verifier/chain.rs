//! The chain from a peer's certificate to something trusted.

use rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use sandgate_config::model::CertificateValidationContext;
use webpki::{
    EndEntityCert, Error, KeyUsage, RevocationCheckDepth, RevocationOptions, RevocationOptionsBuilder, VerifiedPath,
};

use crate::trust::Roots;

/// How often the time is moved to where a certificate that has expired was valid.
const MAX_TIMES: usize = 16;

/// Whose certificate it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

/// Whether there is a chain to one of the roots that holds.
pub(super) fn verify(
    roots: &Roots,
    config: &CertificateValidationContext,
    side: Side,
    algorithms: &[&dyn SignatureVerificationAlgorithm],
    (leaf, intermediates): (&CertificateDer<'_>, &[CertificateDer<'_>]),
    now: UnixTime,
) -> Result<(), Error> {
    // Trusted itself: there is nothing to look for.
    if let Some(root) = roots.certificates.iter().find(|root| root.der == *leaf)
        && roots.lists.is_empty()
    {
        return if config.allow_expired_certificate { Ok(()) } else { root.is_valid_at(now) };
    }
    let lists: Vec<_> = roots.lists.iter().collect();
    let mut time = now;
    for _ in 0..MAX_TIMES {
        let result = at(roots, config, side, algorithms, (leaf, intermediates), &lists, time);
        time = match result {
            Err(Error::CertExpired { not_after, .. }) if config.allow_expired_certificate => not_after,
            Err(Error::CertNotValidYet { not_before, .. }) if config.allow_expired_certificate => not_before,
            result => return result,
        };
    }
    Err(Error::MaximumPathBuildCallsExceeded)
}

fn at(
    roots: &Roots,
    config: &CertificateValidationContext,
    side: Side,
    algorithms: &[&dyn SignatureVerificationAlgorithm],
    (leaf, intermediates): (&CertificateDer<'_>, &[CertificateDer<'_>]),
    lists: &[&webpki::CertRevocationList<'_>],
    time: UnixTime,
) -> Result<(), Error> {
    let leaf = EndEntityCert::try_from(leaf)?;
    let depth =
        if config.only_verify_leaf_cert_crl { RevocationCheckDepth::EndEntity } else { RevocationCheckDepth::Chain };
    let revocation: Option<RevocationOptions<'_>> = RevocationOptionsBuilder::new(lists)
        .ok()
        .map(|builder| builder.with_depth(depth).with_expiration_policy(webpki::ExpirationPolicy::Enforce).build());
    // Of two the last one is the trusted one (as Envoy counts).
    let most = config.max_verify_depth.map(|depth| depth.saturating_sub(1) as usize);
    let judge = |path: &VerifiedPath<'_>| {
        if most.is_some_and(|most| path.intermediate_certificates().count() > most) {
            return Err(Error::MaximumPathDepthExceeded);
        }
        if config.allow_expired_certificate {
            return Ok(());
        }
        let anchor = path.anchor();
        let place = roots.anchors.iter().position(|other| std::ptr::eq(other, anchor));
        place.and_then(|place| roots.certificates.get(place)).map_or(Ok(()), |root| root.is_valid_at(time))
    };
    let usage = match side {
        Side::Client => KeyUsage::client_auth(),
        Side::Server => KeyUsage::server_auth(),
    };
    leaf.verify_for_usage(algorithms, &roots.anchors, intermediates, time, usage, revocation, Some(&judge)).map(|_| ())
}
