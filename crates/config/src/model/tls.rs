//! TLS, downstream and upstream. `sandgate-tls` makes of it what connections use.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;

use super::{ConfigSource, Origin, StringMatcher};

/// Envoy's `envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext`.
#[derive(Clone, Debug, PartialEq)]
pub struct DownstreamTlsContext {
    /// What both sides have.
    pub common: CommonTlsContext,
    /// A client must present a certificate. False by default.
    pub require_client_certificate: bool,
    /// A client must send SNI. False by default.
    pub require_sni: bool,
    /// The keys of session tickets, the first of which makes new ones; `None` lets the process make up its own.
    pub session_ticket_keys: Option<SecretSource<SessionTicketKeys>>,
    /// No session tickets are given or taken.
    pub disable_stateless_session_resumption: bool,
    /// No sessions are kept for resumption by session id (TLS 1.2).
    pub disable_stateful_session_resumption: bool,
    /// How long a session may be resumed, in whole seconds; `None` is the library's default (Envoy's is two hours).
    pub session_timeout: Option<Duration>,
    /// Look through all certificates for one of the right key type if none fits the name. False by default.
    pub full_scan_certs_on_sni_mismatch: bool,
    /// TLS 1.2 cipher suites are chosen in the client's order. False by default.
    pub prefer_client_ciphers: bool,
    /// Where it stands.
    pub origin: Origin,
}

/// Envoy's `envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext`.
#[derive(Clone, Debug, PartialEq)]
pub struct UpstreamTlsContext {
    /// What both sides have. At most one certificate.
    pub common: CommonTlsContext,
    /// The name that is asked for; empty for none.
    pub sni: String,
    /// The host's name is asked for, if it has one.
    pub auto_host_sni: bool,
    /// The certificate must be for the name that was asked for.
    pub auto_sni_san_validation: bool,
    /// How many sessions are kept for resumption; 0 for none. 1 by default.
    pub max_session_keys: u32,
    /// Where it stands.
    pub origin: Origin,
}

/// Envoy's `envoy.extensions.transport_sockets.tls.v3.CommonTlsContext`.
#[derive(Clone, Debug, PartialEq)]
pub struct CommonTlsContext {
    /// Versions and algorithms.
    pub params: TlsParameters,
    /// Our certificates.
    pub certificates: Vec<SecretSource<TlsCertificate>>,
    /// How the peer's certificate is looked at; `None`: not at all.
    pub validation: Option<ValidationSource>,
    /// Protocols for ALPN, in order of preference; empty for none.
    pub alpn_protocols: Vec<String>,
}

/// A secret, or where it is found.
#[derive(Clone, Debug, PartialEq)]
pub enum SecretSource<T> {
    /// In the configuration, or in its static secrets (then with a name).
    Inline {
        /// The static secret's name; empty if it has none.
        name: String,
        /// The secret.
        secret: T,
    },
    /// In a file that is looked at again when it changes.
    Sds(SdsSource),
    /// A control plane tells it.
    Dynamic {
        /// The secret's name.
        name: String,
        /// Never a file: those are `Sds`.
        source: ConfigSource,
    },
}

/// Envoy's `SdsSecretConfig` with a `path_config_source`: a file with a `DiscoveryResponse`, in which the secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SdsSource {
    /// The secret's name.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// The directory whose changes make the file be read again; `None`: the file's own.
    pub watched_directory: Option<PathBuf>,
}

/// Where the rules for the peer's certificate come from.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidationSource {
    /// What holds before `source` is laid over it (`combined_validation_context`).
    pub defaults: Option<Box<CertificateValidationContext>>,
    /// The rules.
    pub source: SecretSource<CertificateValidationContext>,
}

/// Envoy's `envoy.extensions.transport_sockets.tls.v3.TlsParameters`, with numbers of the IANA registries for names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsParameters {
    /// The lowest version. TLS 1.2 by default.
    pub min_version: TlsVersion,
    /// The highest version. By default TLS 1.3 for servers, TLS 1.2 for clients.
    pub max_version: TlsVersion,
    /// Cipher suites of TLS 1.2, in order of preference; those of one group have the same. Those of TLS 1.3 are not configurable.
    pub cipher_suites: Vec<Vec<u16>>,
    /// Groups of the key exchange, in order of preference.
    pub ecdh_curves: Vec<u16>,
    /// Signature schemes, in order of preference; empty for the library's.
    pub signature_algorithms: Vec<u16>,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

/// Envoy's `envoy.config.core.v3.DataSource`. An environment variable was read while loading.
#[derive(Clone, PartialEq, Eq)]
pub enum DataSource {
    /// A file.
    File(PathBuf),
    /// The data.
    Inline(Bytes),
}

/// Envoy's `envoy.extensions.transport_sockets.tls.v3.TlsCertificate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsCertificate {
    /// PEM: our certificate, then what is between it and a root.
    pub certificate_chain: DataSource,
    /// PEM.
    pub private_key: DataSource,
    /// The directory whose changes make the files be read again; `None`: those of the files.
    pub watched_directory: Option<PathBuf>,
}

