//! The server side: how clients are answered.

use std::sync::Arc;

use rustls::server::{ClientHello, NoServerSessionStorage, ServerSessionMemoryCache};
use rustls::{ServerConfig, server};
use sandgate_config::model::{DownstreamTlsContext, TlsVersion};
use sandgate_filter::CertificateInfo;

use crate::error::TlsError;
use crate::identity::Identity;
use crate::parameters::{is_chacha, provider, versions};
use crate::selector::Selector;
use crate::sessions::TimedSessions;
use crate::source;
use crate::tickets::Tickets;
use crate::trust::TrustedCa;
use crate::verifier::Verifier;

/// How long a session may be resumed, where nothing is said: what BoringSSL has.
const DEFAULT_SESSION_SECONDS: u32 = 7200;
/// Sessions of TLS 1.2 that are kept for clients without tickets.
const KEPT_SESSIONS: usize = 1024;
/// How many tickets a client of TLS 1.3 gets: as BoringSSL.
const TICKETS: usize = 2;

/// A `DownstreamTlsContext` with all that it names.
#[derive(Debug)]
pub struct ServerContext {
    /// Suites in the client's order: TLS 1.3 has no other, and TLS 1.2 may want it.
    clients_order: Arc<ServerConfig>,
    /// Suites in our order.
    our_order: Arc<ServerConfig>,
    /// In our order, but those with ChaCha20 before others of the same preference.
    chacha_first: Arc<ServerConfig>,
    selector: Arc<Selector>,
    ca: Option<TrustedCa>,
    require_sni: bool,
    prefer_client_ciphers: bool,
    tls13: bool,
}

/// How a client is answered.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// For rustls.
    pub config: Arc<ServerConfig>,
    /// The certificate that the client gets, unless it resumes a session.
    pub local: Option<Arc<CertificateInfo>>,
}

/// A client that is turned away before its handshake begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// It asks for no name, and `require_sni` is set.
    NoServerName,
}

// === impl Rejected ===

impl Rejected {
    /// What it is told: the record of a fatal alert (`handshake_failure`).
    #[must_use]
    pub fn alert(self) -> &'static [u8] {
        &[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28]
    }
}

// === impl ServerContext ===

impl ServerContext {
    /// Reads all that `config` names.
    ///
    /// # Errors
    /// A file that cannot be read or is not what it should be, a secret that is not where it should be.
    pub fn load(config: &DownstreamTlsContext) -> Result<Self, TlsError> {
        let common = &config.common;
        let params = &common.params;
        let schemes = &params.signature_algorithms;
        let mut certificates = Vec::new();
        for certificate in &common.certificates {
            let (certificate, name) = source::certificate(certificate)?;
            certificates.push(Identity::load(&certificate, &name, schemes)?);
        }
        let rules = source::rules(common.validation.as_ref())?;
        let selector = Arc::new(Selector::new(certificates, config.full_scan_certs_on_sni_mismatch));
        let asks = rules.as_ref().and_then(|rules| rules.asks(config.require_client_certificate));
        let lifetime = config
            .session_timeout
            .map_or(DEFAULT_SESSION_SECONDS, |time| u32::try_from(time.as_secs()).unwrap_or(u32::MAX));
        let tickets: Option<Arc<dyn server::ProducesTickets>> = match &config.session_ticket_keys {
            _ if config.disable_stateless_session_resumption => None,
            Some(keys) => {
                let digest = rules.as_ref().map(|rules| rules.digest()).unwrap_or_default();
                Some(Arc::new(Tickets::load(&source::ticket_keys(keys)?, lifetime, digest)?))
            }
            None if config.session_timeout.is_some() => Some(Arc::new(Tickets::random(lifetime)?)),
            None => Some(Tickets::rotating()?),
        };
        let sessions: Arc<dyn server::StoresServerSessions> = if config.disable_stateful_session_resumption {
            Arc::new(NoServerSessionStorage {})
        } else {
            Arc::new(TimedSessions::new(ServerSessionMemoryCache::new(KEPT_SESSIONS), lifetime))
        };
        let build = |chacha: bool, ours: bool| -> Result<Arc<ServerConfig>, TlsError> {
            let builder = ServerConfig::builder_with_provider(provider(params, chacha)?)
                .with_protocol_versions(versions(params))?;
            let builder = match asks {
                None => builder.with_no_client_auth(),
                Some(mandatory) => builder.with_client_cert_verifier(Arc::new(Verifier::new(
                    rules.clone(),
                    Vec::new(),
                    mandatory,
                    schemes,
                ))),
            };
            let mut built = builder.with_cert_resolver(Arc::<Selector>::clone(&selector));
            built.ignore_client_order = ours;
            built.alpn_protocols = common.alpn_protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
            built.session_storage = Arc::clone(&sessions);
            built.send_tls13_tickets = 0;
            if let Some(tickets) = &tickets {
                built.ticketer = Arc::clone(tickets);
                built.send_tls13_tickets = TICKETS;
            }
            Ok(Arc::new(built))
        };
        Ok(Self {
            clients_order: build(false, false)?,
            our_order: build(false, true)?,
            chacha_first: build(true, true)?,
            ca: rules.as_ref().and_then(|rules| rules.ca()),
            selector,
            require_sni: config.require_sni,
            prefer_client_ciphers: config.prefer_client_ciphers,
            tls13: params.max_version == TlsVersion::Tls13,
        })
    }

    /// How a client is answered that begins like this.
    ///
    /// # Errors
    /// It is turned away.
    pub fn choose(&self, hello: &ClientHello<'_>) -> Result<Chosen, Rejected> {
        if self.require_sni && hello.server_name().is_none() {
            return Err(Rejected::NoServerName);
        }
        let local = self.selector.select_for(hello).map(|identity| Arc::clone(&identity.info));
        let mut config = Arc::clone(self.config_for(hello));
        let ours = &config.alpn_protocols;
        let shared = |theirs: &[u8]| ours.iter().any(|our| our == theirs);
        if !ours.is_empty() && hello.alpn().is_some_and(|mut theirs| !theirs.any(shared)) {
            // As if it had offered none: rustls would refuse it.
            let mut without = (*config).clone();
            without.alpn_protocols.clear();
            config = Arc::new(without);
        }
        Ok(Chosen { config, local })
    }

    fn config_for(&self, hello: &ClientHello<'_>) -> &Arc<ServerConfig> {
        let suites = hello.cipher_suites();
        // The names of TLS 1.3's suites begin with 0x13.
        let tls13 = self.tls13 && suites.iter().any(|suite| u16::from(*suite) >> 8 == 0x13);
        if tls13 || self.prefer_client_ciphers {
            return &self.clients_order;
        }
        // Within a group the client's order counts.
        let of_a_group = |suite: &u16| is_chacha(*suite) || is_aes128_gcm(*suite);
        let first = suites.iter().map(|suite| u16::from(*suite)).find(of_a_group);
        if first.is_some_and(is_chacha) { &self.chacha_first } else { &self.our_order }
    }

    /// Our certificates, in the order of the configuration.
    #[must_use]
    pub fn certificates(&self) -> &[Identity] {
        self.selector.certificates()
    }

    /// The first of the certificates that clients' are checked against.
    #[must_use]
    pub fn ca(&self) -> Option<&TrustedCa> {
        self.ca.as_ref()
    }
}

fn is_aes128_gcm(suite: u16) -> bool {
    matches!(suite, 0xc02b | 0xc02f)
}
