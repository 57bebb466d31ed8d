//! The page for people. Everything that a configuration or a guest has written is escaped.

use std::fmt::Write as _;

use sandgate_host::{PluginReport, WorkerReport};

use super::super::help::escape;
use super::time;

const HEAD: &str = "<!DOCTYPE html>
<html lang='en'>
<head>
<meta charset='utf-8'>
<title>Sandgate: Wasm plugins</title>
<style>
body { font-family: sans-serif; margin: 1.5em; color: #222; }
section { margin-bottom: 2em; }
h2 { margin-bottom: 0.2em; }
table { border-collapse: collapse; margin: 0.6em 0; }
th, td { border: 1px solid #ccc; padding: 3px 8px; text-align: right; vertical-align: top; }
th { background: #f2f2f2; }
td.text, th.text { text-align: left; }
.running { color: #1a7f37; }
.failed { color: #b42318; font-weight: bold; }
pre { white-space: pre-wrap; margin: 0; }
dl { display: grid; grid-template-columns: max-content auto; gap: 2px 1em; }
dd { margin: 0; overflow-wrap: anywhere; }
</style>
</head>
<body>
<h1>Wasm plugins</h1>
<p>The same as <a href='/wasm?format=json'>JSON</a> and for <a href='/wasm?format=prometheus'>Prometheus</a>.
CPU times are estimated from the first call and one in 64 of the others.</p>
";

pub(super) fn render(plugins: &[PluginReport], explains: bool) -> String {
    let mut out = HEAD.to_owned();
    out.push_str(if explains {
        "<p>Hostcalls that fail are explained.</p>\n"
    } else {
        "<p>To see why hostcalls fail, start with <code>--explain</code> or POST to <code>/wasm/explain?enable=y</code>.</p>\n"
    });
    if plugins.is_empty() {
        out.push_str("<p>There are no plugins.</p>\n");
    }
    for plugin in plugins {
        section(&mut out, plugin);
    }
    out.push_str("</body>\n</html>\n");
    out
}

fn section(out: &mut String, plugin: &PluginReport) {
    let _ = writeln!(out, "<section>\n<h2>{}</h2>\n<dl>", escape(&plugin.name));
    let module = format!("{} ({})", plugin.module_sha256, bytes(plugin.module_bytes as u64));
    for (name, value) in [
        ("root id", plugin.root_id.as_str()),
        ("VM id", &plugin.vm_id),
        ("VM key", &plugin.vm_key),
        ("module", &module),
        ("runtime", &plugin.runtime),
        ("engine", plugin.engine),
        ("failure policy", plugin.failure_policy),
        ("memory limit", &bytes(plugin.memory_limit_bytes as u64)),
    ] {
        let _ = writeln!(out, "<dt>{name}</dt><dd>{}</dd>", escape(value));
    }
    out.push_str("</dl>\n");
    workers(out, plugin);
    callbacks(out, plugin);
    failed_calls(out, plugin);
    out.push_str("</section>\n");
}

fn workers(out: &mut String, plugin: &PluginReport) {
    out.push_str(
        "<table>\n<tr><th class='text'>thread</th><th class='text'>state</th><th>instances</th><th>made</th><th>memory</th>\
         <th>peak</th><th>traps</th><th class='text'>last trap</th><th>reloads</th><th>failed</th><th>too early</th></tr>\n",
    );
    for worker in &plugin.workers {
        let class = if worker.instances > 0 { "running" } else { "failed" };
        let trap = worker.last_trap.as_ref();
        let trap = trap.map_or_else(String::new, |trap| {
            let frames = trap.backtrace.iter().map(|frame| format!("\n  {frame}"));
            format!("{}\n{}{}", time(trap.at_ns), trap.message, frames.collect::<String>())
        });
        let WorkerReport { instances, instances_created, traps, .. } = worker;
        let WorkerReport { reload_success, reload_failure, reload_backoff, .. } = worker;
        let _ = writeln!(
            out,
            "<tr><td class='text'>{}</td><td class='text {class}'>{}</td><td>{instances}</td><td>{instances_created}</td>\
             <td>{}</td><td>{}</td><td>{traps}</td><td class='text'><pre>{}</pre></td><td>{reload_success}</td>\
             <td>{reload_failure}</td><td>{reload_backoff}</td></tr>",
            escape(&worker.worker),
            worker.state,
            bytes(worker.memory_bytes),
            bytes(worker.memory_peak_bytes),
            escape(&trap),
        );
    }
    out.push_str("</table>\n");
}

fn callbacks(out: &mut String, plugin: &PluginReport) {
    out.push_str(
        "<table>\n<tr><th class='text'>callback</th><th class='text'>thread</th><th>calls</th><th>CPU</th>\
         <th>CPU a call</th></tr>\n",
    );
    for worker in &plugin.workers {
        for callback in &worker.callbacks {
            let total = callback.cpu_ns.map_or_else(String::new, duration);
            let each = callback.cpu_ns.and_then(|ns| ns.checked_div(callback.calls)).map_or_else(String::new, duration);
            let _ = writeln!(
                out,
                "<tr><td class='text'>{}</td><td class='text'>{}</td><td>{}</td><td>{total}</td><td>{each}</td></tr>",
                callback.name,
                escape(&worker.worker),
                callback.calls
            );
        }
    }
    out.push_str("</table>\n");
}

fn failed_calls(out: &mut String, plugin: &PluginReport) {
    if plugin.workers.iter().all(|worker| worker.failed_calls.is_empty()) {
        return;
    }
    out.push_str(
        "<table>\n<tr><th class='text'>in</th><th class='text'>thread</th><th class='text'>hostcall</th>\
         <th class='text'>answer</th><th>calls</th><th class='text'>the last one</th></tr>\n",
    );
    for worker in &plugin.workers {
        for call in &worker.failed_calls {
            let _ = writeln!(
                out,
                "<tr><td class='text'>{}</td><td class='text'>{}</td><td class='text'>{}</td><td class='text'>{}</td>\
                 <td>{}</td><td class='text'><pre>{}</pre></td></tr>",
                call.callback,
                escape(&worker.worker),
                call.function,
                escape(&call.answer),
                call.count,
                escape(&call.last),
            );
        }
    }
    out.push_str("</table>\n");
}

/// Bytes in the unit that suits them.
fn bytes(count: u64) -> String {
    match count {
        0..1024 => format!("{count} B"),
        1024..1_048_576 => tenths(count, 1024, "KiB"),
        1_048_576..1_073_741_824 => tenths(count, 1_048_576, "MiB"),
        _ => tenths(count, 1_073_741_824, "GiB"),
    }
}

/// Nanoseconds in the unit that suits them.
fn duration(ns: u64) -> String {
    match ns {
        0..1000 => format!("{ns} ns"),
        1000..1_000_000 => tenths(ns, 1000, "µs"),
        1_000_000..1_000_000_000 => tenths(ns, 1_000_000, "ms"),
        _ => tenths(ns, 1_000_000_000, "s"),
    }
}

fn tenths(value: u64, unit: u64, name: &str) -> String {
    let tenths = u128::from(value) * 10 / u128::from(unit);
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}
