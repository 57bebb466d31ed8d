//! The listener filters of a listener on one worker: what each makes of the first bytes of a connection.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sandgate_config::model::{self, ListenerFilterPredicate, ProxyProtocolRule};

use super::client_hello::{self, ClientHello};
use super::http_line;
use super::proxy_header::{self, Version};
use super::socket::AcceptedSocket;
use crate::stats::{
    HttpInspectorStats, LegacyProxyProtocolStats, ProxyProtocolStats, ProxyProtocolVersionStats, StatsStore,
    TlsInspectorStats,
};

/// What is peeked at to find out whether a connection is HTTP, in bytes.
const MAX_REQUEST_LINE: usize = 64 * 1024;
/// What is read of a PROXY header before it is known how long it is: one of version 2 with the longest addresses.
const PROXY_HEADER: usize = 16 + 216;

/// One listener filter.
pub(crate) struct ListenerFilter {
    disabled: Option<ListenerFilterPredicate>,
    kind: Kind,
}

enum Kind {
    Tls { config: model::TlsInspector, stats: TlsInspectorStats },
    Http { stats: HttpInspectorStats },
    Proxy(Box<ProxyProtocol>),
    OriginalDst,
}

struct ProxyProtocol {
    config: model::ProxyProtocol,
    stats: ProxyProtocolStats,
    v1: ProxyProtocolVersionStats,
    v2: ProxyProtocolVersionStats,
    legacy: LegacyProxyProtocolStats,
}

/// What a filter wants to happen with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It has to see more.
    More,
    /// More than it said at first: so many bytes in all.
    UpTo(usize),
    /// The next filter, once so many bytes are taken away.
    Continue(usize),
    Close,
}

// === impl ListenerFilter ===

impl ListenerFilter {
    pub(crate) fn new(config: &model::ListenerFilter, store: &StatsStore) -> Self {
        let kind = match &config.kind {
            model::ListenerFilterKind::TlsInspector(config) => {
                Kind::Tls { config: *config, stats: TlsInspectorStats::new(store, "") }
            }
            model::ListenerFilterKind::HttpInspector => Kind::Http { stats: HttpInspectorStats::new(store, "") },
            model::ListenerFilterKind::ProxyProtocol(config) => {
                Kind::Proxy(Box::new(ProxyProtocol::new(config, store)))
            }
            model::ListenerFilterKind::OriginalDst => Kind::OriginalDst,
        };
        Self { disabled: config.filter_disabled.clone(), kind }
    }

    /// What it looks at at most, in bytes; nothing if it need not look at any.
    pub(super) fn on_accept(&self, socket: &mut AcceptedSocket) -> Option<usize> {
        if self.disabled.as_ref().is_some_and(|rule| rule.matches(socket.local.map_or(0, |address| address.port()))) {
            return None;
        }
        match &self.kind {
            Kind::Tls { config, .. } => Some(config.max_client_hello_size),
            // Nobody can look into what is encrypted.
            Kind::Http { .. } => (socket.transport_protocol != "tls").then_some(MAX_REQUEST_LINE),
            Kind::Proxy(_) => Some(PROXY_HEADER),
            Kind::OriginalDst => {
                if let Some(original) = socket.tcp.original_dst() {
                    socket.local = Some(original);
                }
                None
            }
        }
    }

    /// Looks at what has come, which is not nothing; there is no more than `limit`.
    pub(super) fn on_data(&self, data: &[u8], limit: usize, socket: &mut AcceptedSocket) -> Verdict {
        match &self.kind {
            Kind::Tls { config, stats } => inspect_tls(*config, stats, data, limit, socket),
            Kind::Http { stats } => inspect_http(stats, data, limit, socket),
            Kind::Proxy(proxy) => proxy.on_data(data, socket),
            Kind::OriginalDst => Verdict::Continue(0),
        }
    }
}

fn inspect_tls(
    config: model::TlsInspector,
    stats: &TlsInspectorStats,
    data: &[u8],
    limit: usize,
    socket: &mut AcceptedSocket,
) -> Verdict {
    let is_full = data.len() >= limit;
    match client_hello::parse(data) {
        client_hello::Parsed::Partial if is_full => {
            stats.client_hello_too_large().inc();
            stats.bytes_processed().record(data.len() as u64);
            Verdict::Close
        }
        client_hello::Parsed::Partial => Verdict::More,
        client_hello::Parsed::Hello(hello, used) => {
            stats.bytes_processed().record(used as u64);
            let name = if hello.server_name.is_empty() { stats.sni_not_found() } else { stats.sni_found() };
            name.inc();
            if !hello.is_known_version {
                stats.tls_not_found().inc();
                return Verdict::Close;
            }
            found_tls(stats, hello, socket);
            Verdict::Continue(0)
        }
        client_hello::Parsed::Other(used) => {
            stats.bytes_processed().record(used as u64);
            stats.tls_not_found().inc();
            if config.close_on_errors {
                return Verdict::Close;
            }
            socket.set_metadata("envoy.filters.listener.tls_inspector", "failure_reason", "ClientHelloNotDetected");
            Verdict::Continue(0)
        }
    }
}

