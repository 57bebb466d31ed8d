//! `x-forwarded-client-cert`

use sandgate_config::model::{ForwardClientCert, HttpConnectionManager};
use sandgate_filter::{CertificateInfo, TlsInfo};
use sandgate_http::HeaderMap;

const NAME: &[u8] = b"x-forwarded-client-cert";

/// Tells of the client's certificate, as the mode says. Without one nobody vouches for what the header says: it is removed.
pub(super) fn forward(headers: &mut HeaderMap, config: &HttpConnectionManager, tls: Option<&TlsInfo>) {
    let presented = tls.and_then(|tls| tls.peer().map(|peer| (tls, peer)));
    match (config.forward_client_cert, presented) {
        (ForwardClientCert::AlwaysForwardOnly, _) | (ForwardClientCert::ForwardOnly, Some(_)) => {}
        (ForwardClientCert::AppendForward, Some((tls, peer))) => {
            let mut value = headers.get(NAME).unwrap_or_default().to_vec();
            if !value.is_empty() {
                value.push(b',');
            }
            value.extend_from_slice(element(config, tls, peer).as_bytes());
            headers.set(NAME, &value);
        }
        (ForwardClientCert::SanitizeSet, Some((tls, peer))) => headers.set(NAME, element(config, tls, peer).as_bytes()),
        (ForwardClientCert::Sanitize, _) | (_, None) => _ = headers.remove(NAME),
    }
}

/// The pairs that tell of one certificate, in Envoy 1.40's order.
fn element(config: &HttpConnectionManager, tls: &TlsInfo, peer: &CertificateInfo) -> String {
    let wanted = config.client_cert_details;
    let mut pairs = Vec::new();
    pairs.extend(tls.local.iter().flat_map(|local| &local.uri_sans).map(|uri| format!("By={uri}")));
    pairs.push(format!("Hash={}", peer.sha256));
    if wanted.cert {
        pairs.push(format!("Cert=\"{}\"", peer.url_encoded_pem()));
    }
    if wanted.chain {
        pairs.push(format!("Chain=\"{}\"", tls.url_encoded_peer_chain()));
    }
    if wanted.subject {
        pairs.push(format!("Subject=\"{}\"", peer.subject));
    }
    if wanted.uri {
        pairs.extend(peer.uri_sans.iter().map(|uri| format!("URI={uri}")));
        if peer.uri_sans.is_empty() {
            pairs.push("URI=".to_owned());
        }
    }
    if wanted.dns {
        pairs.extend(peer.dns_sans.iter().map(|dns| format!("DNS={dns}")));
    }
    pairs.join(";")
}
