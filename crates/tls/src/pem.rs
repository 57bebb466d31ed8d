//! Certificates, keys and lists in files and in the configuration.

use bytes::Bytes;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use sandgate_config::model::DataSource;

use crate::error::TlsError;

/// The most that is read of a file.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// The data, and the place as Envoy tells it in messages.
pub(crate) fn read(source: &DataSource) -> Result<(Bytes, String), TlsError> {
    match source {
        DataSource::Inline(bytes) => Ok((bytes.clone(), "<inline>".to_owned())),
        DataSource::File(path) => {
            let name = path.display().to_string();
            let fail = |source| TlsError::File { path: path.display().to_string(), source };
            let size = std::fs::metadata(path).map_err(fail)?.len();
            if size > MAX_BYTES {
                return Err(TlsError::Invalid(format!("{name} is too large")));
            }
            Ok((std::fs::read(path).map_err(fail)?.into(), name))
        }
    }
}

/// The certificates in `pem`, in order. At least one.
pub(crate) fn certificates(pem: &[u8], fail: impl Fn() -> TlsError) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    certificates.ok().filter(|certificates| !certificates.is_empty()).ok_or_else(fail)
}

/// The first key in `pem`.
pub(crate) fn private_key(pem: &[u8], place: &str) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem)
        .map_err(|_| TlsError::Invalid(format!("Failed to load private key from {place}, Cause: unknown")))
}

/// The revocation lists in `pem`, in order; those that cannot be read are an error.
pub(crate) fn revocation_lists(
    pem: &[u8],
    fail: impl Fn() -> TlsError,
) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    let lists: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(pem).collect();
    lists.map_err(|_| fail())
}
