//! Plugins as access loggers and as stats sinks.

use sandgate_config::model::StatsSinkKind;

use crate::support::{Slot, accepted, config, table};

const VM: &str = "vm_config: {code: {local: {inline_string: module}}}";

fn log(fields: &str) -> String {
    let type_url = "type.googleapis.com/envoy.extensions.access_loggers.wasm.v3.WasmAccessLog";
    format!("access_log: [{{name: x, typed_config: {{\"@type\": {type_url}{fields}}}}}]")
}

fn sink(fields: &str) -> String {
    let type_url = "type.googleapis.com/envoy.extensions.stat_sinks.wasm.v3.Wasm";
    format!("stats_sinks: [{{name: x, typed_config: {{\"@type\": {type_url}{fields}}}}}]")
}

#[test]
fn plugins_are_read() {
    let fields = format!(", config: {{name: a, {VM}}}");
    let bootstrap = accepted(&config(Slot::Manager, &log(&fields)));
    let logs = bootstrap.listeners[0].filter_chains[0].access_logs();
    assert_eq!(logs[0].wasm().unwrap().name, "a");
    assert!(logs[0].wasm().unwrap().origin.path.ends_with("access_log[0].typed_config.config"));

    let bootstrap = accepted(&config(Slot::Top, &sink(&fields)));
    let StatsSinkKind::Wasm(plugin) = &bootstrap.stats_sinks[0].kind else { panic!("another sink") };
    assert_eq!(plugin.origin.path, "stats_sinks[0].typed_config.config");
}

#[test]
fn wrong_ones_are_refused() {
    for (fields, wanted) in [
        ("", "the plugin has no code"),
        (", config: {name: a}", "the plugin has no code"),
        (", config: {named: a}", "named"),
        (", prefix: a", "prefix"),
    ] {
        table(Slot::Manager, &[(&log(fields), Some(wanted))]);
        table(Slot::Top, &[(&sink(fields), Some(wanted))]);
    }
}
