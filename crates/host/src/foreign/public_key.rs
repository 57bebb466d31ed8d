//! Public keys, and what they verify.

use aws_lc_rs::signature::ParsedPublicKey;
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey as Parsed;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::curve::Curve;
use super::rsa_pkcs1::RsaKey;
use super::signatures::{Hash, SignatureError};

/// What signatures are verified with.
pub(super) enum PublicKey {
    Rsa(RsaKey),
    Ec(Curve, ParsedPublicKey),
    /// Ed25519 takes no hash, and the others sign nothing.
    Other,
}

// === impl PublicKey ===

impl PublicKey {
    /// Reads a `SubjectPublicKeyInfo`; what follows it is ignored (as in Envoy).
    pub(super) fn from_der(der: &[u8]) -> Option<Self> {
        let (_, info) = SubjectPublicKeyInfo::from_der(der).ok()?;
        match info.parsed().ok()? {
            Parsed::RSA(key) => RsaKey::new(key.modulus, key.exponent).map(Self::Rsa),
            Parsed::EC(point) => {
                let curve = Curve::by_oid(&info.algorithm.parameters.as_ref()?.as_oid().ok()?)?;
                Some(Self::Ec(curve, ParsedPublicKey::new(curve.verification(), point.data()).ok()?))
            }
            Parsed::DSA(_) | Parsed::Unknown(_) => Some(Self::Other),
            _ => None,
        }
    }

    /// The same from the first section `PUBLIC KEY` of a PEM text.
    pub(super) fn from_pem(pem: &[u8]) -> Option<Self> {
        Self::from_der(&SubjectPublicKeyInfoDer::from_pem_slice(pem).ok()?)
    }

    /// Whether the key's owner has signed `text`.
    pub(super) fn verify(&self, hash: Hash, text: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        let valid = match self {
            Self::Rsa(key) => key.verifies(hash, text, signature),
            Self::Ec(curve, key) => {
                let digest = hash.digest_for(text, curve.digest()).ok_or(SignatureError::Invalid)?;
                key.verify_digest_sig(&digest, signature).is_ok()
            }
            Self::Other => return Err(SignatureError::NoVerification),
        };
        if valid { Ok(()) } else { Err(SignatureError::Invalid) }
    }
}
