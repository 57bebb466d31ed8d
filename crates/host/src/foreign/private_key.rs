//! Private keys, and what they sign.

use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;

use super::curve::Curve;
use super::rsa_signing::RsaSigningKey;
use super::signatures::{Hash, SignatureError};

/// What signatures are made with.
pub(super) enum PrivateKey {
    Rsa(Box<RsaSigningKey>),
    Ec(Curve, Box<EcdsaKeyPair>),
    /// It takes no hash.
    Ed25519,
}

// === impl PrivateKey ===

impl PrivateKey {
    /// Reads a `PrivateKeyInfo` (PKCS#8), not encrypted, to sign with `hash`.
    pub(super) fn from_der(der: &[u8], hash: Option<Hash>) -> Option<Self> {
        let ec = |curve: Curve| {
            EcdsaKeyPair::from_pkcs8(curve.signing(), der).ok().map(|key| Self::Ec(curve, Box::new(key)))
        };
        if let Some(key) = RsaSigningKey::from_pkcs8(der, hash) {
            return Some(Self::Rsa(Box::new(key)));
        }
        Curve::ALL
            .into_iter()
            .find_map(ec)
            .or_else(|| Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).is_ok().then_some(Self::Ed25519))
    }

    /// Reads the first private key of a PEM text: `PRIVATE KEY`, `RSA PRIVATE KEY` or `EC PRIVATE KEY`.
    pub(super) fn from_pem(pem: &[u8], hash: Option<Hash>) -> Option<Self> {
        match PrivateKeyDer::from_pem_slice(pem).ok()? {
            PrivateKeyDer::Pkcs8(key) => Self::from_der(key.secret_pkcs8_der(), hash),
            PrivateKeyDer::Pkcs1(key) => {
                RsaSigningKey::from_pkcs1(key.secret_pkcs1_der(), hash).map(|key| Self::Rsa(Box::new(key)))
            }
            PrivateKeyDer::Sec1(key) => {
                let der = key.secret_sec1_der();
                let ec = |curve: Curve| {
                    let pair = EcdsaKeyPair::from_private_key_der(curve.signing(), der).ok()?;
                    Some(Self::Ec(curve, Box::new(pair)))
                };
                Curve::ALL.into_iter().find_map(ec)
            }
            _ => None,
        }
    }

    /// Signs `text`.
    pub(super) fn sign(&self, hash: Hash, text: &[u8]) -> Result<Vec<u8>, SignatureError> {
        match self {
            Self::Rsa(key) => key.sign(hash, text),
            Self::Ec(curve, key) => {
                let digest = hash.digest_for(text, curve.digest()).ok_or(SignatureError::NotSigned)?;
                let signature = key.sign_digest(&digest).map_err(|_| SignatureError::NotSigned)?;
                Ok(signature.as_ref().to_vec())
            }
            Self::Ed25519 => Err(SignatureError::NoSigning),
        }
    }
}
