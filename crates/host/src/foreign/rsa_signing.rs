//! RSA private keys.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RsaSignatureEncoding};

use super::legacy_rsa::LegacyKey;
use super::signatures::{Hash, SignatureError};

/// An RSA private key, as whoever is to sign with it has read it.
pub(super) enum RsaSigningKey {
    Library(Box<KeyPair>),
    Legacy(Box<LegacyKey>),
    /// It is good, and would take too long.
    TooLarge,
}

// === impl RsaSigningKey ===

impl RsaSigningKey {
    /// Reads a `PrivateKeyInfo` (PKCS#8), to sign with `hash`.
    pub(super) fn from_pkcs8(der: &[u8], hash: Option<Hash>) -> Option<Self> {
        Self::new(hash, KeyPair::from_pkcs8(der).ok(), || LegacyKey::from_pkcs8(der))
    }

    /// Reads an `RSAPrivateKey` (PKCS#1), to sign with `hash`.
    pub(super) fn from_pkcs1(der: &[u8], hash: Option<Hash>) -> Option<Self> {
        Self::new(hash, KeyPair::from_der(der).ok(), || LegacyKey::from_pkcs1(der))
    }

    fn new(hash: Option<Hash>, library: Option<KeyPair>, legacy: impl FnOnce() -> Option<LegacyKey>) -> Option<Self> {
        match library {
            Some(key) if hash.is_none_or(|hash| encoding(hash).is_some()) => Some(Self::Library(Box::new(key))),
            Some(_) => Some(legacy().map_or(Self::TooLarge, |key| Self::Legacy(Box::new(key)))),
            None => legacy().map(|key| Self::Legacy(Box::new(key))),
        }
    }

    /// A signature of `text` by RSASSA-PKCS1-v1_5 (RFC 8017, section 8.2).
    pub(super) fn sign(&self, hash: Hash, text: &[u8]) -> Result<Vec<u8>, SignatureError> {
        match self {
            Self::Library(key) => {
                let encoding = encoding(hash).ok_or(SignatureError::NotSigned)?;
                let mut signature = vec![0; key.public_modulus_len()];
                let signed = key.sign(encoding, &SystemRandom::new(), text, &mut signature);
                signed.map(|()| signature).map_err(|_| SignatureError::NotSigned)
            }
            Self::Legacy(key) => key.sign(hash, text).ok_or(SignatureError::NotSigned),
            Self::TooLarge => Err(SignatureError::NotSupported),
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
