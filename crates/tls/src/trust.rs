//! What is trusted: roots and revocation lists.

use std::sync::Arc;

use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use sandgate_config::model::{CertificateValidationContext, DataSource};
use sandgate_filter::CertificateInfo;
use webpki::{CertRevocationList, OwnedCertRevocationList, anchor_from_trusted_cert};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::certificate::certificate_info;
use crate::error::TlsError;
use crate::pem;

/// Where systems keep what they trust; the first that is there counts (as in Envoy).
const SYSTEM_ROOTS: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The first of the trusted certificates, as `/certs` and stats tell of it.
#[derive(Clone, Debug)]
pub struct TrustedCa {
    /// Where it is: a path, or `<inline>`.
    pub place: String,
    /// Its name in stats: the secret's, or one of a kind.
    pub name: String,
    /// What is told of it.
    pub info: Arc<CertificateInfo>,
}

/// Trusted certificates, with what can be looked up of them.
#[derive(Debug)]
pub(crate) struct Roots {
    pub(crate) place: String,
    pub(crate) anchors: Vec<TrustAnchor<'static>>,
    /// The certificates of `anchors`, in the same order.
    pub(crate) certificates: Vec<Root>,
    pub(crate) lists: Vec<CertRevocationList<'static>>,
}

#[derive(Debug)]
pub(crate) struct Root {
    pub(crate) der: CertificateDer<'static>,
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
}

// === impl Root ===

impl Root {
    /// Whether it is valid then.
    pub(crate) fn is_valid_at(&self, time: UnixTime) -> Result<(), webpki::Error> {
        let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        let limit =
            |seconds: i64| UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds.max(0).unsigned_abs()));
        if seconds > self.not_after {
            return Err(webpki::Error::CertExpired { time, not_after: limit(self.not_after) });
        }
        if seconds < self.not_before {
            return Err(webpki::Error::CertNotValidYet { time, not_before: limit(self.not_before) });
        }
        Ok(())
    }
}

// === impl Roots ===

impl Roots {
    /// Reads what a configuration trusts; `None` if it trusts nothing.
    pub(crate) fn load(config: &CertificateValidationContext) -> Result<Option<Self>, TlsError> {
        let system = || {
            let path = SYSTEM_ROOTS.iter().find(|path| std::path::Path::new(path).is_file());
            path.map(|path| DataSource::File(path.into()))
                .ok_or_else(|| TlsError::invalid("Failed to load system root certificates"))
        };
        let source = match &config.trusted_ca {
            Some(source) => source.clone(),
            None if config.system_root_certs => system()?,
            None => return Ok(None),
        };
        let (bytes, place) = pem::read(&source)?;
        let fail = || TlsError::Invalid(format!("Failed to load trusted CA certificates from {place}"));
        let mut anchors = Vec::new();
        let mut certificates = Vec::new();
        for der in pem::certificates(&bytes, fail)? {
            // A bundle of a system may have what nobody can read; a bundle of one's own had better not.
            let parsed = X509Certificate::from_der(&der).ok().map(|(_, certificate)| {
                let validity = certificate.validity();
                (validity.not_before.timestamp(), validity.not_after.timestamp())
            });
            let (Some((not_before, not_after)), Ok(anchor)) = (parsed, anchor_from_trusted_cert(&der)) else {
                if config.trusted_ca.is_some() {
                    return Err(fail());
                }
                continue;
            };
            anchors.push(anchor.to_owned());
            certificates.push(Root { der, not_before, not_after });
        }
        let mut lists = pem::revocation_lists(&bytes, fail)?;
        if let Some(source) = &config.crl {
            let (bytes, place) = pem::read(source)?;
            let fail = || TlsError::Invalid(format!("Failed to load CRL from {place}"));
            let more = pem::revocation_lists(&bytes, fail)?;
            if more.is_empty() {
                return Err(fail());
            }
            lists.extend(more);
        }
        let lists: Result<Vec<_>, _> =
            lists.iter().map(|list| OwnedCertRevocationList::from_der(list).map(CertRevocationList::from)).collect();
        let lists = lists.map_err(|error| TlsError::Invalid(format!("Failed to load CRL: {error}")))?;
        Ok(Some(Self { place, anchors, certificates, lists }))
    }

    /// What is told of the first.
    pub(crate) fn first(&self, name: &str) -> Option<TrustedCa> {
        let root = self.certificates.first()?;
        // As for certificates, Envoy makes the name of a hash of bytes that are not there.
        let name = if name.is_empty() { "unnamed_ca_cert_e3b0c442" } else { name };
        Some(TrustedCa {
            place: self.place.clone(),
            name: name.to_owned(),
            info: Arc::new(certificate_info(&root.der)),
        })
    }
}
