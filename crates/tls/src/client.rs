//! The client side: how servers are spoken to.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::{ClientSessionMemoryCache, ClientSessionStore, Resumption};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{DnsName, ServerName};
use rustls::sign::SingleCertAndKey;
use sandgate_config::model::{TlsVersion, UpstreamTlsContext};

use crate::error::TlsError;
use crate::identity::Identity;
use crate::parameters::{provider, versions};
use crate::source;
use crate::trust::TrustedCa;
use crate::verifier::{Rules, Verifier};

/// An `UpstreamTlsContext` with all that it names.
#[derive(Debug)]
pub struct ClientContext {
    provider: Arc<CryptoProvider>,
    certificate: Option<Identity>,
    rules: Option<Arc<Rules>>,
    sessions: Option<Arc<dyn ClientSessionStore>>,
    config: UpstreamTlsContext,
}

/// What connections of one cluster may differ in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ClientOptions {
    /// The certificate must be for one of these names, whatever the context's rules say of names.
    pub names: Vec<String>,
    /// Protocols for ALPN in place of the context's.
    pub alpn_protocols: Option<Vec<String>>,
}

// === impl ClientContext ===

impl ClientContext {
    /// Reads all that `config` names.
    ///
    /// # Errors
    /// A file that cannot be read or is not what it should be, a secret that is not where it should be.
    pub fn load(config: &UpstreamTlsContext) -> Result<Self, TlsError> {
        let common = &config.common;
        let certificate = match common.certificates.first() {
            None => None,
            Some(certificate) => {
                let (certificate, name) = source::certificate(certificate)?;
                Some(Identity::load(&certificate, &name, &common.params.signature_algorithms)?)
            }
        };
        let rules = source::rules(common.validation.as_ref())?;
        if config.auto_sni_san_validation && !rules.as_ref().is_some_and(|rules| rules.has_roots()) {
            let message = "'auto_sni_san_validation' was configured without configuring a trusted CA";
            return Err(TlsError::invalid(message));
        }
        let sessions = usize::try_from(config.max_session_keys).unwrap_or(usize::MAX);
        Ok(Self {
            provider: provider(&common.params, false)?,
            certificate,
            rules,
            sessions: (sessions > 0)
                .then(|| Arc::new(ClientSessionMemoryCache::new(sessions)) as Arc<dyn ClientSessionStore>),
            config: config.clone(),
        })
    }

    /// The configuration for connections that ask for `sni` (empty for none). Those of a context share its sessions.
    ///
    /// # Errors
    /// Algorithms that do not go together.
    pub fn config(&self, sni: &str, options: &ClientOptions) -> Result<Arc<ClientConfig>, TlsError> {
        let common = &self.config.common;
        let mut names = options.names.clone();
        if names.is_empty() && self.config.auto_sni_san_validation && !sni.is_empty() {
            names.push(sni.to_owned());
        }
        let verifier = Verifier::new(self.rules.clone(), names, true, &common.params.signature_algorithms);
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(versions(&common.params))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut built = match &self.certificate {
            None => builder.with_no_client_auth(),
            Some(certificate) => {
                let key = SingleCertAndKey::from(Arc::clone(&certificate.key));
                builder.with_client_cert_resolver(Arc::new(key))
            }
        };
        self.vary(&mut built, sni, options);
        built.resumption = match &self.sessions {
            Some(sessions) => Resumption::store(Arc::clone(sessions)),
            None => Resumption::disabled(),
        };
        Ok(Arc::new(built))
    }

    /// A configuration like `other`, which was made for the same names to check, but for what is asked for and offered.
    #[must_use]
    pub fn varied(&self, other: &ClientConfig, sni: &str, options: &ClientOptions) -> Arc<ClientConfig> {
        let mut varied = other.clone();
        self.vary(&mut varied, sni, options);
        Arc::new(varied)
    }

    fn vary(&self, config: &mut ClientConfig, sni: &str, options: &ClientOptions) {
        let protocols = options.alpn_protocols.as_ref().unwrap_or(&self.config.common.alpn_protocols);
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        config.enable_sni = !sni.is_empty();
    }

    /// The name that a handshake is for: `sni`, or the address where none is asked for (or it is no name that can be).
    #[must_use]
    pub fn server_name(sni: &str, peer: IpAddr) -> ServerName<'static> {
        match DnsName::try_from(sni.to_owned()) {
            Ok(name) => ServerName::DnsName(name),
            Err(_) => ServerName::IpAddress(peer.into()),
        }
    }

    /// Our certificate, if there is one.
    #[must_use]
    pub fn certificate(&self) -> Option<&Identity> {
        self.certificate.as_ref()
    }

    /// The first of the certificates that servers' are checked against.
    #[must_use]
    pub fn ca(&self) -> Option<TrustedCa> {
        self.rules.as_ref()?.ca()
    }

    /// The context's configuration.
    #[must_use]
    pub fn model(&self) -> &UpstreamTlsContext {
        &self.config
    }

    /// Whether it can speak TLS 1.3.
    #[must_use]
    pub fn has_tls13(&self) -> bool {
        self.config.common.params.max_version == TlsVersion::Tls13
    }
}
