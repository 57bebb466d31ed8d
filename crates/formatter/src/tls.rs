//! Commands about the TLS of the two connections.

use sandgate_filter::{CertificateInfo, TlsInfo};

use crate::FormatContext;
use crate::format::Rendered;

/// A command about TLS. It is absent if the connection is plain text, or if what it tells is empty.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tls {
    side: Side,
    render: Render,
}

/// Whose connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Downstream,
    Upstream,
}

type Render = fn(&TlsInfo, &mut Vec<u8>);

/// What both sides have.
const BOTH: &[(&str, Render)] = &[
    ("LOCAL_DNS_SAN", |tls, out| local(tls, out, |local| &local.dns_sans)),
    ("LOCAL_IP_SAN", |tls, out| local(tls, out, |local| &local.ip_sans)),
    ("LOCAL_URI_SAN", |tls, out| local(tls, out, |local| &local.uri_sans)),
    ("PEER_CERT", |tls, out| {
        if let Some(peer) = tls.peer() {
            out.extend_from_slice(peer.url_encoded_pem().as_bytes());
        }
    }),
    ("PEER_DNS_SAN", |tls, out| peer(tls, out, |peer| &peer.dns_sans)),
    ("PEER_IP_SAN", |tls, out| peer(tls, out, |peer| &peer.ip_sans)),
    ("PEER_ISSUER", |tls, out| text(out, tls.peer().map(|peer| &*peer.issuer))),
    ("PEER_SUBJECT", |tls, out| text(out, tls.peer().map(|peer| &*peer.subject))),
    ("PEER_URI_SAN", |tls, out| peer(tls, out, |peer| &peer.uri_sans)),
    ("TLS_CIPHER", |tls, out| text(out, Some(tls.cipher))),
    ("TLS_GROUP", |tls, out| text(out, Some(tls.group))),
    ("TLS_SESSION_ID", |tls, out| text(out, Some(&tls.session_id))),
    ("TLS_VERSION", |tls, out| text(out, Some(tls.version))),
];

const DOWNSTREAM_ONLY: &[(&str, Render)] = &[
    ("LOCAL_EMAIL_SAN", |tls, out| local(tls, out, |local| &local.email_sans)),
    ("LOCAL_OTHERNAME_SAN", |tls, out| local(tls, out, |local| &local.othername_sans)),
    ("LOCAL_SUBJECT", |tls, out| text(out, tls.local.as_ref().map(|local| &*local.subject))),
    ("PEER_CHAIN_FINGERPRINTS_1", |tls, out| chain(tls, out, |certificate| &certificate.sha1)),
    ("PEER_CHAIN_FINGERPRINTS_256", |tls, out| chain(tls, out, |certificate| &certificate.sha256)),
    ("PEER_CHAIN_SERIALS", |tls, out| chain(tls, out, |certificate| &certificate.serial)),
    ("PEER_EMAIL_SAN", |tls, out| peer(tls, out, |peer| &peer.email_sans)),
    ("PEER_FINGERPRINT_1", |tls, out| text(out, tls.peer().map(|peer| &*peer.sha1))),
    ("PEER_FINGERPRINT_256", |tls, out| text(out, tls.peer().map(|peer| &*peer.sha256))),
    ("PEER_ISSUER_FINGERPRINT_256", |tls, out| text(out, tls.peer_issuer().map(|issuer| &*issuer.sha256))),
    ("PEER_ISSUER_SERIAL", |tls, out| text(out, tls.peer_issuer().map(|issuer| &*issuer.serial))),
    ("PEER_OTHERNAME_SAN", |tls, out| peer(tls, out, |peer| &peer.othername_sans)),
    ("PEER_SERIAL", |tls, out| text(out, tls.peer().map(|peer| &*peer.serial))),
];

const UPSTREAM_ONLY: &[(&str, Render)] = &[("SERVER_NAME", |tls, out| text(out, Some(&tls.sni)))];

/// The command of that name, if it is one of these.
pub(crate) fn find(name: &str) -> Option<Tls> {
    let (side, name, own) = match name.strip_prefix("DOWNSTREAM_") {
        Some(name) => (Side::Downstream, name, DOWNSTREAM_ONLY),
        None => (Side::Upstream, name.strip_prefix("UPSTREAM_")?, UPSTREAM_ONLY),
    };
    let (_, render) = BOTH.iter().chain(own).find(|(known, _)| *known == name)?;
    Some(Tls { side, render: *render })
}

// === impl Side ===

impl Side {
    /// TLS of that connection.
    pub(crate) fn tls<'a>(self, context: &FormatContext<'a>) -> Option<&'a TlsInfo> {
        match self {
            Self::Downstream => context.connection.tls.as_deref(),
            Self::Upstream => context.info.upstream.tls.as_deref(),
        }
    }
}

// === impl Tls ===

impl Tls {
    pub(crate) fn render(self, context: &FormatContext<'_>, out: &mut Vec<u8>) -> Rendered {
        let Some(tls) = self.side.tls(context) else { return Rendered::Absent };
        let before = out.len();
        (self.render)(tls, out);
        if out.len() == before { Rendered::Absent } else { Rendered::Text }
    }
}

fn text(out: &mut Vec<u8>, text: Option<&str>) {
    out.extend_from_slice(text.unwrap_or_default().as_bytes());
}

fn local(tls: &TlsInfo, out: &mut Vec<u8>, values: fn(&CertificateInfo) -> &Vec<String>) {
    join(out, tls.local.iter().flat_map(|local| values(local)));
}

fn peer(tls: &TlsInfo, out: &mut Vec<u8>, values: fn(&CertificateInfo) -> &Vec<String>) {
    join(out, tls.peer().into_iter().flat_map(values));
}

fn chain(tls: &TlsInfo, out: &mut Vec<u8>, value: fn(&CertificateInfo) -> &String) {
    join(out, tls.peer_chain.iter().map(|certificate| value(certificate)));
}

fn join<'s>(out: &mut Vec<u8>, values: impl Iterator<Item = &'s String>) {
    for (index, value) in values.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(value.as_bytes());
    }
}
