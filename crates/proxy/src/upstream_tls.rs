//! TLS to the hosts of a cluster.

use std::future::{Future as _, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustls::ClientConfig;
use sandgate_config::model::{Secret, UpstreamTlsContext};
use sandgate_filter::{CertificateInfo, TlsInfo};
use sandgate_tls::outcome::{self, Outcome};
use sandgate_tls::{
    ClientContext, ClientOptions, Failure, FailureKind, HandshakeFacts, TlsError, files, scheme_name, tls_info,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::listener_tls::{Fingerprint, MadeOf, Reloadable, common_uses_sds};
use crate::pool::{PoolProtocol, TlsNames};
use crate::secrets::{SecretUser, ToldSecrets, WantedSecret, fill, wanted};
use crate::stats::{Sample, SslNames, SslSocketFactoryStats, SslStats, StatKind, StatsStore, scope_name};
use crate::transport::{Tcp, Transport};

/// Configurations that are kept; names that requests bring could be any number.
const MOST_CONFIGS: usize = 100;

/// What connections to a cluster's hosts are encrypted with. Shared by all threads, as sessions are; a thread asks for it once a
/// connection.
pub(crate) struct UpstreamTls {
    /// Of the cluster's stats; ends with a dot.
    scope: String,
    model: UpstreamTlsContext,
    configs: Mutex<Configs>,
    made_of: Mutex<MadeOf>,
}

/// Configurations by names: a session can be resumed only with the one it was made with.
#[derive(Default)]
struct Configs {
    /// What they are made of; `None`: a secret is not there yet.
    context: Option<Arc<ClientContext>>,
    entries: Vec<(String, ClientOptions, Arc<ClientConfig>)>,
}

/// One worker's view of a cluster's TLS.
pub(crate) struct WorkerTls {
    shared: Arc<UpstreamTls>,
    counters: SslCounters,
    /// Counted also by who loads contexts anew.
    factory: SslSocketFactoryStats,
}

/// What is counted of handshakes, of clusters as of listeners.
pub(crate) struct SslCounters {
    stats: SslStats,
    names: SslNames,
}

/// An encrypted connection.
pub(crate) struct Secured {
    pub(crate) transport: Transport,
    pub(crate) info: Arc<TlsInfo>,
    pub(crate) complete: Instant,
}

/// What a connection's handshake is made for.
pub(crate) struct Handshake<'a> {
    pub(crate) peer: SocketAddr,
    /// The host's name; empty if it has none.
    pub(crate) hostname: &'a str,
    pub(crate) names: Option<&'a TlsNames>,
    pub(crate) alpn: Alpn<'a>,
}

/// Which protocols are offered.
pub(crate) enum Alpn<'a> {
    /// Those of the configuration, or none.
    OfContext,
    /// These, if the configuration names none.
    Fallback(&'static [&'static str]),
    /// These, whatever the configuration says.
    Instead(&'a [String]),
}

// === impl UpstreamTls ===

impl UpstreamTls {
    /// Reads all that `config` names. Secrets of control planes are waited for.
    ///
    /// # Errors
    /// A file that cannot be read, or is not what it should be.
    pub(crate) fn load(config: &UpstreamTlsContext, stat_name: &str) -> Result<Arc<Self>, TlsError> {
        let scope = format!("cluster.{stat_name}.");
        let tls = Self { scope, model: config.clone(), configs: Mutex::default(), made_of: Mutex::default() };
        let (seen, context) = tls.make(&[]);
        *tls.configs() = Configs { context: context?, entries: Vec::new() };
        *tls.made_of() = MadeOf { told: Vec::new(), seen };
        Ok(Arc::new(tls))
    }

    /// A context of the configuration and what control planes have told, if that is all; and the files before they were read.
    fn make(&self, told: &[Option<Arc<Secret>>]) -> (Vec<Fingerprint>, Result<Option<Arc<ClientContext>>, TlsError>) {
        let mut model = self.model.clone();
        let complete = fill(&mut model.common, None, told);
        let seen = Fingerprint::all(files(&model.common, None));
        let context = complete.then(|| ClientContext::load(&model).map(Arc::new));
        (seen, context.transpose())
    }

    /// Connections from now on are made with the new context; those that are open stay.
    fn set_context(&self, context: Arc<ClientContext>) {
        *self.configs() = Configs { context: Some(context), entries: Vec::new() };
    }

    fn made_of(&self) -> MutexGuard<'_, MadeOf> {
        self.made_of.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells when the certificates end, as gauges of the cluster with this name in stats.
    pub(crate) fn visit_expirations(&self, stat_name: &str, add: &mut dyn FnMut(&str, Sample)) {
        let prefix = format!("cluster.{}.ssl.certificate.", scope_name(stat_name));
        let Some(context) = self.context() else { return };
        let own = context.certificate().map(|own| (own.name.clone(), own.info.not_after));
        let ca = context.ca().map(|ca| (ca.name, ca.info.not_after));
        for (name, end) in own.into_iter().chain(ca) {
            let value = u64::try_from(end).unwrap_or_default();
            let sample = Sample { kind: StatKind::Gauge, value, used: true };
            add(&format!("{prefix}{name}.expiration_unix_time_seconds"), sample);
        }
    }

