//! A key that signs with some schemes only.

use std::sync::Arc;

use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::sign::{Signer, SigningKey};
use rustls::{SignatureAlgorithm, SignatureScheme};

/// A key restricted to `signature_algorithms`.
#[derive(Debug)]
struct RestrictedKey {
    key: Arc<dyn SigningKey>,
    schemes: Vec<SignatureScheme>,
}

/// `key`, with these schemes only, in order of preference; with all of them if there are none.
pub(crate) fn restrict(key: Arc<dyn SigningKey>, schemes: &[u16]) -> Arc<dyn SigningKey> {
    if schemes.is_empty() {
        return key;
    }
    Arc::new(RestrictedKey { key, schemes: schemes.iter().copied().map(SignatureScheme::from).collect() })
}

// === impl RestrictedKey ===

impl SigningKey for RestrictedKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let mut wanted = self.schemes.iter().filter(|scheme| offered.contains(scheme));
        wanted.find_map(|scheme| self.key.choose_scheme(&[*scheme]))
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        self.key.public_key()
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.key.algorithm()
    }
}
