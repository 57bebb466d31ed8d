//! The overload manager.

use sandgate_config::model::GlobalConnectionLimit;

use crate::support::{Slot, accepted, config, refused};

fn top(text: &str) -> String {
    config(Slot::Top, text)
}

const MONITOR: &str = "name: m, typed_config: {\"@type\": type.googleapis.com/\
                       envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig";

#[test]
fn connections_are_limited() {
    let text = format!(
        "overload_manager: {{refresh_interval: 1s, resource_monitors: [{{{MONITOR}, max_active_downstream_connections: 7}}}}]}}"
    );
    assert_eq!(accepted(&top(&text)).max_downstream_connections, Some(7));
    let none = accepted(&top(""));
    assert_eq!(none.max_downstream_connections, None);
    assert_eq!(none.listeners[0].global_connection_limit, GlobalConnectionLimit::Enforced);
    for (text, limit) in [
        ("ignore_global_conn_limit: true\nbypass_overload_manager: true", GlobalConnectionLimit::Ignored),
        ("bypass_overload_manager: true", GlobalConnectionLimit::RuntimeOnly),
    ] {
        assert_eq!(accepted(&config(Slot::Listener, text)).listeners[0].global_connection_limit, limit);
    }
}

#[test]
fn what_else_could_be_watched_is_refused() {
    for (monitors, wanted) in [
        (
            format!("{{{MONITOR}, max_active_downstream_connections: 0}}}}"),
            "max_active_downstream_connections: value must be greater than 0",
        ),
        (
            format!("{{{MONITOR}, max_active_downstream_connections: 1}}}}, {{{MONITOR}, max_active_downstream_connections: 2}}}}"),
            "Duplicate resource monitor m",
        ),
        (
            "{name: heap, typed_config: {\"@type\": type.googleapis.com/envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig}}".to_owned(),
            "resource monitor \"heap\"",
        ),
    ] {
        refused(&top(&format!("overload_manager: {{resource_monitors: [{monitors}]}}")), wanted);
    }
    refused(
        &top("overload_manager: {actions: [{name: a, triggers: [{name: m, threshold: {value: 1}}]}]}"),
        "actions is not",
    );
}
