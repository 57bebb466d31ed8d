//! What a certificate says, as text.

mod distinguished_name;
mod other_name;

use std::net::{Ipv4Addr, Ipv6Addr};

use aws_lc_rs::digest;
use bytes::Bytes;
use sandgate_filter::CertificateInfo;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer as _;

use distinguished_name::distinguished_name;
use other_name::other_name;

/// A kind of subject alternative name that is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SanKind {
    /// `DNS`
    Dns,
    /// `URI`
    Uri,
    /// `EMAIL`
    Email,
    /// `IP_ADDRESS`
    IpAddress,
    /// `OTHER_NAME`
    OtherName,
}

/// What is told of a certificate. Of one that is not well-formed, the digests and the bytes alone.
#[must_use]
pub fn certificate_info(der: &[u8]) -> CertificateInfo {
    let mut info = CertificateInfo {
        sha256: hex(digest::digest(&digest::SHA256, der).as_ref()),
        sha1: hex(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, der).as_ref()),
        der: Bytes::copy_from_slice(der),
        ..CertificateInfo::default()
    };
    let Ok((_, certificate)) = X509Certificate::from_der(der) else { return info };
    info.subject = distinguished_name(certificate.subject());
    info.issuer = distinguished_name(certificate.issuer());
    info.serial = serial(certificate.raw_serial());
    info.not_before = certificate.validity().not_before.timestamp();
    info.not_after = certificate.validity().not_after.timestamp();
    let extensions = certificate.extensions().iter().map(|extension| extension.parsed_extension());
    let names = extensions.filter_map(|extension| match extension {
        ParsedExtension::SubjectAlternativeName(names) => Some(&names.general_names),
        _ => None,
    });
    for (kind, name) in names.flatten().filter_map(subject_alternative_name) {
        let list = match kind {
            SanKind::Dns => &mut info.dns_sans,
            SanKind::Uri => &mut info.uri_sans,
            SanKind::Email => &mut info.email_sans,
            SanKind::IpAddress => &mut info.ip_sans,
            SanKind::OtherName => &mut info.othername_sans,
        };
        list.push(name);
    }
    info
}

/// A name as text; none if it is of a kind that is not told of.
#[must_use]
pub fn subject_alternative_name(name: &GeneralName<'_>) -> Option<(SanKind, String)> {
    Some(match name {
        GeneralName::DNSName(name) => (SanKind::Dns, (*name).to_owned()),
        GeneralName::URI(uri) => (SanKind::Uri, (*uri).to_owned()),
        GeneralName::RFC822Name(address) => (SanKind::Email, (*address).to_owned()),
        GeneralName::IPAddress(bytes) => (SanKind::IpAddress, ip_address(bytes)?),
        GeneralName::OtherName(_, value) => (SanKind::OtherName, other_name(value)?),
        _ => return None,
    })
}

fn ip_address(bytes: &[u8]) -> Option<String> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|bytes| Ipv4Addr::from(bytes).to_string());
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(|bytes| Ipv6Addr::from(bytes).to_string())).ok()
}

/// The number in pairs of digits without leading zeros; zero is one digit.
fn serial(bytes: &[u8]) -> String {
    let significant = bytes.iter().position(|byte| *byte != 0).and_then(|first| bytes.get(first..));
    significant.map_or_else(|| "0".to_owned(), hex)
}

/// Lower case digits.
fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

#[cfg(test)]
mod tests;
