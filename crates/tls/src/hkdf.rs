//! The key schedule of TLS 1.3 with keys that are prepared once.

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use rustls::crypto::aws_lc_rs::cipher_suite;
use rustls::crypto::hmac::{Hmac, Key, Tag};
use rustls::crypto::tls13::HkdfUsingHmac;
use rustls::{CipherSuiteCommon, SupportedCipherSuite, Tls13CipherSuite};

/// HMAC of one hash function.
struct PreparedHmac(&'static hmac::Algorithm);

/// A key whose inner and outer states are at hand.
struct PreparedKey(hmac::Key);

static HMAC_SHA256: PreparedHmac = PreparedHmac(&hmac::HMAC_SHA256);
static HMAC_SHA384: PreparedHmac = PreparedHmac(&hmac::HMAC_SHA384);
static HKDF_SHA256: HkdfUsingHmac<'static> = HkdfUsingHmac(&HMAC_SHA256);
static HKDF_SHA384: HkdfUsingHmac<'static> = HkdfUsingHmac(&HMAC_SHA384);

static SUITES: LazyLock<Vec<Tls13CipherSuite>> = LazyLock::new(|| {
    [
        (cipher_suite::TLS13_AES_128_GCM_SHA256, &HKDF_SHA256),
        (cipher_suite::TLS13_AES_256_GCM_SHA384, &HKDF_SHA384),
        (cipher_suite::TLS13_CHACHA20_POLY1305_SHA256, &HKDF_SHA256),
    ]
    .into_iter()
    .filter_map(|(suite, hkdf)| {
        let suite = suite.tls13()?;
        let common = CipherSuiteCommon {
            suite: suite.common.suite,
            hash_provider: suite.common.hash_provider,
            confidentiality_limit: suite.common.confidentiality_limit,
        };
        Some(Tls13CipherSuite { common, hkdf_provider: hkdf, aead_alg: suite.aead_alg, quic: None })
    })
    .collect()
});

/// The suites of TLS 1.3, in order of preference. rustls' own prepare a key, and extract it, again for every secret that they derive
/// from it: a quarter of the hashing of a handshake.
pub(crate) fn tls13_suites() -> impl Iterator<Item = SupportedCipherSuite> {
    SUITES.iter().map(SupportedCipherSuite::Tls13)
}

// === impl PreparedHmac ===

impl Hmac for PreparedHmac {
    fn with_key(&self, key: &[u8]) -> Box<dyn Key> {
        Box::new(PreparedKey(hmac::Key::new(*self.0, key)))
    }

    fn hash_output_len(&self) -> usize {
        self.0.digest_algorithm().output_len()
    }
}

// === impl PreparedKey ===

impl Key for PreparedKey {
    fn sign_concat(&self, first: &[u8], middle: &[&[u8]], last: &[u8]) -> Tag {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(first);
        middle.iter().for_each(|piece| context.update(piece));
        context.update(last);
        Tag::new(context.sign().as_ref())
    }

    fn tag_len(&self) -> usize {
        self.0.algorithm().digest_algorithm().output_len()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use rustls::crypto::tls13::{Hkdf, OkmBlock};

    use super::*;

    fn all(hkdf: &dyn Hkdf) -> Vec<Vec<u8>> {
        let (salt, secret, info) = (&b"a salt"[..], &[7; 32][..], &[&b"some"[..], b" ", b"info"][..]);
        let expanders = [
            hkdf.extract_from_secret(Some(salt), secret),
            hkdf.extract_from_secret(None, secret),
            hkdf.extract_from_zero_ikm(Some(salt)),
            hkdf.extract_from_zero_ikm(None),
            hkdf.expander_for_okm(&OkmBlock::new(&[9; 32])),
        ];
        let mut found = vec![hkdf.hmac_sign(&OkmBlock::new(&[1; 48]), b"message").as_ref().to_vec()];
        for expander in expanders {
            let mut long = vec![0; 200];
            expander.expand_slice(info, &mut long).unwrap();
            let mut short = vec![0; 12];
            expander.expand_slice(&[], &mut short).unwrap();
            found.extend([long, short, expander.expand_block(info).as_ref().to_vec()]);
        }
        found
    }

    #[test]
    fn secrets_are_those_of_rustls() {
        let theirs = rustls::crypto::aws_lc_rs::ALL_CIPHER_SUITES;
        assert_eq!(tls13_suites().count(), 3);
        for suite in tls13_suites() {
            let own = suite.tls13().unwrap();
            let other = theirs.iter().find(|other| other.suite() == suite.suite()).unwrap().tls13().unwrap();
            assert_eq!(all(own.hkdf_provider), all(other.hkdf_provider), "{:?}", suite.suite());
        }
    }
}
