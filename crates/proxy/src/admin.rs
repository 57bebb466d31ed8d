//! The admin interface: Envoy's pages, as answers to requests. No I/O here.

mod certs;
pub(crate) mod client_status;
mod clusters;
mod config_dump;
mod drain;
mod health_check;
mod help;
mod listener_views;
mod listeners;
mod logging;
mod pages;
mod query;
mod resource_views;
mod runtime;
mod secret_views;
mod server;
mod stats;
mod wasm;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use sandgate_host::Host;
use sandgate_matcher::StringMatcher;

use crate::cluster::ClusterTable;
use crate::drain::DrainDirection;
use crate::lifecycle::Lifecycle;
use crate::listener_tls::TlsContexts;
use crate::resource_status::ResourceStatuses;
use crate::runtime::Runtime;
use crate::stats::StatsStore;

pub(crate) use listener_views::{ListenerView, ListenerViews};
pub use logging::LogControl;
pub(crate) use resource_views::{ResourceView, ResourceViews};
pub(crate) use secret_views::{SecretNumber, SecretViews};

/// What the pages show, and whom they tell.
pub struct AdminContext {
    /// All stats.
    pub stats: Arc<StatsStore>,
    /// `stats_flush_on_admin`: `/stats` shows histograms as they are now.
    pub stats_flush_on_admin: bool,
    /// The process's state.
    pub lifecycle: Arc<Lifecycle>,
    /// What `/runtime` shows.
    pub runtime: Arc<Runtime>,
    /// What `/wasm` shows.
    pub host: Option<Arc<Host>>,
    /// What `/logging` shows and changes.
    pub logging: Option<Arc<dyn LogControl>>,
    /// Who does what a page asks of the server.
    pub act: Box<dyn Fn(AdminAction) + Send + Sync>,
    /// `command_line_options` of `/server_info`.
    pub command_line: serde_json::Value,
    /// The node, serialized.
    pub(crate) node: Bytes,
    /// The node's id.
    pub node_id: String,
    /// The node's cluster.
    pub node_cluster: String,
    /// Which paths are answered; all of them if this is empty.
    pub(crate) allow_paths: Vec<StringMatcher>,
    /// The bootstrap, serialized.
    pub bootstrap: Bytes,
    /// What `/clusters` shows.
    pub(crate) clusters: Option<Arc<ClusterTable>>,
    /// What `/certs` shows.
    pub(crate) tls: Arc<TlsContexts>,
    /// Since when everything is as it is.
    started: SystemTime,
    /// Routes of control planes.
    pub(crate) routes: Arc<ResourceViews>,
    /// Configurations of filters.
    pub(crate) extensions: Arc<ResourceViews>,
    /// Their secrets.
    pub(crate) secrets: Arc<SecretViews>,
    /// What has become of the resources of control planes.
    pub(crate) statuses: Arc<ResourceStatuses>,
    /// What `/listeners` shows.
    pub(crate) listeners: Arc<ListenerViews>,
}

/// What a page asks of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminAction {
    /// `/stats` of a server whose stats are flushed when they are asked for.
    FlushStats,
    /// `/drain_listeners`.
    Drain {
        /// Which listeners.
        direction: DrainDirection,
        /// Listeners go on for the drain time before they are stopped.
        graceful: bool,
        /// They are stopped at all.
        stop: bool,
    },
}

/// An admin request.
#[derive(Clone, Copy, Debug, Default)]
pub struct AdminRequest<'a> {
    /// `:method`.
    pub method: &'a [u8],
    /// `:path`, with the query string.
    pub path: &'a [u8],
    /// `content-type`.
    pub content_type: &'a [u8],
    /// The whole body.
    pub body: &'a [u8],
}

/// The answer to an admin request. The connection manager adds `date` and `server`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminResponse {
    /// The response code.
    pub status: u32,
    /// `content-type`.
    pub content_type: &'static str,
    /// The whole body.
    pub body: String,
}

pub(crate) const TEXT: &str = "text/plain; charset=UTF-8";
pub(crate) const JSON: &str = "application/json";
pub(crate) const HTML: &str = "text/html; charset=UTF-8";

