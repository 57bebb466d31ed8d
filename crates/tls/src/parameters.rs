//! Versions and algorithms as rustls knows them.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::version::{TLS12, TLS13};
use rustls::{SupportedCipherSuite, SupportedProtocolVersion};
use sandgate_config::model::{TlsParameters, TlsVersion};

use crate::error::TlsError;
use crate::hkdf;

/// The library with these algorithms only. `chacha_first`: of suites with the same preference, those with ChaCha20 come first.
pub(crate) fn provider(params: &TlsParameters, chacha_first: bool) -> Result<Arc<CryptoProvider>, TlsError> {
    let all = aws_lc_rs::default_provider();
    let find = |number: &u16| {
        let mut suites = aws_lc_rs::ALL_CIPHER_SUITES.iter();
        suites.find(|suite| u16::from(suite.suite()) == *number).copied()
    };
    let mut suites = Vec::new();
    if params.max_version == TlsVersion::Tls13 {
        suites.extend(hkdf::tls13_suites());
    }
    for group in params.cipher_suites.iter().filter(|_| params.min_version == TlsVersion::Tls12) {
        let mut group: Vec<SupportedCipherSuite> = group.iter().filter_map(find).collect();
        if chacha_first {
            group.sort_by_key(|suite| !is_chacha(u16::from(suite.suite())));
        }
        suites.extend(group);
    }
    let find = |number: &u16| aws_lc_rs::ALL_KX_GROUPS.iter().find(|group| u16::from(group.name()) == *number).copied();
    let kx_groups: Vec<_> = params.ecdh_curves.iter().filter_map(find).collect();
    if suites.is_empty() || kx_groups.is_empty() {
        return Err(TlsError::invalid("none of the cipher suites or ECDH curves is implemented"));
    }
    Ok(Arc::new(CryptoProvider { cipher_suites: suites, kx_groups, ..all }))
}

/// Whether a suite is one of ChaCha20, by its number.
pub(crate) fn is_chacha(suite: u16) -> bool {
    matches!(suite, 0xcca8..=0xccae | 0x1303)
}

/// The versions, newest first.
pub(crate) fn versions(params: &TlsParameters) -> &'static [&'static SupportedProtocolVersion] {
    static BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
    let (newest, older) = BOTH.split_at(1);
    match (params.min_version, params.max_version) {
        (TlsVersion::Tls13, _) => newest,
        (TlsVersion::Tls12, TlsVersion::Tls12) => older,
        (TlsVersion::Tls12, TlsVersion::Tls13) => &BOTH,
    }
}
