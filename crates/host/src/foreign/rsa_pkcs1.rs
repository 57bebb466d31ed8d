//! RSA public keys, and RSASSA-PKCS1-v1_5 (RFC 8017, section 8.2) with any hash function.

use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
};
use num_bigint::BigUint;

use super::signatures::Hash;

/// Sizes of keys in bits that aws-lc-rs verifies with.
const LIBRARY_BITS: std::ops::RangeInclusive<u64> = 2048..=8192;
/// Sizes in bits, and the most bits of an exponent, that Envoy's library reads.
const BITS: std::ops::RangeInclusive<u64> = 512..=16384;
const EXPONENT_BITS: u64 = 33;

/// An RSA public key.
pub(super) struct RsaKey {
    modulus: BigUint,
    exponent: BigUint,
}

impl RsaKey {
    /// Of big-endian numbers; `None` if they are none of a key.
    pub(super) fn new(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        let negative = |number: &[u8]| number.first().is_none_or(|first| first & 0x80 != 0);
        if negative(modulus) || negative(exponent) {
            return None;
        }
        let (modulus, exponent) = (BigUint::from_bytes_be(modulus), BigUint::from_bytes_be(exponent));
        let odd = modulus.bit(0) && exponent.bit(0);
        let good = odd && BITS.contains(&modulus.bits()) && (2..=EXPONENT_BITS).contains(&exponent.bits());
        good.then_some(Self { modulus, exponent })
    }

    /// Whether `signature` is that of `text`. All that is computed with is public.
    pub(super) fn verifies(&self, hash: Hash, text: &[u8], signature: &[u8]) -> bool {
        if let Some(parameters) = parameters(hash).filter(|_| LIBRARY_BITS.contains(&self.modulus.bits())) {
            let key = RsaPublicKeyComponents { n: self.modulus.to_bytes_be(), e: self.exponent.to_bytes_be() };
            return key.verify(parameters, text, signature).is_ok();
        }
        let len = self.modulus.to_bytes_be().len();
        let number = BigUint::from_bytes_be(signature);
        if signature.len() != len || number >= self.modulus {
            return false;
        }
        let opened = self.raise(&number).to_bytes_be();
        encoded(hash, text, len).is_some_and(|expected| expected.get(1..).is_some_and(|expected| expected == opened))
    }

    /// What a signature opens to.
    pub(super) fn raise(&self, number: &BigUint) -> BigUint {
        number.modpow(&self.exponent, &self.modulus)
    }

    pub(super) const fn modulus(&self) -> &BigUint {
        &self.modulus
    }
}

const fn parameters(hash: Hash) -> Option<&'static RsaParameters> {
    match hash {
        Hash::Sha1 => Some(&RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY),
        Hash::Sha224 => None,
        Hash::Sha256 => Some(&RSA_PKCS1_2048_8192_SHA256),
        Hash::Sha384 => Some(&RSA_PKCS1_2048_8192_SHA384),
        Hash::Sha512 => Some(&RSA_PKCS1_2048_8192_SHA512),
    }
}

/// EMSA-PKCS1-v1_5 (RFC 8017, section 9.2): what a signature opens to. `None` if the key is too short for it.
pub(super) fn encoded(hash: Hash, text: &[u8], len: usize) -> Option<Vec<u8>> {
    let digest = hash.digest(text);
    let digest = digest.as_ref();
    let prefix = digest_info(hash);
    let padding = len.checked_sub(prefix.len() + digest.len() + 3).filter(|padding| *padding >= 8)?;
    let mut encoded = vec![0, 1];
    encoded.resize(2 + padding, 0xff);
    encoded.push(0);
    encoded.extend_from_slice(prefix);
    encoded.extend_from_slice(digest);
    Some(encoded)
}

/// The DER of a `DigestInfo` before its digest (RFC 8017, section 9.2, note 1).
const fn digest_info(hash: Hash) -> &'static [u8] {
    match hash {
        Hash::Sha1 => b"\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14",
        Hash::Sha224 => b"\x30\x2d\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x04\x05\x00\x04\x1c",
        Hash::Sha256 => b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",
        Hash::Sha384 => b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30",
        Hash::Sha512 => b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40",
    }
}
