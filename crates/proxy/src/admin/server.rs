//! Pages about the process.

use serde_json::json;

use super::pages::Parameters;
use super::{AdminContext, AdminResponse, TEXT};
use crate::memory::resident_bytes;

pub(super) fn quit(context: &AdminContext, _: &Parameters) -> AdminResponse {
    context.lifecycle.quit();
    AdminResponse::text("OK\n")
}

pub(super) fn server_info(context: &AdminContext, _: &Parameters) -> AdminResponse {
    let uptime = format!("{}s", context.lifecycle.uptime().as_secs());
    AdminResponse::json(&json!({
        "version": concat!("sandgate/", env!("CARGO_PKG_VERSION"), "/1.40.0"),
        "state": context.lifecycle.state().name(),
        "uptime_current_epoch": uptime,
        "uptime_all_epochs": uptime,
        "hot_restart_version": "disabled",
        "command_line_options": context.command_line,
        "node": { "id": context.node_id, "cluster": context.node_cluster, "user_agent_name": "sandgate" },
        "hot_restart_initializing": false,
    }))
}

/// There is no hot restart; Envoy says so in this way if it is turned off.
pub(super) fn hot_restart_version(_: &AdminContext, _: &Parameters) -> AdminResponse {
    AdminResponse::text("disabled")
}

/// Whoever answers has started, so nothing is waited for.
pub(super) fn init_dump(_: &AdminContext, _: &Parameters) -> AdminResponse {
    AdminResponse::json(&json!({}))
}

pub(super) fn contention(_: &AdminContext, _: &Parameters) -> AdminResponse {
    AdminResponse::text(
        "Mutex contention tracing is not enabled. To enable, run Envoy with flag --enable-mutex-tracing.",
    )
}

/// What the system says of the process's memory. The allocator keeps no books on what of it is in use.
pub(super) fn memory(_: &AdminContext, _: &Parameters) -> AdminResponse {
    let resident = resident_bytes().to_string();
    AdminResponse::json(&json!({
        "allocated": resident,
        "heap_size": resident,
        "pageheap_unmapped": "0",
        "pageheap_free": "0",
        "total_thread_cache": "0",
        "total_physical_bytes": resident,
    }))
}

pub(super) fn reopen_logs(context: &AdminContext, _: &Parameters) -> AdminResponse {
    context.lifecycle.reopen_logs();
    AdminResponse::text("OK\n")
}

/// Envoy's profilers are those of its allocator.
pub(super) fn no_profiler(_: &AdminContext, _: &Parameters) -> AdminResponse {
    AdminResponse::new(501, TEXT, "The current build does not support profiling")
}
