//! What a finished handshake agreed on, in Envoy's words.

use std::sync::Arc;

use rustls::{CipherSuite, CommonState, HandshakeKind, NamedGroup, ProtocolVersion, SignatureScheme};
use sandgate_filter::{CertificateInfo, TlsInfo};

use crate::certificate::certificate_info;

/// What rustls does not tell of a handshake.
#[derive(Clone, Debug, Default)]
pub struct HandshakeFacts<'a> {
    /// The server name that was sent; empty if none was.
    pub sni: &'a str,
    /// The peer's certificate was verified, and not merely looked at.
    pub peer_validated: bool,
    /// The certificate that is ours in this connection.
    pub local: Option<Arc<CertificateInfo>>,
}

/// What is known of a connection whose handshake is complete. rustls tells no session ids: there is none.
#[must_use]
pub fn tls_info(state: &CommonState, facts: HandshakeFacts<'_>) -> TlsInfo {
    let peers = state.peer_certificates().unwrap_or_default();
    TlsInfo {
        version: state.protocol_version().map(version_name).unwrap_or_default(),
        cipher: state.negotiated_cipher_suite().map(|suite| cipher_name(suite.suite())).unwrap_or_default(),
        group: state.negotiated_key_exchange_group().map(|group| group_name(group.name())).unwrap_or_default(),
        alpn: String::from_utf8_lossy(state.alpn_protocol().unwrap_or_default()).into(),
        sni: facts.sni.into(),
        session_id: Box::default(),
        resumed: state.handshake_kind() == Some(HandshakeKind::Resumed),
        peer_validated: facts.peer_validated && !peers.is_empty(),
        peer_chain: peers.iter().map(|der| Arc::new(certificate_info(der))).collect(),
        local: facts.local,
    }
}

/// `TLSv1.2`, `TLSv1.3`.
#[must_use]
pub fn version_name(version: ProtocolVersion) -> &'static str {
    match version {
        ProtocolVersion::TLSv1_2 => "TLSv1.2",
        ProtocolVersion::TLSv1_3 => "TLSv1.3",
        _ => "unknown",
    }
}

/// OpenSSL's name of a cipher suite.
#[must_use]
pub fn cipher_name(suite: CipherSuite) -> &'static str {
    match suite {
        CipherSuite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        CipherSuite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => "ECDHE-ECDSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => "ECDHE-ECDSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-ECDSA-CHACHA20-POLY1305",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => "ECDHE-RSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => "ECDHE-RSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-RSA-CHACHA20-POLY1305",
        _ => "unknown",
    }
}

/// BoringSSL's name of a group.
#[must_use]
pub fn group_name(group: NamedGroup) -> &'static str {
    match group {
        NamedGroup::X25519 => "X25519",
        NamedGroup::secp256r1 => "P-256",
        NamedGroup::secp384r1 => "P-384",
        NamedGroup::secp521r1 => "P-521",
        NamedGroup::X25519MLKEM768 => "X25519MLKEM768",
        _ => "unknown",
    }
}

/// BoringSSL's name of a signature scheme.
#[must_use]
pub fn scheme_name(scheme: SignatureScheme) -> &'static str {
    match scheme {
        SignatureScheme::RSA_PKCS1_SHA1 => "rsa_pkcs1_sha1",
        SignatureScheme::RSA_PKCS1_SHA256 => "rsa_pkcs1_sha256",
        SignatureScheme::RSA_PKCS1_SHA384 => "rsa_pkcs1_sha384",
        SignatureScheme::RSA_PKCS1_SHA512 => "rsa_pkcs1_sha512",
        SignatureScheme::ECDSA_NISTP256_SHA256 => "ecdsa_secp256r1_sha256",
        SignatureScheme::ECDSA_NISTP384_SHA384 => "ecdsa_secp384r1_sha384",
        SignatureScheme::ECDSA_NISTP521_SHA512 => "ecdsa_secp521r1_sha512",
        SignatureScheme::RSA_PSS_SHA256 => "rsa_pss_rsae_sha256",
        SignatureScheme::RSA_PSS_SHA384 => "rsa_pss_rsae_sha384",
        SignatureScheme::RSA_PSS_SHA512 => "rsa_pss_rsae_sha512",
        SignatureScheme::ED25519 => "ed25519",
        _ => "unknown",
    }
}