/// Envoy's `envoy.extensions.transport_sockets.tls.v3.TlsSessionTicketKeys`: each is 80 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionTicketKeys {
    /// At least one. The first makes new tickets, all open them.
    pub keys: Vec<DataSource>,
}

/// Envoy's `envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CertificateValidationContext {
    /// PEM: the certificates that are trusted (and perhaps revocation lists).
    pub trusted_ca: Option<DataSource>,
    /// The certificates that this system trusts, where `trusted_ca` is not set.
    pub system_root_certs: bool,
    /// The directory whose changes make the files be read again; `None`: those of the files.
    pub watched_directory: Option<PathBuf>,
    /// SHA-256 of the peer's public key (SubjectPublicKeyInfo); any one will do.
    pub verify_certificate_spki: Vec<[u8; 32]>,
    /// SHA-256 of the peer's certificate; any one will do, as will one of `verify_certificate_spki`.
    pub verify_certificate_hash: Vec<[u8; 32]>,
    /// Names the certificate must be for; any one will do.
    pub match_typed_subject_alt_names: Vec<SubjectAltNameMatcher>,
    /// PEM: revocation lists. There must be one of each issuer in the chain.
    pub crl: Option<DataSource>,
    /// Only the peer's own certificate is looked for in the lists.
    pub only_verify_leaf_cert_crl: bool,
    /// A certificate may have expired, or not be valid yet.
    pub allow_expired_certificate: bool,
    /// A chain that leads nowhere is accepted (`ACCEPT_UNTRUSTED`).
    pub accept_untrusted: bool,
    /// How many certificates there may be between the peer's and the trusted one; `None`: 100.
    pub max_verify_depth: Option<u32>,
    /// Clients are not told which issuers are trusted.
    pub suppress_client_ca_list: bool,
}

/// Envoy's `envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher`.
#[derive(Clone, Debug, PartialEq)]
pub struct SubjectAltNameMatcher {
    /// Which of the names are looked at.
    pub san_type: SanType,
    /// What one of them must be.
    pub matcher: StringMatcher,
}

/// Envoy's `SubjectAltNameMatcher.SanType`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SanType {
    /// `rfc822Name`.
    Email,
    /// `dNSName`; an exact matcher takes wildcards in the certificate.
    Dns,
    /// `uniformResourceIdentifier`.
    Uri,
    /// `iPAddress`, as text.
    IpAddress,
    /// `otherName` of this object identifier.
    OtherName(String),
}

/// Envoy's `envoy.extensions.transport_sockets.tls.v3.Secret`.
#[derive(Clone, Debug, PartialEq)]
pub struct Secret {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: SecretKind,
}

/// What a secret is.
#[derive(Clone, Debug, PartialEq)]
pub enum SecretKind {
    /// A certificate with its key.
    Certificate(TlsCertificate),
    /// Keys of session tickets.
    TicketKeys(SessionTicketKeys),
    /// Rules for the peer's certificate.
    Validation(Box<CertificateValidationContext>),
}

// === impl CertificateValidationContext ===

impl CertificateValidationContext {
    /// What holds when `over` is laid over this, as protobuf merges messages: what is set there replaces, lists are appended.
    #[must_use]
    pub fn merged(&self, over: Self) -> Self {
        let both = |mut first: Vec<[u8; 32]>, second| {
            first.extend::<Vec<[u8; 32]>>(second);
            first
        };
        let mut names = self.match_typed_subject_alt_names.clone();
        names.extend(over.match_typed_subject_alt_names);
        Self {
            trusted_ca: over.trusted_ca.or_else(|| self.trusted_ca.clone()),
            system_root_certs: self.system_root_certs || over.system_root_certs,
            watched_directory: over.watched_directory.or_else(|| self.watched_directory.clone()),
            verify_certificate_spki: both(self.verify_certificate_spki.clone(), over.verify_certificate_spki),
            verify_certificate_hash: both(self.verify_certificate_hash.clone(), over.verify_certificate_hash),
            match_typed_subject_alt_names: names,
            crl: over.crl.or_else(|| self.crl.clone()),
            only_verify_leaf_cert_crl: self.only_verify_leaf_cert_crl || over.only_verify_leaf_cert_crl,
            allow_expired_certificate: self.allow_expired_certificate || over.allow_expired_certificate,
            accept_untrusted: self.accept_untrusted || over.accept_untrusted,
            max_verify_depth: over.max_verify_depth.or(self.max_verify_depth),
            suppress_client_ca_list: self.suppress_client_ca_list || over.suppress_client_ca_list,
        }
    }

    /// Whether a chain to something trusted is looked for.
    #[must_use]
    pub fn verifies_chain(&self) -> bool {
        self.trusted_ca.is_some() || self.system_root_certs
    }
}

// === impl DataSource ===

/// Keys must not come into logs.
impl std::fmt::Debug for DataSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Inline(data) => f.debug_tuple("Inline").field(&data.len()).finish(),
        }
    }
}