    /// The context that new connections get; `None` as long as a secret is not there.
    fn context(&self) -> Option<Arc<ClientContext>> {
        self.configs().context.clone()
    }

    fn configs(&self) -> MutexGuard<'_, Configs> {
        self.configs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn config(
        &self,
        context: &Arc<ClientContext>,
        sni: &str,
        options: ClientOptions,
    ) -> Result<Arc<ClientConfig>, TlsError> {
        let mut configs = self.configs();
        if !configs.context.as_ref().is_some_and(|now| Arc::ptr_eq(now, context)) {
            return context.config(sni, &options);
        }
        if configs.entries.len() >= MOST_CONFIGS {
            configs.entries.clear();
        }
        let found = configs.entries.iter().find(|(name, with, _)| name == sni && *with == options);
        if let Some((_, _, config)) = found {
            return Ok(Arc::clone(config));
        }
        // Those that check certificates alike share their sessions.
        let alike = configs.entries.iter().find(|(name, with, _)| {
            with.names == options.names && (name == sni || !context.model().auto_sni_san_validation)
        });
        let config = match alike {
            Some((_, _, alike)) => context.varied(alike, sni, &options),
            None => context.config(sni, &options)?,
        };
        configs.entries.push((sni.to_owned(), options, Arc::clone(&config)));
        Ok(config)
    }

    /// Encrypts a connection.
    async fn handshake(
        &self,
        context: Arc<ClientContext>,
        stream: TcpStream,
        of: Handshake<'_>,
    ) -> Result<(Secured, Option<Outcome>), Failure> {
        let model = context.model();
        let sni = server_name(model, &of);
        let options = ClientOptions {
            names: of.names.map(|names| names.sans.clone()).unwrap_or_default(),
            alpn_protocols: match of.alpn {
                Alpn::OfContext | Alpn::Fallback(_) if of.names.is_some_and(|names| !names.alpn.is_empty()) => {
                    of.names.map(|names| names.alpn.clone())
                }
                Alpn::Fallback(names) if model.common.alpn_protocols.is_empty() => {
                    Some(names.iter().map(|&name| name.to_owned()).collect())
                }
                Alpn::Instead(names) => Some(names.to_vec()),
                Alpn::OfContext | Alpn::Fallback(_) => None,
            },
        };
        let config = self
            .config(&context, sni, options)
            .map_err(|error| Failure { reason: error.to_string(), kind: FailureKind::ConnectionError })?;
        let name = ClientContext::server_name(sni, of.peer.ip());
        let mut connecting = pin!(TlsConnector::from(config).connect(name, Tcp::new(stream)));
        let mut found = None;
        let result = poll_fn(|cx| {
            outcome::clear();
            let result = connecting.as_mut().poll(cx);
            if let Some(outcome) = outcome::take() {
                found = Some(outcome);
            }
            result
        })
        .await;
        let stream = result.map_err(|error| failure(&error, found.as_ref()))?;
        let connection = stream.get_ref().1;
        let facts = HandshakeFacts {
            sni,
            peer_validated: found.as_ref().is_some_and(|outcome| outcome.validated),
            local: local(&context),
        };
        let info = Arc::new(tls_info(connection, facts));
        let transport = Transport::TlsClient(Box::new(stream));
        Ok((Secured { transport, info, complete: Instant::now() }, found))
    }
}

impl Reloadable for UpstreamTls {
    fn scope(&self) -> &str {
        &self.scope
    }

    fn factory(&self) -> &'static str {
        "client_ssl_socket_factory"
    }

    fn seen(&self) -> Vec<Fingerprint> {
        self.made_of().seen.clone()
    }

    fn uses_sds(&self) -> bool {
        common_uses_sds(&self.model.common)
    }

    fn reload(&self) -> Result<(), TlsError> {
        let told = self.made_of().told.clone();
        let (seen, context) = self.make(&told);
        self.made_of().seen = seen;
        if let Some(context) = context? {
            self.set_context(context);
        }
        Ok(())
    }
}

impl SecretUser for UpstreamTls {
    fn wanted(&self) -> Vec<WantedSecret> {
        wanted(&self.model.common, None)
    }

    fn prepare(self: Arc<Self>, told: ToldSecrets) -> Result<Box<dyn FnOnce()>, TlsError> {
        let (seen, context) = self.make(&told);
        let context = context?;
        Ok(Box::new(move || {
            *self.made_of() = MadeOf { told, seen };
            if let Some(context) = context {
                self.set_context(context);
            }
        }))
    }
}

