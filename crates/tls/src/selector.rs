//! Which of our certificates a client gets.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::identity::Identity;

/// Chooses by the name that is asked for, then by the kinds of keys that the client can do (as Envoy does).
#[derive(Debug)]
pub(crate) struct Selector {
    certificates: Vec<Identity>,
    /// Places in `certificates`, by exact name; wildcards without their star.
    by_name: HashMap<String, Vec<usize>>,
    by_wildcard: HashMap<String, Vec<usize>>,
    full_scan: bool,
}

// === impl Selector ===

impl Selector {
    /// `full_scan`: look through all certificates if none is for the name.
    pub(crate) fn new(certificates: Vec<Identity>, full_scan: bool) -> Self {
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        let mut by_wildcard: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, certificate) in certificates.iter().enumerate() {
            for name in &certificate.dns_names {
                let (map, name) = match name.strip_prefix('*') {
                    Some(rest) if rest.starts_with('.') => (&mut by_wildcard, rest),
                    Some(_) => continue,
                    None => (&mut by_name, name.as_str()),
                };
                let places = map.entry(name.to_owned()).or_default();
                // Of two of one kind for one name the first is used.
                let kind = |place: &usize| certificates.get(*place).map(|other| other.is_ecdsa);
                if !places.iter().any(|place| kind(place) == Some(certificate.is_ecdsa)) {
                    places.push(index);
                }
            }
        }
        Self { certificates, by_name, by_wildcard, full_scan }
    }

    pub(crate) fn certificates(&self) -> &[Identity] {
        &self.certificates
    }

    /// The certificate for a client that asks for `name` and can check signatures of these kinds.
    pub(crate) fn select(&self, name: Option<&str>, ecdsa_capable: bool) -> Option<&Identity> {
        let name = name.unwrap_or_default().to_ascii_lowercase();
        let wildcard = name.split_once('.').map(|(_, domain)| format!(".{domain}"));
        let named = [self.by_name.get(&name), wildcard.and_then(|wildcard| self.by_wildcard.get(&wildcard))];
        for places in named.into_iter().flatten() {
            let found = self.preferred(places.iter().copied(), ecdsa_capable);
            if found.is_some() {
                return found;
            }
        }
        if name.is_empty() || self.full_scan {
            return self.preferred(0..self.certificates.len(), ecdsa_capable);
        }
        self.certificates.first()
    }

    /// The certificate for a client that begins like this.
    pub(crate) fn select_for(&self, hello: &ClientHello<'_>) -> Option<&Identity> {
        self.select(hello.server_name(), hello.signature_schemes().iter().any(is_ecdsa))
    }

    /// The first with an ECDSA key if the client can do those, else the first with an RSA key, else the first.
    fn preferred(&self, places: impl Iterator<Item = usize>, ecdsa_capable: bool) -> Option<&Identity> {
        let candidates: Vec<_> = places.filter_map(|place| self.certificates.get(place)).collect();
        let wanted = candidates.iter().find(|certificate| certificate.is_ecdsa && ecdsa_capable);
        let wanted = wanted.or_else(|| candidates.iter().find(|certificate| !certificate.is_ecdsa));
        wanted.or_else(|| candidates.first()).copied()
    }
}

fn is_ecdsa(scheme: &SignatureScheme) -> bool {
    matches!(
        *scheme,
        SignatureScheme::ECDSA_NISTP256_SHA256
            | SignatureScheme::ECDSA_NISTP384_SHA384
            | SignatureScheme::ECDSA_NISTP521_SHA512
            | SignatureScheme::ECDSA_SHA1_Legacy
    )
}

impl ResolvesServerCert for Selector {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.select_for(&hello).map(|certificate| Arc::clone(&certificate.key))
    }
}
