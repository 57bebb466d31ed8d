//! The TLS of a listener: its context, made anew when files change, and its stats.

mod contexts;
mod handshake;
mod reload;
mod secure;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use sandgate_config::model::{CommonTlsContext, DownstreamTlsContext, FilterChain, Secret, SecretSource};
use sandgate_filter::TlsInfo;
use sandgate_stats::{Sample, StatKind};
use sandgate_tls::{FailureKind, Identity, ServerContext, TlsError, TrustedCa, files};

pub(crate) use contexts::TlsContexts;
pub(crate) use handshake::Secured;
use handshake::{HandshakeError, handshake};
pub(crate) use reload::{Fingerprint, INTERVAL, Reloadable, keep_fresh};
pub(crate) use secure::{Unsecured, secure};

use crate::secrets::{SecretUser, ToldSecrets, WantedSecret, fill, wanted};
use crate::stats::{SslNames, SslSocketFactoryStats, SslStats, StatsStore};

/// The TLS of a listener's filter chain, for all threads.
#[derive(Debug)]
pub(crate) struct ListenerTls {
    config: Arc<DownstreamTlsContext>,
    /// How long a handshake may take; `None` is for ever.
    pub(crate) timeout: Option<Duration>,
    /// `listener.<name>.`
    scope: String,
    /// `None`: a secret is not there yet.
    context: ArcSwapOption<ServerContext>,
    made_of: Mutex<MadeOf>,
}

/// What a context is made of besides the configuration.
#[derive(Debug, Default)]
pub(crate) struct MadeOf {
    /// What control planes have told.
    pub(crate) told: ToldSecrets,
    /// The files as they were before they were last read.
    pub(crate) seen: Vec<Fingerprint>,
}

/// The same on one thread.
pub(crate) struct WorkerTls {
    pub(crate) shared: Arc<ListenerTls>,
    stats: SslStats,
    names: SslNames,
    factory: SslSocketFactoryStats,
}

// === impl ListenerTls ===

impl ListenerTls {
    /// Reads what the chain's context names; `None` if the chain has none. `stat_name` is the listener's.
    ///
    /// # Errors
    /// A file of the configuration cannot be used. A secret of an SDS file that cannot is waited for, as are those of control planes.
    pub(crate) fn load(chain: &FilterChain, stat_name: &str) -> Result<Option<Arc<Self>>, TlsError> {
        let Some(config) = &chain.tls else { return Ok(None) };
        let tls = Self {
            config: Arc::clone(config),
            timeout: chain.transport_socket_connect_timeout,
            scope: format!("listener.{stat_name}."),
            context: ArcSwapOption::new(None),
            made_of: Mutex::default(),
        };
        let (seen, made) = tls.make(&[]);
        match made {
            Ok(context) => tls.context.store(context),
            Err(error) if uses_sds(config) => log::warn!(target: "config", "a secret is not ready: {error}"),
            Err(error) => return Err(error),
        }
        *tls.made_of() = MadeOf { told: Vec::new(), seen };
        Ok(Some(Arc::new(tls)))
    }

    /// A context of the configuration and what control planes have told, if that is all; and the files before they were read.
    fn make(&self, told: &[Option<Arc<Secret>>]) -> (Vec<Fingerprint>, Result<Option<Arc<ServerContext>>, TlsError>) {
        let (config, complete) = self.filled(told);
        let seen = Fingerprint::all(files(&config.common, config.session_ticket_keys.as_ref()));
        let context = complete.then(|| ServerContext::load(&config).map(Arc::new));
        (seen, context.transpose())
    }

    /// The configuration with what control planes have told, and whether that is all.
    fn filled(&self, told: &[Option<Arc<Secret>>]) -> (Arc<DownstreamTlsContext>, bool) {
        let mut config = Arc::clone(&self.config);
        if self.wanted().is_empty() {
            return (config, true);
        }
        let filled = Arc::make_mut(&mut config);
        let complete = fill(&mut filled.common, filled.session_ticket_keys.as_mut(), told);
        (config, complete)
    }