fn found_tls(stats: &TlsInspectorStats, hello: ClientHello, socket: &mut AcceptedSocket) {
    stats.tls_found().inc();
    let protocols = if hello.application_protocols.is_some() { stats.alpn_found() } else { stats.alpn_not_found() };
    protocols.inc();
    socket.transport_protocol = "tls";
    if !hello.server_name.is_empty() {
        socket.server_name = hello.server_name.to_ascii_lowercase().into();
    }
    if let Some(protocols) = hello.application_protocols {
        socket.application_protocols = protocols;
    }
}

fn inspect_http(stats: &HttpInspectorStats, data: &[u8], limit: usize, socket: &mut AcceptedSocket) -> Verdict {
    let (found, protocol) = match http_line::parse(data) {
        http_line::Parsed::Partial if data.len() >= limit => {
            stats.read_error().inc();
            return Verdict::Close;
        }
        http_line::Parsed::Partial => return Verdict::More,
        http_line::Parsed::Other => {
            stats.http_not_found().inc();
            return Verdict::Continue(0);
        }
        http_line::Parsed::Http10 => (stats.http10_found(), "http/1.0"),
        http_line::Parsed::Http11 => (stats.http11_found(), "http/1.1"),
        http_line::Parsed::Http2 => (stats.http2_found(), "h2c"),
    };
    found.inc();
    socket.application_protocols = vec![protocol.into()];
    Verdict::Continue(0)
}

// === impl ProxyProtocol ===

impl ProxyProtocol {
    fn new(config: &model::ProxyProtocol, store: &StatsStore) -> Self {
        let prefix = &config.stat_prefix;
        Self {
            config: config.clone(),
            stats: ProxyProtocolStats::new(store, prefix),
            v1: ProxyProtocolVersionStats::new(store, &format!("{prefix}versions.v1.")),
            v2: ProxyProtocolVersionStats::new(store, &format!("{prefix}versions.v2.")),
            legacy: LegacyProxyProtocolStats::new(store, ""),
        }
    }

    fn on_data(&self, data: &[u8], socket: &mut AcceptedSocket) -> Verdict {
        let config = &self.config;
        let may_be = |version, allowed: bool| allowed && proxy_header::may_be(version, data);
        if config.allow_requests_without_proxy_protocol
            && !may_be(Version::V1, config.allow_v1)
            && !may_be(Version::V2, config.allow_v2)
        {
            self.stats.not_found_allowed().inc();
            return Verdict::Continue(0);
        }
        let header = match proxy_header::parse(data) {
            proxy_header::Parsed::Partial(Some(version), _) if !self.allows(version) => return self.deny(version),
            proxy_header::Parsed::Partial(_, length) if length > PROXY_HEADER => return Verdict::UpTo(length),
            proxy_header::Parsed::Partial(..) => return Verdict::More,
            proxy_header::Parsed::Broken(Some(version)) if !self.allows(version) => return self.deny(version),
            proxy_header::Parsed::Broken(version) => return self.refuse(version),
            proxy_header::Parsed::Header(version, _) if !self.allows(version) => return self.deny(version),
            proxy_header::Parsed::Header(version, header) => {
                let Some(fields) = proxy_header::fields(header.extensions) else { return self.refuse(Some(version)) };
                for (kind, value) in fields {
                    if let Some(rule) = config.rules.iter().find(|rule| rule.tlv_type == kind) {
                        keep(rule, value, socket);
                    }
                }
                self.of(version).found().inc();
                header
            }
        };
        if let Some((source, destination)) = header.addresses {
            socket.remote = source;
            socket.local = Some(destination);
        }
        Verdict::Continue(header.length)
    }

    fn allows(&self, version: Version) -> bool {
        match version {
            Version::V1 => self.config.allow_v1,
            Version::V2 => self.config.allow_v2,
        }
    }

    fn of(&self, version: Version) -> &ProxyProtocolVersionStats {
        match version {
            Version::V1 => &self.v1,
            Version::V2 => &self.v2,
        }
    }

    fn deny(&self, version: Version) -> Verdict {
        self.of(version).found().inc();
        self.of(version).disallowed().inc();
        Verdict::Close
    }

    fn refuse(&self, version: Option<Version>) -> Verdict {
        match version {
            Some(version) => self.of(version).error().inc(),
            None => self.stats.not_found_disallowed().inc(),
        }
        self.legacy.downstream_cx_proxy_proto_error().inc();
        Verdict::Close
    }
}

/// A field becomes metadata; of several with one key, the first.
fn keep(rule: &ProxyProtocolRule, value: &[u8], socket: &mut AcceptedSocket) {
    let text = if rule.base64 { STANDARD.encode(value) } else { sanitized(value) };
    socket.set_metadata(&rule.namespace, &rule.key, &text);
}

/// Each byte that is no UTF-8 is `!`.
fn sanitized(value: &[u8]) -> String {
    let mut text = String::new();
    for chunk in value.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '!'));
    }
    text
}
