//! The admin interface: Envoy's pages, as answers to a method and a path. No I/O here.

mod pages;
mod query;
mod runtime;
mod stats;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::lifecycle::Lifecycle;
use crate::runtime::Runtime;
use crate::stats::StatsStore;

/// What the pages show.
pub struct AdminContext {
    /// All stats.
    pub stats: Arc<StatsStore>,
    /// `stats_flush_on_admin`: `/stats` shows histograms as they are now.
    pub stats_flush_on_admin: bool,
    /// The process's state.
    pub lifecycle: Arc<Lifecycle>,
    /// What `/runtime` shows.
    pub runtime: Arc<Runtime>,
    /// `command_line_options` of `/server_info`.
    pub command_line: serde_json::Value,
    /// The node's id.
    pub node_id: String,
    /// The node's cluster.
    pub node_cluster: String,
    listeners: Mutex<Vec<(String, SocketAddr)>>,
}

impl AdminContext {
    /// A context without listeners.
    #[must_use]
    pub fn new(stats: Arc<StatsStore>, lifecycle: Arc<Lifecycle>) -> Self {
        Self {
            stats,
            stats_flush_on_admin: false,
            lifecycle,
            runtime: Arc::default(),
            command_line: serde_json::Value::Null,
            node_id: String::new(),
            node_cluster: String::new(),
            listeners: Mutex::default(),
        }
    }

    /// Tells the address that a listener got.
    pub fn add_listener(&self, name: &str, address: SocketAddr) {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).push((name.to_owned(), address));
    }

    fn listeners(&self) -> Vec<(String, SocketAddr)> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
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
pub(crate) const HTML: &str = "text/html; charset=UTF-8";
pub(crate) const JSON: &str = "application/json";

impl AdminResponse {
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
pub fn respond(context: &AdminContext, method: &[u8], path_and_query: &[u8]) -> AdminResponse {
    let target = String::from_utf8_lossy(path_and_query);
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let text = |status, body: String| AdminResponse { status, content_type: TEXT, body };
    let Some(page) = pages::find(path) else {
        return text(404, format!("invalid path. {}", pages::help()));
    };
    if page.mutates && method != b"POST" {
        let method = String::from_utf8_lossy(method);
        log::error!(target: "admin", "admin path \"{path}\" mutates state, method={method} rather than POST");
        return text(405, format!("Method {method} not allowed, POST required."));
    }
    (page.handler)(context, &query::parameters(query))
}

#[cfg(test)]
mod tests;
