//! Plugins beside the listeners: `bootstrap_extensions` of type `WasmService`.

use crate::support::{Slot, accepted, config, table};

const SERVICE: &str = "type.googleapis.com/envoy.extensions.wasm.v3.WasmService";
const VM: &str = "vm_config: {code: {local: {inline_string: module}}}";

fn services(each: &[&str]) -> String {
    let each = each
        .iter()
        .map(|fields| format!("\n- {{name: envoy.bootstrap.wasm, typed_config: {{\"@type\": {SERVICE}{fields}}}}}"));
    format!("bootstrap_extensions:{}", each.collect::<String>())
}

#[test]
fn services_are_read_in_order() {
    let (first, second) =
        (format!(", singleton: true, config: {{name: a, {VM}}}"), format!(", config: {{name: b, {VM}}}"));
    let bootstrap = accepted(&config(Slot::Top, &services(&[&first, &second, &first])));
    let seen: Vec<_> = bootstrap.services.iter().map(|s| (s.plugin.name.as_str(), s.singleton)).collect();
    assert_eq!(seen, [("a", true), ("b", false), ("a", true)]);
    let origin = &bootstrap.services[1].plugin.origin;
    assert_eq!(origin.path, "bootstrap_extensions[1].typed_config.config");
}

#[test]
fn wrong_services_are_refused() {
    for (fields, wanted) in [
        ("", "the plugin has no code"),
        (", config: {name: a}", "the plugin has no code"),
        (", singleton: maybe", "singleton"),
        (", config: {named: a}", "named"),
        (", services: 1", "services"),
    ] {
        table(Slot::Top, &[(services(&[fields]).as_str(), Some(wanted))]);
    }
}
