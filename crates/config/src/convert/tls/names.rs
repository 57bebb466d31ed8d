//! BoringSSL's names of algorithms, and their numbers in the IANA registries.

/// What is known of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Suite {
    /// Its number.
    Known(u16),
    /// Envoy has it; this program does not.
    Missing,
    /// No such name.
    Unknown,
}

const ECDSA_AES128_GCM: u16 = 0xc02b;
const ECDSA_AES256_GCM: u16 = 0xc02c;
const RSA_AES128_GCM: u16 = 0xc02f;
const RSA_AES256_GCM: u16 = 0xc030;
const RSA_CHACHA20: u16 = 0xcca8;
const ECDSA_CHACHA20: u16 = 0xcca9;

/// Envoy's default cipher suites (`envoy.extensions.transport_sockets.tls.v3.TlsParameters`).
pub(super) const DEFAULT_SUITES: &[&[u16]] =
    &[&[ECDSA_AES128_GCM, ECDSA_CHACHA20], &[RSA_AES128_GCM, RSA_CHACHA20], &[ECDSA_AES256_GCM], &[RSA_AES256_GCM]];

const X25519_MLKEM768: u16 = 0x11ec;
const X25519: u16 = 0x001d;
const P256: u16 = 0x0017;
const P384: u16 = 0x0018;

/// Envoy's default groups.
pub(super) const DEFAULT_CURVES: &[u16] = &[X25519_MLKEM768, X25519, P256];

/// A cipher suite of TLS 1.2.
pub(super) fn cipher_suite(name: &str) -> Suite {
    let known = match name {
        "ECDHE-ECDSA-AES128-GCM-SHA256" | "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" => ECDSA_AES128_GCM,
        "ECDHE-ECDSA-AES256-GCM-SHA384" | "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384" => ECDSA_AES256_GCM,
        "ECDHE-RSA-AES128-GCM-SHA256" | "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" => RSA_AES128_GCM,
        "ECDHE-RSA-AES256-GCM-SHA384" | "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384" => RSA_AES256_GCM,
        "ECDHE-RSA-CHACHA20-POLY1305" | "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256" => RSA_CHACHA20,
        "ECDHE-ECDSA-CHACHA20-POLY1305" | "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256" => ECDSA_CHACHA20,
        "ECDHE-ECDSA-AES128-SHA"
        | "ECDHE-ECDSA-AES128-SHA256"
        | "ECDHE-ECDSA-AES256-SHA"
        | "ECDHE-RSA-AES128-SHA"
        | "ECDHE-RSA-AES128-SHA256"
        | "ECDHE-RSA-AES256-SHA"
        | "ECDHE-PSK-AES128-CBC-SHA"
        | "ECDHE-PSK-AES256-CBC-SHA"
        | "ECDHE-PSK-CHACHA20-POLY1305"
        | "PSK-AES128-CBC-SHA"
        | "PSK-AES256-CBC-SHA"
        | "AES128-GCM-SHA256"
        | "AES256-GCM-SHA384"
        | "AES128-SHA"
        | "AES256-SHA"
        | "DES-CBC3-SHA"
        | "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"
        | "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA"
        | "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"
        | "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256"
        | "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"
        | "TLS_RSA_WITH_AES_128_GCM_SHA256"
        | "TLS_RSA_WITH_AES_256_GCM_SHA384"
        | "TLS_RSA_WITH_AES_128_CBC_SHA"
        | "TLS_RSA_WITH_AES_256_CBC_SHA"
        | "TLS_RSA_WITH_3DES_EDE_CBC_SHA" => return Suite::Missing,
        // Selectors and rules of the cipher list's little language.
        "ALL" | "HIGH" | "FIPS" | "SHA" | "SHA1" | "SHA256" | "SHA384" | "AES" | "AES128" | "AES256" | "AESGCM"
        | "CHACHA20" | "3DES" | "kRSA" | "kECDHE" | "kEECDH" | "kPSK" | "aRSA" | "aECDSA" | "aPSK" | "ECDHE"
        | "EECDH" | "RSA" | "ECDSA" | "PSK" | "TLSv1" | "TLSv1.2" => return Suite::Missing,
        rule if rule.starts_with(['!', '-', '+', '@']) => return Suite::Missing,
        _ => return Suite::Unknown,
    };
    Suite::Known(known)
}

/// A group of the key exchange.
pub(super) fn curve(name: &str) -> Suite {
    Suite::Known(match name {
        "X25519MLKEM768" => X25519_MLKEM768,
        "X25519" | "x25519" => X25519,
        "P-256" | "prime256v1" | "secp256r1" => P256,
        "P-384" | "secp384r1" => P384,
        "P-224" | "secp224r1" | "P-521" | "secp521r1" | "X25519Kyber768Draft00" | "MLKEM1024" => return Suite::Missing,
        _ => return Suite::Unknown,
    })
}

/// A signature scheme.
pub(super) fn signature_algorithm(name: &str) -> Suite {
    Suite::Known(match name {
        "rsa_pkcs1_sha256" | "RSA+SHA256" => 0x0401,
        "rsa_pkcs1_sha384" | "RSA+SHA384" => 0x0501,
        "rsa_pkcs1_sha512" | "RSA+SHA512" => 0x0601,
        "ecdsa_secp256r1_sha256" | "ECDSA+SHA256" => 0x0403,
        "ecdsa_secp384r1_sha384" | "ECDSA+SHA384" => 0x0503,
        "ecdsa_secp521r1_sha512" | "ECDSA+SHA512" => 0x0603,
        "rsa_pss_rsae_sha256" | "RSA-PSS+SHA256" | "PSS+SHA256" => 0x0804,
        "rsa_pss_rsae_sha384" | "RSA-PSS+SHA384" | "PSS+SHA384" => 0x0805,
        "rsa_pss_rsae_sha512" | "RSA-PSS+SHA512" | "PSS+SHA512" => 0x0806,
        "ed25519" => 0x0807,
        "rsa_pkcs1_sha1" | "RSA+SHA1" | "ecdsa_sha1" | "ECDSA+SHA1" | "rsa_pkcs1_md5_sha1" => return Suite::Missing,
        _ => return Suite::Unknown,
    })
}
