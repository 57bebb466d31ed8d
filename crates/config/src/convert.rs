//! Messages to the model: what only Envoy's code checks, and its defaults.

use std::time::Duration;

use prost::Message;
use prost_types::Any;

use crate::{
    diagnostics::Severity,
    load::{LoadOptions, Unsupported},
    model::{DnsResolver, Origin},
    report::{Report, field_path, item_path},
};

mod access_log;
mod address;
mod bootstrap;
mod bootstrap_extensions;
mod circuit_breakers;
mod cluster;
mod config_source;
mod discovery;
mod dns_resolver;
mod filter_chain_match;
mod grpc_service;
mod hash_policy;
mod header_mutations;
mod health_check;
mod health_check_filter;
mod http2;
mod http_connection_manager;
mod http_filters;
mod listener;
mod listener_filters;
mod load_balancing;
mod local_reply;
mod matcher;
mod metadata;
mod mirror;
mod network_filters;
mod outlier_detection;
mod overload;
mod per_filter;
mod protocol;
mod rbac;
mod redirect;
mod request_options;
pub(crate) mod resource;
mod retry;
mod rewrite;
mod route;
mod runtime;
mod simple_network_filters;
mod source;
mod state_filters;
mod stats;
mod subset;
mod substitution_format;
mod tcp_proxy;
mod tls;
mod upgrade;
mod upstream_filters;
mod upstream_socket;
mod wasm;
mod wasm_limits;

pub use self::grpc_service::parse_grpc_service;
pub(crate) use self::{bootstrap::bootstrap, config_source::Surroundings, runtime::runtime_value, tls::secret_of};

/// A time that Envoy does not take, in seconds: nanoseconds since 1970 must fit 64 bits.
const MAX_SECONDS: i64 = 9_223_372_035;

/// Where the conversion is, and what it has to say.
pub(crate) struct Context<'a> {
    pub(crate) report: &'a mut Report,
    pub(crate) options: &'a LoadOptions,
    path: String,
    /// What the bootstrap has for those that name it.
    pub(crate) surroundings: Surroundings,
    /// Whom clusters ask for names that do not say so themselves.
    pub(crate) dns_resolver: Option<DnsResolver>,
    /// Name, `root_id` and `vm_id` of every plugin so far.
    plugins: Vec<[String; 3]>,
}

// === impl Context ===

impl<'a> Context<'a> {
    pub(crate) fn new(report: &'a mut Report, options: &'a LoadOptions) -> Self {
        Self {
            report,
            options,
            path: String::new(),
            surroundings: Surroundings::default(),
            dns_resolver: None,
            plugins: Vec::new(),
        }
    }

    /// Runs `convert` in the field of that name.
    fn field<T>(&mut self, name: &str, convert: impl FnOnce(&mut Self) -> T) -> T {
        let inner = field_path(&self.path, name);
        let outer = std::mem::replace(&mut self.path, inner);
        let result = convert(self);
        self.path = outer;
        result
    }

    /// Runs `convert` for each item of the list field of that name, and keeps what it makes.
    fn list<I, T>(&mut self, name: &str, items: Vec<I>, mut convert: impl FnMut(&mut Self, I) -> Option<T>) -> Vec<T> {
        let mut results = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            let inner = item_path(&field_path(&self.path, name), index);
            let outer = std::mem::replace(&mut self.path, inner);
            results.extend(convert(self, item));
            self.path = outer;
        }
        results
    }

    fn origin(&self) -> Origin {
        self.report.origin(&self.path)
    }

    fn error(&mut self, message: impl Into<String>) {
        self.report.error(&self.path, message);
    }

    fn error_at(&mut self, field: &str, message: impl Into<String>) {
        self.report.error(&field_path(&self.path, field), message);
    }

    fn warning_at(&mut self, field: &str, message: impl Into<String>) {
        self.report.add(Severity::Warning, &field_path(&self.path, field), message);
    }

    /// A value that is not implemented and may be ignored if the user says so.
    fn lost_at(&mut self, field: &str, message: &str, lost: &str) {
        match self.options.unsupported {
            Unsupported::Refuse => self.error_at(field, format!("{message} (--unsupported=warn would go on: {lost})")),
            Unsupported::Warn => self.warning_at(field, format!("{message}: {lost}")),
        }
    }

    /// The same about this value itself.
    fn lost_here(&mut self, message: &str, lost: &str) {
        let path = self.path.clone();
        match self.options.unsupported {
            Unsupported::Refuse => self.error(format!("{message} (--unsupported=warn would go on: {lost})")),
            Unsupported::Warn => self.report.add(Severity::Warning, &path, format!("{message}: {lost}")),
        }
    }

    /// A message is required at `field`; if it is missing, the rules or the reader have said so, as a rule.
    fn required<T>(&mut self, field: &str, value: Option<T>) -> Option<T> {
        if value.is_none() && !self.report.has_errors() {
            self.error(format!("{field} is required"));
        }
        value
    }

    /// Milliseconds are as fine as Envoy's timers; what is finer is cut off.
    fn duration(&mut self, field: &str, value: Option<prost_types::Duration>) -> Option<Duration> {
        let value = value?;
        let whole = u64::try_from(value.seconds).ok().filter(|_| value.seconds <= MAX_SECONDS);
        let (Some(seconds), Ok(nanos)) = (whole, u32::try_from(value.nanos)) else {
            self.error_at(field, "the duration is negative or too long");
            return None;
        };
        Some(Duration::from_secs(seconds).saturating_add(Duration::from_millis((nanos / 1_000_000).into())))
    }

    /// A duration with a default, where zero means none.
    fn limit(
        &mut self,
        field: &str,
        value: Option<prost_types::Duration>,
        default: Option<Duration>,
    ) -> Option<Duration> {
        match value {
            None => default,
            Some(value) => self.duration(field, Some(value)).filter(|value| !value.is_zero()),
        }
    }

    /// Unpacks an `Any` that is known to be an `M`.
    fn unpack<M: Message + Default>(&mut self, any: &Any) -> Option<M> {
        M::decode(any.value.as_slice()).map_err(|error| self.error(format!("{}: {error}", type_name(any)))).ok()
    }

    /// Refuses an extension that there is no code for.
    fn unknown_extension(&mut self, what: &str, name: &str, config: Option<&Any>) {
        if self.report.is_broken(&self.path) {
            return;
        }
        match config.map(type_name).filter(|name| !name.is_empty()) {
            Some(type_name) => self.error(format!("{what} \"{name}\" ({type_name}) is not implemented")),
            None => self.error(format!("{what} \"{name}\" has no typed_config, which says what it is")),
        }
    }
}

/// The name of the message in an `Any`.
fn type_name(any: &Any) -> &str {
    any.type_url.rsplit('/').next().unwrap_or_default()
}
