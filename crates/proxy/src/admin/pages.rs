//! The pages there are.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{AdminContext, AdminResponse, JSON, TEXT, runtime, stats};
use crate::lifecycle::ServerState;

pub(super) type Parameters = [(String, String)];

/// One page.
pub(super) struct Page {
    path: &'static str,
    help: &'static str,
    pub(super) mutates: bool,
    pub(super) handler: fn(&AdminContext, &Parameters) -> AdminResponse,
}

/// Every page, by path.
const PAGES: &[Page] = &[
    Page { path: "/help", help: "print out list of admin commands", mutates: false, handler: |_, _| text(help()) },
    Page { path: "/listeners", help: "print listener info", mutates: false, handler: listeners },
    Page { path: "/quitquitquit", help: "exit the server", mutates: true, handler: quit },
    Page {
        path: "/ready",
        help: "print server state, return 200 if LIVE, otherwise return 503",
        mutates: false,
        handler: ready,
    },
    Page { path: "/reset_counters", help: "reset all counters to zero", mutates: true, handler: stats::reset_counters },
    Page { path: "/runtime", help: "print runtime values", mutates: false, handler: runtime::runtime },
    Page {
        path: "/runtime_modify",
        help: "Adds or modifies runtime values as passed in query parameters. To delete a previously added key, use an empty string as the value. Note that deletion only applies to overrides added via this endpoint; values loaded from disk can be modified via override but not deleted. E.g. ?key1=value1&key2=value2...",
        mutates: true,
        handler: runtime::modify,
    },
    Page {
        path: "/server_info",
        help: "print server version/status information",
        mutates: false,
        handler: server_info,
    },
    Page { path: "/stats", help: "print server stats", mutates: false, handler: stats::stats },
    Page {
        path: "/stats/prometheus",
        help: "print server stats in prometheus format",
        mutates: false,
        handler: stats::prometheus,
    },
];

pub(super) fn find(path: &str) -> Option<&'static Page> {
    PAGES.iter().find(|page| page.path == path)
}

pub(super) fn help() -> String {
    PAGES.iter().fold("admin commands are:\n".to_owned(), |mut out, page| {
        let post = if page.mutates { " (POST)" } else { "" };
        let _ = writeln!(out, "  {}{post}: {}", page.path, page.help);
        out
    })
}

pub(super) fn text(body: String) -> AdminResponse {
    AdminResponse { status: 200, content_type: TEXT, body }
}

/// JSON as Envoy writes it: one space a level.
pub(super) fn json(value: &Value) -> AdminResponse {
    let mut body = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b" ");
    let written = serde::Serialize::serialize(value, &mut serde_json::Serializer::with_formatter(&mut body, formatter));
    match written.map(|()| String::from_utf8(body)) {
        Ok(Ok(body)) => AdminResponse { status: 200, content_type: JSON, body },
        _ => AdminResponse { status: 500, content_type: TEXT, body: "cannot write JSON\n".to_owned() },
    }
}

fn ready(context: &AdminContext, _: &Parameters) -> AdminResponse {
    let state = context.lifecycle.state();
    let status = if state == ServerState::Live { 200 } else { 503 };
    AdminResponse { status, content_type: TEXT, body: format!("{}\n", state.name()) }
}

fn quit(context: &AdminContext, _: &Parameters) -> AdminResponse {
    context.lifecycle.quit();
    text("OK\n".to_owned())
}

fn listeners(context: &AdminContext, parameters: &Parameters) -> AdminResponse {
    let listeners = context.listeners();
    if parameters.iter().any(|(name, value)| name == "format" && value == "json") {
        let statuses: Vec<_> = listeners
            .iter()
            .map(|(name, address)| {
                let socket = json!({ "address": address.ip().to_string(), "port_value": address.port() });
                json!({ "name": name, "local_address": { "socket_address": socket } })
            })
            .collect();
        return json(&json!({ "listener_statuses": statuses }));
    }
    text(listeners.iter().fold(String::new(), |mut out, (name, address)| {
        let _ = writeln!(out, "{name}::{address}");
        out
    }))
}

fn server_info(context: &AdminContext, _: &Parameters) -> AdminResponse {
    let uptime = format!("{}s", context.lifecycle.uptime().as_secs());
    json(&json!({
        "version": concat!("sandgate/", env!("CARGO_PKG_VERSION"), "/1.40.0"),
        "state": context.lifecycle.state().name(),
        "uptime_current_epoch": uptime,
        "uptime_all_epochs": uptime,
        "hot_restart_version": "disabled",
        "command_line_options": context.command_line,
        "node": { "id": context.node_id, "cluster": context.node_cluster, "user_agent_name": "sandgate" },
    }))
}
