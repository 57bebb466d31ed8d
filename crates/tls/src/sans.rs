//! Subject alternative names, and matchers of them.

use sandgate_config::model::{self, SanType, StringPattern};
use sandgate_matcher::StringMatcher;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::certificate::{SanKind, subject_alternative_name};

/// A subject alternative name as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct San {
    pub(crate) kind: SanType,
    pub(crate) value: String,
}

/// A compiled `SubjectAltNameMatcher`.
#[derive(Debug)]
pub(crate) struct SanMatcher {
    kind: SanType,
    matcher: StringMatcher,
    /// The name that an exact matcher of DNS names wants: there may be a wildcard in the certificate.
    exact_dns: Option<String>,
}

/// The names of a certificate, in their order; `None` if it has no such extension (or cannot be read).
pub(crate) fn sans(certificate: &[u8]) -> Option<Vec<San>> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let extensions = certificate.extensions().iter();
    let names = extensions.map(|extension| extension.parsed_extension()).find_map(|extension| match extension {
        ParsedExtension::SubjectAlternativeName(names) => Some(names),
        _ => None,
    })?;
    Some(names.general_names.iter().filter_map(san).collect())
}

fn san(name: &GeneralName<'_>) -> Option<San> {
    let (kind, value) = subject_alternative_name(name)?;
    let kind = match (kind, name) {
        (SanKind::Dns, _) => SanType::Dns,
        (SanKind::Uri, _) => SanType::Uri,
        (SanKind::Email, _) => SanType::Email,
        (SanKind::IpAddress, _) => SanType::IpAddress,
        (SanKind::OtherName, GeneralName::OtherName(oid, _)) => SanType::OtherName(oid.to_id_string()),
        (SanKind::OtherName, _) => return None,
    };
    Some(San { kind, value })
}

/// Whether a certificate's DNS name, which may be a wildcard, is for `name` (RFC 6125, as Envoy reads it: a wildcard is the first
/// label or the beginning of it, and stands for one label).
pub(crate) fn dns_name_match(name: &str, pattern: &str) -> bool {
    if name.eq_ignore_ascii_case(pattern) {
        return true;
    }
    let (Some((label, rest)), Some((wild, domain))) = (name.split_once('.'), pattern.split_once('.')) else {
        return false;
    };
    if !rest.eq_ignore_ascii_case(domain)
        || wild.matches('*').count() != 1
        || wild.to_ascii_lowercase().starts_with("xn--")
    {
        return false;
    }
    let Some((before, after)) = wild.split_once('*') else { return false };
    let label = label.to_ascii_lowercase();
    label.len() >= before.len() + after.len()
        && !label.is_empty()
        && label.starts_with(&before.to_ascii_lowercase())
        && label.ends_with(&after.to_ascii_lowercase())
}

// === impl SanMatcher ===

impl SanMatcher {
    pub(crate) fn new(config: &model::SubjectAltNameMatcher) -> Self {
        let exact_dns = match (&config.san_type, &config.matcher.pattern) {
            (SanType::Dns, StringPattern::Exact(name)) => Some(name.clone()),
            _ => None,
        };
        Self { kind: config.san_type.clone(), matcher: StringMatcher::new(&config.matcher), exact_dns }
    }

    pub(crate) fn matches(&self, san: &San) -> bool {
        if san.kind != self.kind {
            return false;
        }
        match &self.exact_dns {
            Some(name) => dns_name_match(name, &san.value),
            None => self.matcher.matches(san.value.as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stand_for_one_label() {
        for (name, pattern, wanted) in [
            ("a.example.com", "a.example.com", true),
            ("A.example.com", "a.EXAMPLE.com", true),
            ("a.example.com", "*.example.com", true),
            ("a.b.example.com", "*.example.com", false),
            ("example.com", "*.example.com", false),
            ("api1.example.com", "api*.example.com", true),
            ("1api.example.com", "*api.example.com", true),
            ("web.example.com", "api*.example.com", false),
            ("xn--a.example.com", "xn--*.example.com", false),
            ("a.example.com", "*", false),
            ("a.example.com", "*.*", false),
        ] {
            assert_eq!(dns_name_match(name, pattern), wanted, "{name} {pattern}");
        }
    }
}