impl AdminContext {
    /// A context without listeners, loggers and a server to tell.
    #[must_use]
    pub fn new(stats: Arc<StatsStore>, lifecycle: Arc<Lifecycle>) -> Self {
        Self {
            stats,
            stats_flush_on_admin: false,
            lifecycle,
            runtime: Arc::default(),
            host: None,
            logging: None,
            act: Box::new(|_| ()),
            command_line: serde_json::Value::Null,
            node: Bytes::new(),
            node_id: String::new(),
            node_cluster: String::new(),
            allow_paths: Vec::new(),
            bootstrap: Bytes::new(),
            clusters: None,
            tls: Arc::default(),
            started: SystemTime::now(),
            routes: Arc::default(),
            extensions: Arc::default(),
            secrets: Arc::default(),
            statuses: Arc::default(),
            listeners: Arc::default(),
        }
    }

    /// Tells the address that a listener got.
    pub fn add_listener(&self, name: &str, address: SocketAddr) {
        let (name, address) = (name.to_owned(), Some(address));
        self.listeners.push(ListenerView { name, address, ..ListenerView::default() });
    }

    /// The bootstrap as JSON; nothing if nobody wrote it.
    fn bootstrap(&self) -> serde_json::Value {
        let json = sandgate_config::message_to_json("envoy.config.bootstrap.v3.Bootstrap", &self.bootstrap);
        json.unwrap_or_else(|error| {
            log::error!(target: "admin", "the configuration cannot be shown: {error}");
            serde_json::Value::Object(serde_json::Map::new())
        })
    }

    fn listeners(&self) -> Vec<(String, SocketAddr)> {
        let views = self.listeners.get().into_iter();
        views.filter_map(|view| Some((view.name, view.address?))).collect()
    }
}

impl AdminResponse {
    fn new(status: u32, content_type: &'static str, body: impl Into<String>) -> Self {
        Self { status, content_type, body: body.into() }
    }

    fn text(body: impl Into<String>) -> Self {
        Self::new(200, TEXT, body)
    }

    /// JSON as Envoy writes it: one space a level.
    fn json(value: &serde_json::Value) -> Self {
        let mut body = Vec::new();
        let formatter = serde_json::ser::PrettyFormatter::with_indent(b" ");
        let mut serializer = serde_json::Serializer::with_formatter(&mut body, formatter);
        let written = serde::Serialize::serialize(value, &mut serializer);
        body.push(b'\n');
        match written.map(|()| String::from_utf8(body)) {
            Ok(Ok(body)) => Self::new(200, JSON, body),
            _ => Self::new(500, TEXT, "cannot write JSON\n"),
        }
    }

    /// The headers in Envoy's order, without `date` and `server`.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("content-type", self.content_type),
            ("cache-control", "no-cache, max-age=0"),
            ("x-content-type-options", "nosniff"),
        ]
        .into_iter()
    }
}

/// Answers a request. Pages that change something want POST (observed in Envoy 1.40: 405 otherwise).
#[must_use]
pub fn respond(context: &AdminContext, request: AdminRequest<'_>) -> AdminResponse {
    let target = String::from_utf8_lossy(request.path);
    if !is_allowed(context, request.path) {
        log::info!(target: "admin", "Request to admin interface path {target} is not allowed");
        return AdminResponse::new(403, TEXT, format!("request to path {target} not allowed"));
    }
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    // No page for people: its requests are messages.
    if path == client_status::PATH {
        return client_status::respond(context, request);
    }
    let Some(page) = pages::find(path) else {
        return AdminResponse::new(404, TEXT, format!("invalid path. {}", help::text()));
    };
    if page.mutates && request.method != b"POST" {
        let method = String::from_utf8_lossy(request.method);
        log::error!(target: "admin", "admin path \"{path}\" mutates state, method={method} rather than POST");
        return AdminResponse::new(405, TEXT, format!("Method {method} not allowed, POST required."));
    }
    let mut parameters = query::parameters(query);
    if request.method == b"POST" && request.content_type == b"application/x-www-form-urlencoded" {
        parameters.extend(query::parameters(&String::from_utf8_lossy(request.body)));
    }
    (page.handler)(context, &parameters)
}

/// Whether requests for the path are answered.
fn is_allowed(context: &AdminContext, path: &[u8]) -> bool {
    context.allow_paths.is_empty() || context.allow_paths.iter().any(|allowed| allowed.matches(path))
}

#[cfg(test)]
mod tests;