    fn made_of(&self) -> MutexGuard<'_, MadeOf> {
        self.made_of.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The certificates that are served, and the first of those that clients' are checked against.
    pub(crate) fn certificates(&self) -> (Vec<Identity>, Option<TrustedCa>) {
        let context = self.context.load();
        let Some(context) = &*context else { return Default::default() };
        (context.certificates().to_vec(), context.ca().cloned())
    }

    /// Shows when the certificates expire.
    pub(crate) fn show_expiry(self: &Arc<Self>, store: &StatsStore) {
        store.add_source_of(self, |tls, add| {
            let (certificates, ca) = tls.certificates();
            let own = certificates.iter().map(|certificate| (&certificate.name, certificate.info.not_after));
            for (name, not_after) in own.chain(ca.iter().map(|ca| (&ca.name, ca.info.not_after))) {
                let name = format!("{}ssl.certificate.{name}.expiration_unix_time_seconds", tls.scope);
                let value = u64::try_from(not_after).unwrap_or(0);
                add(&name, Sample { kind: StatKind::Gauge, value, used: true });
            }
        });
    }
}

impl SecretUser for ListenerTls {
    fn wanted(&self) -> Vec<WantedSecret> {
        wanted(&self.config.common, self.config.session_ticket_keys.as_ref())
    }

    fn prepare(self: Arc<Self>, told: ToldSecrets) -> Result<Box<dyn FnOnce()>, TlsError> {
        let (seen, context) = self.make(&told);
        let context = context?;
        Ok(Box::new(move || {
            *self.made_of() = MadeOf { told, seen };
            if context.is_some() {
                self.context.store(context);
            }
        }))
    }
}

/// Whether a secret comes from a file or a control plane, and may not be there yet.
fn uses_sds(config: &DownstreamTlsContext) -> bool {
    common_uses_sds(&config.common)
        || matches!(config.session_ticket_keys, Some(SecretSource::Sds(_) | SecretSource::Dynamic { .. }))
}

/// The same, of what both sides have.
pub(crate) fn common_uses_sds(common: &CommonTlsContext) -> bool {
    common.certificates.iter().any(|source| !matches!(source, SecretSource::Inline { .. }))
        || common.validation.as_ref().is_some_and(|rules| !matches!(rules.source, SecretSource::Inline { .. }))
}

// === impl WorkerTls ===

impl WorkerTls {
    pub(crate) fn new(shared: Arc<ListenerTls>, store: &StatsStore) -> Self {
        let scope = &shared.scope;
        Self {
            stats: SslStats::new(store, scope),
            names: SslNames::new(store, scope),
            factory: SslSocketFactoryStats::new(store, &format!("{scope}server_ssl_socket_factory.")),
            shared,
        }
    }

    fn count_handshake(&self, info: &TlsInfo, scheme: Option<u16>) {
        self.stats.handshake().inc();
        if info.resumed {
            self.stats.session_reused().inc();
        }
        if info.peer_chain.is_empty() {
            self.stats.no_certificate().inc();
        }
        self.names.count("versions", info.version);
        self.names.count("ciphers", info.cipher);
        self.names.count("curves", info.group);
        if let Some(scheme) = scheme {
            self.names.count("sigalgs", sandgate_tls::scheme_name(scheme.into()));
        }
    }

    fn count_failure(&self, kind: FailureKind) {
        match kind {
            FailureKind::Closed => {}
            FailureKind::ConnectionError => self.stats.connection_error().inc(),
            FailureKind::NoCertificate => self.stats.fail_verify_no_cert().inc(),
            FailureKind::VerifyError => self.stats.fail_verify_error().inc(),
            FailureKind::VerifySan => self.stats.fail_verify_san().inc(),
            FailureKind::VerifyHash => self.stats.fail_verify_cert_hash().inc(),
        }
    }
}
