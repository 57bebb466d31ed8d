//! What plugins may take.

use crate::{model::WasmLimits, proto::sandgate::v1 as proto};

use super::Context;

/// The type of the limits as an extension of the bootstrap.
pub(super) const WASM_LIMITS: &str = "sandgate.v1.WasmLimits";
/// The least time that says anything: the clock that is compared with it ticks every few milliseconds.
const LEAST_CPU_MS: u128 = 10;

pub(super) fn wasm_limits(context: &mut Context<'_>, message: proto::WasmLimits) -> WasmLimits {
    let callback_cpu = context.duration("callback_cpu", message.callback_cpu);
    let start_cpu = context.duration("start_cpu", message.start_cpu);
    for (field, time) in [("callback_cpu", callback_cpu), ("start_cpu", start_cpu)] {
        if time.is_some_and(|time| time.as_millis() < LEAST_CPU_MS) {
            context.error_at(field, format!("less than {LEAST_CPU_MS} ms of CPU time cannot be told apart"));
        }
    }
    WasmLimits {
        memory_bytes: message.memory_bytes,
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
