//! RSA signatures that aws-lc-rs makes none of: with keys under 2,048 bits, or over SHA-1 and SHA-224. Plugins in the field still ask
//! for them.
//!
//! The arithmetic does not take the same time for all numbers. So what it is done with is blinded by a random factor of each signature
//! (Kocher 1996, section 10), which leaves nothing to be learned from times, and no result leaves that does not verify, since
//! one faulty half would give the key away (RFC 8017 allows for both; section 5.2.1 is the computation).

use num_bigint::BigUint;
use x509_parser::asn1_rs::{FromDer, Integer, OctetString, Oid, Sequence};
use x509_parser::oid_registry::OID_PKCS1_RSAENCRYPTION;

use super::rsa_pkcs1::{RsaKey, encoded};
use super::signatures::Hash;

/// The most bits of a key: a signature holds up its worker, for some 20 ms at this size.
const MOST_BITS: u64 = 4096;
/// Random bytes beyond the modulus, so that what is left of them after division by it is even.
const EXTRA: usize = 16;

/// A private key in the form for the Chinese remainder theorem.
pub(super) struct LegacyKey {
    public: RsaKey,
    p: BigUint,
    q: BigUint,
    exponent_p: BigUint,
    exponent_q: BigUint,
    coefficient: BigUint,
}

// === impl LegacyKey ===

impl LegacyKey {
    /// Reads a `PrivateKeyInfo` (PKCS#8).
    pub(super) fn from_pkcs8(der: &[u8]) -> Option<Self> {
        let (_, info) = Sequence::from_der(der).ok()?;
        let (rest, _version) = Integer::from_der(&info.content).ok()?;
        let (rest, algorithm) = Sequence::from_der(rest).ok()?;
        let (_, oid) = Oid::from_der(&algorithm.content).ok()?;
        let (_, key) = OctetString::from_der(rest).ok()?;
        if oid == OID_PKCS1_RSAENCRYPTION { Self::from_pkcs1(key.as_ref()) } else { None }
    }

    /// Reads an `RSAPrivateKey` (PKCS#1) of two primes.
    pub(super) fn from_pkcs1(der: &[u8]) -> Option<Self> {
        let (_, key) = Sequence::from_der(der).ok()?;
        let mut rest: &[u8] = &key.content;
        let mut number = || {
            let (left, number) = Integer::from_der(rest).ok()?;
            rest = left;
            Some(number.as_ref().to_vec())
        };
        let version = number()?;
        let (modulus, exponent) = (number()?, number()?);
        let public = RsaKey::new(&modulus, &exponent).filter(|key| key.modulus().bits() <= MOST_BITS)?;
        let _private_exponent = number()?;
        let mut number = || number().map(|number| BigUint::from_bytes_be(&number));
        let (p, q) = (number()?, number()?);
        let (exponent_p, exponent_q, coefficient) = (number()?, number()?, number()?);
        // What is longer than its modulus would only take longer.
        let reduced = exponent_p < p && exponent_q < q && coefficient < p;
        let good = version == [0] && reduced && p.bit(0) && q.bit(0) && &p * &q == *public.modulus();
        good.then_some(Self { public, p, q, exponent_p, exponent_q, coefficient })
    }

    /// A signature of `text` by RSASSA-PKCS1-v1_5. `None` if the key is too short for the hash, or is none.
    pub(super) fn sign(&self, hash: Hash, text: &[u8]) -> Option<Vec<u8>> {
        let modulus = self.public.modulus();
        let len = modulus.to_bytes_be().len();
        let message = BigUint::from_bytes_be(&encoded(hash, text, len)?);
        let mut random = vec![0; len + EXTRA];
        getrandom::fill(&mut random).ok()?;
        let factor = BigUint::from_bytes_be(&random) % modulus;
        let inverse = factor.modinv(modulus)?;
        let signature = self.apply(&(&message * self.public.raise(&factor) % modulus)) * inverse % modulus;
        if self.public.raise(&signature) != message {
            return None;
        }
        let signature = signature.to_bytes_be();
        let mut padded = vec![0; len.checked_sub(signature.len())?];
        padded.extend(signature);
        Some(padded)
    }

    /// The private operation.
    fn apply(&self, number: &BigUint) -> BigUint {
        let of_p = number.modpow(&self.exponent_p, &self.p);
        let of_q = number.modpow(&self.exponent_q, &self.q);
        // Their difference modulo p, which must not be negative.
        let difference = of_p + &self.p - &of_q % &self.p;
        difference * &self.coefficient % &self.p * &self.q + of_q
    }
}
