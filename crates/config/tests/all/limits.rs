//! What plugins may take: a bootstrap extension of ours.

use std::time::Duration;

use sandgate_config::model::WasmIsolation;

use crate::support::{Slot, accepted, config, load, table};

fn extension(fields: &str) -> String {
    format!(
        "bootstrap_extensions: [{{name: limits, typed_config: {{\"@type\": type.googleapis.com/sandgate.v1.WasmLimits{fields}}}}}]"
    )
}

#[test]
fn limits_are_read() {
    let text = extension(", shared_data_bytes: 100, callouts: \"7\", memory_bytes: 65536, callback_cpu: 0.05s");
    let limits = accepted(&config(Slot::Top, &text)).wasm_limits;
    assert_eq!((limits.shared_data_bytes, limits.callouts, limits.memory_bytes), (Some(100), Some(7), Some(65536)));
    let more =
        accepted(&config(Slot::Top, &extension(", table_elements: 9, instances: 2, stream_cpu: 1s"))).wasm_limits;
    assert_eq!(
        (more.table_elements, more.instances, more.stream_cpu),
        (Some(9), Some(2), Some(Duration::from_secs(1)))
    );
    assert_eq!((limits.callback_cpu, limits.start_cpu), (Some(Duration::from_millis(50)), None));
    assert_eq!(accepted(&config(Slot::Top, "")).wasm_limits, Default::default());
}

#[test]
fn wrong_limits_are_refused() {
    let twice = "bootstrap_extensions:\n- {name: a, typed_config: {\"@type\": type.googleapis.com/sandgate.v1.WasmLimits}}\n- {name: b, \
                 typed_config: {\"@type\": type.googleapis.com/sandgate.v1.WasmLimits}}";
    let other = "bootstrap_extensions: [{name: x}]";
    for (text, wanted) in [
        (extension(""), None),
        (extension(", shared_data: 5"), Some("shared_data")),
        (extension(", queues: -1"), Some("queues")),
        (extension(", start_cpu: 0.001s"), Some("less than 10 ms")),
        (extension(", stream_cpu: 0.001s"), Some("less than 10 ms")),
        (twice.to_owned(), Some("the limits of plugins are set twice")),
        (other.to_owned(), Some("bootstrap extension \"x\"")),
    ] {
        table(Slot::Top, &[(text.as_str(), wanted)]);
    }
}

fn settings(plugins: &str) -> String {
    format!(
        "bootstrap_extensions: [{{name: plugins, typed_config: {{\"@type\": type.googleapis.com/sandgate.v1.WasmPlugins, plugins: \
         [{plugins}]}}}}]\nstats_sinks: [{{name: s, typed_config: {{\"@type\": type.googleapis.com/envoy.extensions.stat_sinks.wasm.v3.Wasm, \
         config: {{name: a, root_id: r, vm_config: {{vm_id: v, code: {{local: {{inline_string: x}}}}}}}}}}}}]"
    )
}

#[test]
fn settings_of_single_plugins_are_read() {
    let text = settings(
        "{name: b}, {name: a, vm_id: v, limits: {callouts: 3}, isolation: STREAM}, {root_id: r, isolation: VM}",
    );
    let loaded = load(&config(Slot::Top, &text)).unwrap();
    let plugins = &loaded.bootstrap.wasm_plugins;
    assert_eq!((plugins[1].name.as_deref(), plugins[1].root_id.as_deref()), (Some("a"), None));
    assert_eq!((plugins[1].limits.callouts, plugins[1].isolation), (Some(3), WasmIsolation::Stream));
    assert_eq!((plugins[2].vm_id.as_deref(), plugins[2].isolation), (None, WasmIsolation::Vm));
    assert!(plugins[1].fit("a", "r", "v") && !plugins[1].fit("a", "r", "") && !plugins[1].fit("b", "r", "v"));
    // The first has no plugin of that name, and what the last is for has the second's.
    let warnings: Vec<_> = loaded.warnings.items().iter().map(|item| item.origin.path.as_str()).collect();
    let path = "bootstrap_extensions[0].typed_config.plugins";
    assert_eq!(warnings, [format!("{path}[0]"), format!("{path}[2]")]);
}

#[test]
fn wrong_settings_are_refused() {
    for (text, wanted) in [
        (settings("{name: a}"), None),
        (settings("{limits: {callouts: 3}}"), Some("says which plugins are meant")),
        (settings("{name: a, limits: {metrics: 3}}"), Some("all plugins share this limit")),
        (settings("{name: a, isolation: PROCESS}"), Some("isolation")),
        (settings("{name: a, isolation: 7}"), Some("isolation")),
        (settings("{name: a, limits: {callback_cpu: 0.001s}}"), Some("less than 10 ms")),
    ] {
        table(Slot::Top, &[(text.as_str(), wanted)]);
    }
}