impl std::fmt::Debug for UpstreamTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UpstreamTls").finish_non_exhaustive()
    }
}

/// The name that is asked for: the request's, else the host's, else the configuration's.
fn server_name<'a>(model: &'a UpstreamTlsContext, of: &Handshake<'a>) -> &'a str {
    let of_request = of.names.and_then(|names| names.sni.as_deref());
    let of_host = Some(of.hostname).filter(|name| model.auto_host_sni && !name.is_empty());
    of_request.or(of_host).unwrap_or(&model.sni)
}

fn local(context: &ClientContext) -> Option<Arc<CertificateInfo>> {
    context.certificate().map(|certificate| Arc::clone(&certificate.info))
}

/// In BoringSSL's words, also what the system says.
fn failure(error: &io::Error, outcome: Option<&Outcome>) -> Failure {
    /// BoringSSL's library number of the system, where it stands in an error's code.
    const SYSTEM_LIBRARY: i32 = 2 << 24;
    let mut failure = Failure::new(error, outcome);
    // A host that refuses the very first message: BoringSSL says so, too.
    if outcome.is_none()
        && let Some(reason) = failure.reason.strip_suffix("SSLV3_ALERT_HANDSHAKE_FAILURE:TLS_error_end")
    {
        failure.reason = format!(
            "{reason}SSLV3_ALERT_HANDSHAKE_FAILURE|268435610:SSL routines:OPENSSL_internal:HANDSHAKE_FAILURE_ON_CLIENT_HELLO:TLS_error_end"
        );
    }
    if failure.reason.is_empty()
        && let Some(code) = error.raw_os_error()
    {
        let text = error.to_string();
        let text = text.split_once(" (os error").map_or(&*text, |(text, _)| text);
        let code = SYSTEM_LIBRARY.saturating_add(code);
        failure.reason = format!("TLS_error:|{code}:system library:OPENSSL_internal:{text}:TLS_error_end");
    }
    failure
}

/// What is offered where the configuration names no protocols.
pub(crate) fn alpn(protocol: PoolProtocol) -> Alpn<'static> {
    Alpn::Fallback(match protocol {
        PoolProtocol::Http1 | PoolProtocol::Tcp => &["http/1.1"],
        PoolProtocol::Http2 => &["h2"],
        PoolProtocol::Auto => &["h2", "http/1.1"],
    })
}

// === impl WorkerTls ===

impl WorkerTls {
    /// `stat_name` is the cluster's.
    pub(crate) fn new(shared: &Arc<UpstreamTls>, store: &StatsStore, stat_name: &str) -> Self {
        let scope = format!("cluster.{stat_name}.");
        Self {
            shared: Arc::clone(shared),
            counters: SslCounters::new(store, &scope),
            factory: SslSocketFactoryStats::new(store, &format!("{scope}client_ssl_socket_factory.")),
        }
    }

    /// Encrypts a connection, and counts what comes of it.
    ///
    /// # Errors
    /// Why it failed, in Envoy's words.
    pub(crate) async fn handshake(&self, stream: TcpStream, of: Handshake<'_>) -> Result<Secured, Failure> {
        let Some(context) = self.shared.context() else {
            self.factory.upstream_context_secrets_not_ready().inc();
            // As in Envoy, whose answers do not say so.
            return Err(Failure { reason: String::new(), kind: FailureKind::Closed });
        };
        match self.shared.handshake(context, stream, of).await {
            Ok((secured, outcome)) => {
                self.counters.handshake(&secured.info, outcome.as_ref());
                Ok(secured)
            }
            Err(failure) => {
                self.counters.failed(failure.kind);
                Err(failure)
            }
        }
    }
}

// === impl SslCounters ===

impl SslCounters {
    /// `scope` ends with a dot.
    pub(crate) fn new(store: &StatsStore, scope: &str) -> Self {
        Self { stats: SslStats::new(store, scope), names: SslNames::new(store, scope) }
    }

    /// A handshake is done.
    pub(crate) fn handshake(&self, info: &TlsInfo, outcome: Option<&Outcome>) {
        self.stats.handshake().inc();
        if info.resumed {
            self.stats.session_reused().inc();
        }
        if info.peer().is_none() {
            self.stats.no_certificate().inc();
        }
        self.names.count("versions", info.version);
        self.names.count("ciphers", info.cipher);
        self.names.count("curves", info.group);
        if let Some(outcome) = outcome {
            if let Some(scheme) = outcome.scheme {
                self.names.count("sigalgs", scheme_name(scheme.into()));
            }
            // It was accepted all the same.
            if outcome.failure.is_some() {
                self.stats.fail_verify_error().inc();
            }
        }
    }

    /// One has failed.
    pub(crate) fn failed(&self, kind: FailureKind) {
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
