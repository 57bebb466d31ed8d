//! Private keys, and what they sign.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{
    EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RsaSignatureEncoding,
};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;

use super::curve::Curve;
use super::signatures::{Hash, SignatureError};

/// What signatures are made with.
pub(super) enum PrivateKey {
    Rsa(Box<RsaKeyPair>),
    Ec(Curve, Box<EcdsaKeyPair>),
    /// It takes no hash.
    Ed25519,
}

// === impl PrivateKey ===

impl PrivateKey {
    /// Reads a `PrivateKeyInfo` (PKCS#8), not encrypted.
    pub(super) fn from_der(der: &[u8]) -> Option<Self> {
        let ec = |curve: Curve| {
            EcdsaKeyPair::from_pkcs8(curve.signing(), der).ok().map(|key| Self::Ec(curve, Box::new(key)))
        };
        if let Ok(key) = RsaKeyPair::from_pkcs8(der) {
            return Some(Self::Rsa(Box::new(key)));
        }
        Curve::ALL
            .into_iter()
            .find_map(ec)
            .or_else(|| Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).is_ok().then_some(Self::Ed25519))
    }

    /// Reads the first private key of a PEM text: `PRIVATE KEY`, `RSA PRIVATE KEY` or `EC PRIVATE KEY`.
    pub(super) fn from_pem(pem: &[u8]) -> Option<Self> {
        match PrivateKeyDer::from_pem_slice(pem).ok()? {
            PrivateKeyDer::Pkcs8(key) => Self::from_der(key.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(key) => {
                RsaKeyPair::from_der(key.secret_pkcs1_der()).ok().map(|key| Self::Rsa(Box::new(key)))
            }
            PrivateKeyDer::Sec1(key) => Curve::ALL.into_iter().find_map(|curve| {
                let pair = EcdsaKeyPair::from_private_key_der(curve.signing(), key.secret_sec1_der()).ok()?;
                Some(Self::Ec(curve, Box::new(pair)))
            }),
            _ => None,
        }
    }

    /// Signs `text`.
    pub(super) fn sign(&self, hash: Hash, text: &[u8]) -> Result<Vec<u8>, SignatureError> {
        match self {
            Self::Rsa(key) => {
                let encoding = encoding(hash).ok_or(SignatureError::NotSupported)?;
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(encoding, &SystemRandom::new(), text, &mut signature)
                    .map_err(|_| SignatureError::NotSigned)?;
                Ok(signature)
            }
            Self::Ec(curve, key) => {
                let digest = hash.digest_for(text, curve.digest()).ok_or(SignatureError::NotSigned)?;
                let signature = key.sign_digest(&digest).map_err(|_| SignatureError::NotSigned)?;
                Ok(signature.as_ref().to_vec())
            }
            Self::Ed25519 => Err(SignatureError::NoSigning),
        }
    }
}

fn encoding(hash: Hash) -> Option<&'static RsaSignatureEncoding> {
    match hash {
        Hash::Sha1 | Hash::Sha224 => None,
        Hash::Sha256 => Some(&RSA_PKCS1_SHA256),
        Hash::Sha384 => Some(&RSA_PKCS1_SHA384),
        Hash::Sha512 => Some(&RSA_PKCS1_SHA512),
    }
}
