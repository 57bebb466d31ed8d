//! One of our certificates.

use std::sync::Arc;

use rustls::SignatureAlgorithm;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use sandgate_config::model::{SanType, TlsCertificate};
use sandgate_filter::CertificateInfo;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::public_key::PublicKey;

use crate::certificate::certificate_info;
use crate::error::TlsError;
use crate::pem;
use crate::sans::sans;
use crate::schemes::restrict;

/// The least size of an RSA key, in bits.
const MIN_RSA_BITS: usize = 2048;

/// A certificate of ours with its key, and what is told of it.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Where it is: a path, or `<inline>`.
    pub place: String,
    /// Its name in stats: the secret's, or one of a kind.
    pub name: String,
    /// What is told of it.
    pub info: Arc<CertificateInfo>,
    pub(crate) key: Arc<CertifiedKey>,
    pub(crate) is_ecdsa: bool,
    /// The DNS names it is for, in lower case; the common name if there are no names at all.
    pub(crate) dns_names: Vec<String>,
}

// === impl Identity ===

impl Identity {
    /// Reads it.
    ///
    /// # Errors
    /// Files that cannot be read, a key that does not belong to the certificate, keys that are too small (as Envoy has it).
    pub(crate) fn load(config: &TlsCertificate, name: &str, schemes: &[u16]) -> Result<Self, TlsError> {
        let (chain, place) = pem::read(&config.certificate_chain)?;
        let bad_chain = || TlsError::Invalid(format!("Failed to load certificate chain from {place}"));
        let chain = pem::certificates(&chain, bad_chain)?;
        let (key, key_place) = pem::read(&config.private_key)?;
        let key = pem::private_key(&key, &key_place)?;
        let leaf = chain.first().ok_or_else(bad_chain)?.clone();
        let dns_names = check(&leaf, &place)?;
        let mut certified = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()).map_err(|error| {
            TlsError::Invalid(format!("Failed to load private key from {key_place}, Cause: {error}"))
        })?;
        certified.key = restrict(Arc::clone(&certified.key), schemes);
        Ok(Self {
            name: if name.is_empty() { Self::unnamed() } else { name.to_owned() },
            is_ecdsa: certified.key.algorithm() == SignatureAlgorithm::ECDSA,
            key: Arc::new(certified),
            info: Arc::new(certificate_info(&leaf)),
            dns_names,
            place,
        })
    }

    /// Envoy makes the name of a hash of `inline_bytes`, which are empty as a rule (observed in Envoy 1.40).
    fn unnamed() -> String {
        "unnamed_cert_e3b0c442".to_owned()
    }
}

/// The names that a certificate is for, if its key is one that Envoy takes.
fn check(der: &CertificateDer<'_>, place: &str) -> Result<Vec<String>, TlsError> {
    let fail = |why: &str| TlsError::Invalid(format!("Failed to load certificate chain from {place}{why}"));
    let (_, certificate) = X509Certificate::from_der(der).map_err(|_| fail(""))?;
    match certificate.public_key().parsed() {
        Ok(PublicKey::RSA(key)) if key.key_size() < MIN_RSA_BITS => {
            return Err(fail(", only RSA certificates with 2048-bit or larger keys are supported"));
        }
        Ok(PublicKey::RSA(_) | PublicKey::EC(_)) => {}
        _ => return Err(fail(", only RSA and ECDSA certificates are supported")),
    }
    Ok(match sans(der) {
        Some(sans) => {
            let names = sans.into_iter().filter(|san| san.kind == SanType::Dns);
            names.map(|san| san.value.to_ascii_lowercase()).collect()
        }
        None => {
            let names = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
            names.map(str::to_ascii_lowercase).take(1).collect()
        }
    })
}
