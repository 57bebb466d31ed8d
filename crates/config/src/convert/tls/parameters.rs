//! Versions and algorithms.

use super::names::{self, Suite};
use crate::{
    convert::Context,
    model::{TlsParameters, TlsVersion},
    proto::envoy::extensions::transport_sockets::tls::v3::{self as proto, tls_parameters::TlsProtocol},
};

/// Which side of a connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

/// Converts versions and algorithms.
pub(super) fn parameters(
    context: &mut Context<'_>,
    message: proto::TlsParameters,
    side: Side,
) -> Option<TlsParameters> {
    let (min_version, max_version) = versions(context, &message, side)?;
    let suites = cipher_suites(context, message.cipher_suites);
    let curves = context.list("ecdh_curves", message.ecdh_curves.clone(), |context, list| {
        // As in BoringSSL, one text may have several.
        let curves: Vec<_> = list.split(':').filter_map(|name| curve(context, name)).collect();
        Some(curves)
    });
    let curves: Vec<u16> = curves.into_iter().flatten().collect();
    let algorithms = context.list("signature_algorithms", message.signature_algorithms, |context, list| {
        let schemes: Vec<_> = list.split(':').filter_map(|name| scheme(context, name)).collect();
        Some(schemes)
    });
    Some(TlsParameters {
        min_version,
        max_version,
        cipher_suites: suites?,
        ecdh_curves: if curves.is_empty() { names::DEFAULT_CURVES.to_vec() } else { curves },
        signature_algorithms: algorithms.into_iter().flatten().collect(),
    })
}

fn versions(context: &mut Context<'_>, message: &proto::TlsParameters, side: Side) -> Option<(TlsVersion, TlsVersion)> {
    let min = match TlsProtocol::try_from(message.tls_minimum_protocol_version).ok()? {
        TlsProtocol::TlsAuto | TlsProtocol::TlSv12 => TlsVersion::Tls12,
        TlsProtocol::TlSv10 | TlsProtocol::TlSv11 => {
            let lost = "peers that have nothing newer than TLS 1.1 are refused";
            context.lost_at("tls_minimum_protocol_version", "TLS 1.0 and 1.1 are not implemented", lost);
            TlsVersion::Tls12
        }
        TlsProtocol::TlSv13 => TlsVersion::Tls13,
    };
    let max = match TlsProtocol::try_from(message.tls_maximum_protocol_version).ok()? {
        TlsProtocol::TlsAuto if side == Side::Client => TlsVersion::Tls12.max(min),
        TlsProtocol::TlsAuto | TlsProtocol::TlSv13 => TlsVersion::Tls13,
        TlsProtocol::TlSv12 => TlsVersion::Tls12,
        TlsProtocol::TlSv10 | TlsProtocol::TlSv11 => {
            context.error_at("tls_maximum_protocol_version", "TLS 1.0 and 1.1 are not implemented");
            return None;
        }
    };
    if min > max {
        // Envoy takes this, and no handshake succeeds.
        context.error_at("tls_maximum_protocol_version", "the highest version is below the lowest one");
        return None;
    }
    Some((min, max))
}

fn cipher_suites(context: &mut Context<'_>, lists: Vec<String>) -> Option<Vec<Vec<u16>>> {
    if lists.is_empty() {
        return Some(names::DEFAULT_SUITES.iter().map(|group| group.to_vec()).collect());
    }
    let groups = context.list("cipher_suites", lists, |context, list| {
        let mut groups = Vec::new();
        for item in list.split(':') {
            let inner = item.strip_prefix('[').and_then(|item| item.strip_suffix(']'));
            let names: Vec<_> = inner.map_or_else(|| vec![item], |inner| inner.split('|').collect());
            let group: Vec<u16> = names.into_iter().filter_map(|name| suite(context, name)).collect();
            if !group.is_empty() {
                groups.push(group);
            }
        }
        Some(groups)
    });
    let groups: Vec<_> = groups.into_iter().flatten().collect();
    if groups.is_empty() && !context.report.has_errors() {
        context.error_at("cipher_suites", "none of these is implemented");
        return None;
    }
    Some(groups)
}

fn suite(context: &mut Context<'_>, name: &str) -> Option<u16> {
    match names::cipher_suite(name) {
        Suite::Known(suite) => return Some(suite),
        Suite::Missing => {
            let lost = "peers that have no other are refused";
            context.lost_here(
                &format!("cipher suite {name} is not implemented: it has no forward secrecy, or is not an AEAD"),
                lost,
            );
        }
        Suite::Unknown => context.error(format!(
            "Failed to initialize cipher suites: the following ciphers were rejected when tried individually: {name}"
        )),
    }
    None
}

fn curve(context: &mut Context<'_>, name: &str) -> Option<u16> {
    match names::curve(name) {
        Suite::Known(curve) => return Some(curve),
        Suite::Missing => {
            let lost = "peers that have no other are refused";
            context.lost_here(&format!("ECDH curve {name} is not implemented"), lost);
        }
        Suite::Unknown => context.error(format!("Failed to initialize ECDH curves {name}")),
    }
    None
}

fn scheme(context: &mut Context<'_>, name: &str) -> Option<u16> {
    match names::signature_algorithm(name) {
        Suite::Known(scheme) => return Some(scheme),
        Suite::Missing => {
            let lost = "peers that have no other are refused";
            context.lost_here(&format!("signature algorithm {name} is not implemented: it uses SHA-1"), lost);
        }
        Suite::Unknown => context.error(format!("Failed to initialize TLS signature algorithms {name}")),
    }
    None
}
