//! What plugins may take: a bootstrap extension of ours.

use std::time::Duration;

use crate::support::{Slot, accepted, config, table};

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
        (twice.to_owned(), Some("the limits of plugins are set twice")),
        (other.to_owned(), Some("bootstrap extension \"x\"")),
    ] {
        table(Slot::Top, &[(text.as_str(), wanted)]);
    }
}
