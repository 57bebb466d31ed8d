//! The series for Prometheus, labelled by plugin, thread and callback.

use std::fmt::Write as _;

use sandgate_host::{PluginReport, WorkerReport};

/// A series with one value a plugin and thread.
type Series = (&'static str, &'static str, &'static str, fn(&WorkerReport) -> u64);

const SERIES: &[Series] = &[
    ("instances", "gauge", "Instances alive.", |worker| worker.instances),
    ("instances_created_total", "counter", "Instances made.", |worker| worker.instances_created),
    ("memory_bytes", "gauge", "Linear memory.", |worker| worker.memory_bytes),
    ("memory_peak_bytes", "gauge", "The most linear memory that an instance had.", |worker| worker.memory_peak_bytes),
    ("traps_total", "counter", "Guests that trapped.", |worker| worker.traps),
    ("reload_success_total", "counter", "Failed VMs that were made anew.", |worker| worker.reload_success),
    ("reload_failure_total", "counter", "Attempts to make a VM anew that failed.", |worker| worker.reload_failure),
    ("reload_backoff_total", "counter", "Streams that came before the next attempt.", |worker| worker.reload_backoff),
];

pub(super) fn render(plugins: &[PluginReport]) -> String {
    let mut out = String::new();
    for (name, kind, help, value) in SERIES {
        head(&mut out, name, kind, help);
        for (plugin, worker) in each(plugins) {
            let _ = writeln!(out, "sandgate_wasm_{name}{{{}}} {}", labels(plugin, worker), value(worker));
        }
    }
    head(&mut out, "memory_limit_bytes", "gauge", "What the linear memory of an instance may have.");
    for (plugin, worker) in each(plugins) {
        let labels = labels(plugin, worker);
        let _ = writeln!(out, "sandgate_wasm_memory_limit_bytes{{{labels}}} {}", plugin.memory_limit_bytes);
    }
    head(&mut out, "callbacks_total", "counter", "Calls into the guest.");
    for (plugin, worker) in each(plugins) {
        for callback in &worker.callbacks {
            let (labels, name) = (labels(plugin, worker), callback.name);
            let _ = writeln!(out, "sandgate_wasm_callbacks_total{{{labels},callback=\"{name}\"}} {}", callback.calls);
        }
    }
    head(&mut out, "callback_cpu_seconds_total", "counter", "CPU time of calls, estimated from one in 64.");
    for (plugin, worker) in each(plugins) {
        for callback in &worker.callbacks {
            let Some(ns) = callback.cpu_ns else { continue };
            let (labels, name) = (labels(plugin, worker), callback.name);
            let (seconds, rest) = (ns / 1_000_000_000, ns % 1_000_000_000);
            let _ = writeln!(
                out,
                "sandgate_wasm_callback_cpu_seconds_total{{{labels},callback=\"{name}\"}} {seconds}.{rest:09}"
            );
        }
    }
    out
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP sandgate_wasm_{name} {help}\n# TYPE sandgate_wasm_{name} {kind}");
}

fn each(plugins: &[PluginReport]) -> impl Iterator<Item = (&PluginReport, &WorkerReport)> {
    plugins.iter().flat_map(|plugin| plugin.workers.iter().map(move |worker| (plugin, worker)))
}

/// Two plugins may have one name: the key tells them apart.
fn labels(plugin: &PluginReport, worker: &WorkerReport) -> String {
    let key = plugin.vm_key.get(..12).unwrap_or_default();
    format!(
        "plugin=\"{}\",root_id=\"{}\",vm_id=\"{}\",vm_key=\"{key}\",worker=\"{}\"",
        quoted(&plugin.name),
        quoted(&plugin.root_id),
        quoted(&plugin.vm_id),
        quoted(&worker.worker)
    )
}

/// A label's value as the text format wants it.
fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
