//! What is known of a connection's TLS.

use std::fmt::Write as _;
use std::sync::Arc;

use base64::Engine as _;
use bytes::Bytes;

/// A connection's TLS once its handshake is done: Envoy's `Ssl::ConnectionInfo`, as plain data. Shared by all streams of the
/// connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsInfo {
    /// `TLSv1.2`, `TLSv1.3`.
    pub version: &'static str,
    /// OpenSSL's name of the cipher suite, such as `TLS_AES_128_GCM_SHA256` or `ECDHE-RSA-AES128-GCM-SHA256`.
    pub cipher: &'static str,
    /// BoringSSL's name of the group the keys were agreed in, such as `X25519`; empty if there was none.
    pub group: &'static str,
    /// The application protocol that was agreed on; empty if none was.
    pub alpn: Box<str>,
    /// The server name: what the client asked for, or what we asked the host for. Empty if none was sent.
    pub sni: Box<str>,
    /// The id of the session in hexadecimal digits; empty if it has none.
    pub session_id: Box<str>,
    /// The session is an earlier one's continued.
    pub resumed: bool,
    /// The peer's certificate was verified, and not merely looked at.
    pub peer_validated: bool,
    /// The certificates the peer presented, its own first; empty if it presented none.
    pub peer_chain: Vec<Arc<CertificateInfo>>,
    /// The certificate we presented.
    pub local: Option<Arc<CertificateInfo>>,
}

/// What is told of a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateInfo {
    /// The subject as RFC 2253 writes it: `CN=a,O=b`.
    pub subject: String,
    /// The issuer, likewise.
    pub issuer: String,
    /// The serial number: lower case hexadecimal digits.
    pub serial: String,
    /// Subject alternative names that are URIs, in their order.
    pub uri_sans: Vec<String>,
    /// Those that are DNS names.
    pub dns_sans: Vec<String>,
    /// Those that are IP addresses, as text.
    pub ip_sans: Vec<String>,
    /// Those that are email addresses.
    pub email_sans: Vec<String>,
    /// Those of other kinds (`otherName`), their value as text.
    pub othername_sans: Vec<String>,
    /// The SHA-256 digest of the certificate: lower case hexadecimal digits.
    pub sha256: String,
    /// The SHA-1 digest, likewise.
    pub sha1: String,
    /// Valid from, in seconds since the Unix epoch.
    pub not_before: i64,
    /// Valid until, likewise.
    pub not_after: i64,
    /// The certificate itself.
    pub der: Bytes,
}

// === impl TlsInfo ===

impl TlsInfo {
    /// The peer's own certificate.
    #[must_use]
    pub fn peer(&self) -> Option<&CertificateInfo> {
        self.peer_chain.first().map(|certificate| &**certificate)
    }

    /// The certificate behind the peer's own one in the chain it presented.
    #[must_use]
    pub fn peer_issuer(&self) -> Option<&CertificateInfo> {
        self.peer_chain.get(1).map(|certificate| &**certificate)
    }

    /// The chain that the peer presented in PEM, percent-encoded as in `x-forwarded-client-cert`; empty if there is none.
    #[must_use]
    pub fn url_encoded_peer_chain(&self) -> String {
        self.peer_chain.iter().map(|certificate| certificate.url_encoded_pem()).collect()
    }
}

// === impl CertificateInfo ===

impl CertificateInfo {
    /// The certificate in PEM, with a line end behind the last line.
    #[must_use]
    pub fn pem(&self) -> String {
        let text = base64::engine::general_purpose::STANDARD.encode(&self.der);
        let mut pem = String::with_capacity(text.len() + text.len() / 64 + 64);
        pem.push_str("-----BEGIN CERTIFICATE-----\n");
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (line, behind) = rest.split_at(rest.len().min(64));
            pem.push_str(line);
            pem.push('\n');
            rest = behind;
        }
        pem.push_str("-----END CERTIFICATE-----\n");
        pem
    }

    /// The same with line ends, spaces and the signs `+ / =` percent-encoded (observed in Envoy 1.40).
    #[must_use]
    pub fn url_encoded_pem(&self) -> String {
        let pem = self.pem();
        let mut encoded = String::with_capacity(pem.len() + pem.len() / 8);
        for character in pem.chars() {
            match character {
                '\n' | ' ' | '+' | '/' | '=' => {
                    // Writing to a string cannot fail.
                    let _ = write!(encoded, "%{:02X}", u32::from(character));
                }
                other => encoded.push(other),
            }
        }
        encoded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pem_has_lines_of_64_and_is_encoded_for_headers() {
        let certificate = CertificateInfo { der: Bytes::from(vec![0xfb; 50]), ..CertificateInfo::default() };
        let pem = certificate.pem();
        let lines = pem.lines().map(str::len).collect::<Vec<_>>();
        assert_eq!(lines, [27, 64, 4, 25]);
        assert!(pem.ends_with("+/s=\n-----END CERTIFICATE-----\n"), "{pem}");
        let encoded = certificate.url_encoded_pem();
        assert!(encoded.starts_with("-----BEGIN%20CERTIFICATE-----%0A%2B"), "{encoded}");
        assert!(encoded.ends_with("%2B%2Fs%3D%0A-----END%20CERTIFICATE-----%0A"), "{encoded}");
    }

    #[test]
    fn the_first_of_the_chain_is_the_peer() {
        let named = |subject: &str| Arc::new(CertificateInfo { subject: subject.into(), ..CertificateInfo::default() });
        let tls = TlsInfo { peer_chain: vec![named("CN=a"), named("CN=b")], ..TlsInfo::default() };
        assert_eq!(tls.peer().map(|peer| &*peer.subject), Some("CN=a"));
        assert_eq!(tls.peer_issuer().map(|issuer| &*issuer.subject), Some("CN=b"));
        assert_eq!(TlsInfo::default().peer(), None);
    }
}
