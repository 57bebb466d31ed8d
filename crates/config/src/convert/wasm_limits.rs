//! What plugins may take, all of them or some.

use crate::{
    diagnostics::Severity,
    model::{WasmIsolation, WasmLimits, WasmPluginSettings},
    proto::sandgate::v1 as proto,
};

use super::Context;

/// The type of the limits as an extension of the bootstrap.
pub(super) const WASM_LIMITS: &str = "sandgate.v1.WasmLimits";
/// The type of the settings of single plugins as an extension of the bootstrap.
pub(super) const WASM_PLUGINS: &str = "sandgate.v1.WasmPlugins";
/// The least time that says anything: the clock that is compared with it ticks every few milliseconds.
const LEAST_CPU_MS: u128 = 10;

pub(super) fn wasm_limits(context: &mut Context<'_>, message: proto::WasmLimits) -> WasmLimits {
    let callback_cpu = context.duration("callback_cpu", message.callback_cpu);
    let start_cpu = context.duration("start_cpu", message.start_cpu);
    let stream_cpu = context.duration("stream_cpu", message.stream_cpu);
    for (field, time) in [("callback_cpu", callback_cpu), ("start_cpu", start_cpu), ("stream_cpu", stream_cpu)] {
        if time.is_some_and(|time| time.as_millis() < LEAST_CPU_MS) {
            context.error_at(field, format!("less than {LEAST_CPU_MS} ms of CPU time cannot be told apart"));
        }
    }
    WasmLimits {
        memory_bytes: message.memory_bytes,
        table_elements: message.table_elements,
        instances: message.instances,
        stream_cpu,
        callback_cpu,
        start_cpu,
        shared_data_bytes: message.shared_data_bytes,
        queue_bytes: message.queue_bytes,
        queues: message.queues,
        metrics: message.metrics,
        metric_name_bytes: message.metric_name_bytes,
        metric_ids: message.metric_ids,
        log_line_bytes: message.log_line_bytes,
        log_bytes_per_second: message.log_bytes_per_second,
        property_bytes: message.property_bytes,
        body_bytes: message.body_bytes,
        callouts: message.callouts,
        grpc_queue_bytes: message.grpc_queue_bytes,
        uncompressed_bytes: message.uncompressed_bytes,
        expression_bytes: message.expression_bytes,
    }
}

pub(super) fn wasm_plugins(context: &mut Context<'_>, message: proto::WasmPlugins) -> Vec<WasmPluginSettings> {
    let proto::WasmPlugins { plugins } = message;
    context.list("plugins", plugins, |context, settings| {
        let proto::WasmPluginSettings { name, root_id, vm_id, limits, isolation } = settings;
        if name.is_none() && root_id.is_none() && vm_id.is_none() {
            context.error("none of name, root_id and vm_id says which plugins are meant");
        }
        let limits = context.field("limits", |context| {
            let limits = limits.unwrap_or_default();
            if limits.metrics.is_some() {
                context
                    .error_at("metrics", "all plugins share this limit: it can be set in sandgate.v1.WasmLimits alone");
            }
            wasm_limits(context, limits)
        });
        let isolation = match proto::WasmIsolation::try_from(isolation) {
            Ok(proto::WasmIsolation::IsolationUnspecified | proto::WasmIsolation::Vm) => WasmIsolation::Vm,
            Ok(proto::WasmIsolation::Stream) => WasmIsolation::Stream,
            Err(_) => {
                context.error_at("isolation", "unknown isolation");
                return None;
            }
        };
        Some(WasmPluginSettings { name, root_id, vm_id, limits, isolation, origin: context.origin() })
    })
}

/// Settings that no plugin has, since another's come first or there is none of these names.
pub(super) fn settings_without_plugins(context: &mut Context<'_>, settings: &[WasmPluginSettings]) {
    let mut used = vec![false; settings.len()];
    for [name, root_id, vm_id] in &context.plugins {
        let first = settings.iter().zip(&mut used).find(|(settings, _)| settings.fit(name, root_id, vm_id));
        if let Some((_, used)) = first {
            *used = true;
        }
    }
    for (settings, _) in settings.iter().zip(used).filter(|(_, used)| !used) {
        let path = &settings.origin.path;
        context.report.add(Severity::Warning, path, "there is no plugin that these settings are for");
    }
}
