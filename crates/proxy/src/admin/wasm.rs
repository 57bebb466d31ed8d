//! `/wasm`: what plugins do. As a page for people, as JSON, and as series for Prometheus.

mod page;
mod series;

use sandgate_host::{CallbackReport, FailedCallReport, PluginReport, WorkerReport};
use serde_json::{Value, json};

use super::pages::{Parameters, value};
use super::{AdminContext, AdminResponse, HTML, TEXT};

/// `/wasm/explain`: turns the explanation of failed hostcalls on or off.
pub(super) fn explain(context: &AdminContext, parameters: &Parameters) -> AdminResponse {
    let on = match value(parameters, "enable") {
        Some("y") => true,
        Some("n") => false,
        _ => return AdminResponse::new(400, TEXT, "?enable=<y|n>\n"),
    };
    if let Some(host) = &context.host {
        host.explain(on);
    }
    AdminResponse::text("OK\n")
}

pub(super) fn wasm(context: &AdminContext, parameters: &Parameters) -> AdminResponse {
    let plugins = context.host.as_ref().map(|host| host.report()).unwrap_or_default();
    let explains = context.host.as_ref().is_some_and(|host| host.explains());
    match value(parameters, "format") {
        None | Some("html") => AdminResponse::new(200, HTML, page::render(&plugins, explains)),
        Some("json") => AdminResponse::json(
            &json!({ "explain": explains, "plugins": plugins.iter().map(plugin).collect::<Vec<_>>() }),
        ),
        Some("prometheus") => AdminResponse::new(200, TEXT, series::render(&plugins)),
        Some(_) => AdminResponse::new(400, TEXT, "usage: /wasm?format=(html|json|prometheus)\n"),
    }
}

fn plugin(plugin: &PluginReport) -> Value {
    json!({
        "name": plugin.name,
        "root_id": plugin.root_id,
        "vm_id": plugin.vm_id,
        "vm_key": plugin.vm_key,
        "module": { "sha256": plugin.module_sha256, "bytes": plugin.module_bytes },
        "runtime": plugin.runtime,
        "engine": plugin.engine,
        "failure_policy": plugin.failure_policy,
        "memory_limit_bytes": plugin.memory_limit_bytes,
        "workers": plugin.workers.iter().map(worker).collect::<Vec<_>>(),
    })
}

fn worker(worker: &WorkerReport) -> Value {
    let trap = worker.last_trap.as_ref();
    json!({
        "worker": worker.worker,
        "state": worker.state,
        "instances": worker.instances,
        "instances_created": worker.instances_created,
        "memory": { "now_bytes": worker.memory_bytes, "peak_bytes": worker.memory_peak_bytes },
        "callbacks": worker.callbacks.iter().map(callback).collect::<Vec<_>>(),
        "failed_calls": worker.failed_calls.iter().map(failed_call).collect::<Vec<_>>(),
        "traps": worker.traps,
        "last_trap": trap.map(|trap| {
            json!({ "message": trap.message, "backtrace": trap.backtrace, "at": time(trap.at_ns) })
        }),
        "reload": {
            "success": worker.reload_success,
            "failure": worker.reload_failure,
            "backoff": worker.reload_backoff,
        },
    })
}

fn callback(callback: &CallbackReport) -> Value {
    json!({ "name": callback.name, "calls": callback.calls, "cpu_ns": callback.cpu_ns })
}

fn failed_call(call: &FailedCallReport) -> Value {
    json!({
        "callback": call.callback,
        "function": call.function,
        "answer": call.answer,
        "count": call.count,
        "last": call.last,
    })
}

/// A time as HTTP writes it: to the second.
fn time(unix_ns: u64) -> String {
    httpdate::fmt_http_date(std::time::UNIX_EPOCH + std::time::Duration::from_nanos(unix_ns))
}

#[cfg(test)]
mod tests;
