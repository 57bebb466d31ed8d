//! What plugins may make the process keep.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use sandgate_vm::Limits;

/// Bounds on what guests can grow. Envoy has none of these; the defaults are far above honest use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostLimits {
    /// Keys and values of the shared data of one `vm_id`, in bytes, with 64 bytes for each entry. A set beyond it
    /// answers `InternalFailure`. Default 64 MiB.
    pub shared_data_bytes: usize,
    /// Elements of one queue, in bytes, with 64 bytes for each. An enqueue beyond it answers
    /// `InternalFailure`. Default 64 MiB.
    pub queue_bytes: usize,
    /// Queues of one `vm_id`. Default 1024.
    pub queues: usize,
    /// Distinct metrics in the process. A definition beyond it answers `InternalFailure`. Default 65,536.
    pub metrics: usize,
    /// Bytes of a metric's name. Default 4096.
    pub metric_name_bytes: usize,
    /// Metric ids of one VM; defining a metric again takes a new id. Default 65,536.
    pub metric_ids: usize,
    /// Bytes of one log line of a guest; the rest is cut off. Default 1 MiB.
    pub log_line_bytes: usize,
    /// Bytes that one VM may log in a second; lines beyond are dropped and counted. `None`, as in Envoy, by default.
    pub log_bytes_per_second: Option<u64>,
    /// What one stream's plugins may keep in properties, in bytes of keys and values. Default 1 MiB.
    pub property_bytes: usize,
    /// What `proxy_set_buffer_bytes` may make of a body, in bytes; beyond it answers `InternalFailure`. The buffer limits
    /// of the filter chain are another matter. Default 256 MiB.
    pub body_bytes: usize,
    /// HTTP and gRPC callouts of one VM that are under way. One more answers `InternalFailure`. Default 65,536.
    pub callouts: usize,
    /// Bytes of messages that wait on one gRPC stream for its service to take them. A message beyond it answers
    /// `InternalFailure`. Default 64 MiB.
    pub grpc_queue_bytes: usize,
    /// What the foreign function `uncompress` may make of a zlib stream, in bytes; beyond it answers `InternalFailure`.
    /// Default 64 MiB.
    pub uncompressed_bytes: usize,
    /// CPU time of the callbacks of one stream or connection together, without those that end it. Looked at between callbacks; beyond it
    /// the stream ends as if its plugin had failed. `None`, as in Envoy, by default.
    pub stream_cpu: Option<Duration>,
    /// Instances of one VM that live at a time in the process, each thread having one. One more is refused. `None` by default.
    pub instances: Option<usize>,
    /// Bytes of the expressions that one root context has made by `expr_create` and not deleted; one more answers
    /// `InternalFailure`. Default 1 MiB.
    pub expression_bytes: usize,
}

impl Default for HostLimits {
    fn default() -> Self {
        Self {
            shared_data_bytes: 64 << 20,
            queue_bytes: 64 << 20,
            queues: 1024,
            metrics: 1 << 16,
            metric_name_bytes: 4096,
            metric_ids: 1 << 16,
            log_line_bytes: 1 << 20,
            log_bytes_per_second: None,
            property_bytes: 1 << 20,
            body_bytes: 256 << 20,
            callouts: 1 << 16,
            grpc_queue_bytes: 64 << 20,
            uncompressed_bytes: 64 << 20,
            stream_cpu: None,
            instances: None,
            expression_bytes: 1 << 20,
        }
    }
}

/// What a plugin can be held back by. A breach is a stat and a line in the log, and what becomes of the plugin then: most often a hostcall
/// answers `InternalFailure`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    SharedData,
    Queue,
    Queues,
    Metrics,
    MetricIds,
    MetricName,
    Properties,
    Body,
    Callouts,
    GrpcQueue,
    Uncompressed,
    Expressions,
    Memory,
    Tables,
    CallbackCpu,
    StartCpu,
    StreamCpu,
    Instances,
    LogBytes,
}

impl Limit {
    const ALL: [Self; 19] = [
        Self::SharedData,
        Self::Queue,
        Self::Queues,
        Self::Metrics,
        Self::MetricIds,
        Self::MetricName,
        Self::Properties,
        Self::Body,
        Self::Callouts,
        Self::GrpcQueue,
        Self::Uncompressed,
        Self::Expressions,
        Self::Memory,
        Self::Tables,
        Self::CallbackCpu,
        Self::StartCpu,
        Self::StreamCpu,
        Self::Instances,
        Self::LogBytes,
    ];

    /// What it is, as it is told.
    pub(crate) fn most(self, limits: &HostLimits, vm: &Limits) -> String {
        let number = match self {
            Self::CallbackCpu => return format!("{:?}", vm.callback_cpu),
            Self::StartCpu => return format!("{:?}", vm.start_cpu),
            Self::StreamCpu => return format!("{:?}", limits.stream_cpu.unwrap_or_default()),
            Self::Memory => vm.memory_bytes,
            Self::Tables => vm.table_elements,
            Self::Instances => limits.instances.unwrap_or_default(),
            Self::LogBytes => return limits.log_bytes_per_second.unwrap_or_default().to_string(),
            Self::SharedData => limits.shared_data_bytes,
            Self::Queue => limits.queue_bytes,
            Self::Queues => limits.queues,
            Self::Metrics => limits.metrics,
            Self::MetricIds => limits.metric_ids,
            Self::MetricName => limits.metric_name_bytes,
            Self::Properties => limits.property_bytes,
            Self::Body => limits.body_bytes,
            Self::Callouts => limits.callouts,
            Self::GrpcQueue => limits.grpc_queue_bytes,
            Self::Uncompressed => limits.uncompressed_bytes,
            Self::Expressions => limits.expression_bytes,
        };
        number.to_string()
    }

    /// As in the configuration.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::SharedData => "shared_data_bytes",
            Self::Queue => "queue_bytes",
            Self::Queues => "queues",
            Self::Metrics => "metrics",
            Self::MetricIds => "metric_ids",
            Self::MetricName => "metric_name_bytes",
            Self::Properties => "property_bytes",
            Self::Body => "body_bytes",
            Self::Callouts => "callouts",
            Self::GrpcQueue => "grpc_queue_bytes",
            Self::Uncompressed => "uncompressed_bytes",
            Self::Expressions => "expression_bytes",
            Self::Memory => "memory_bytes",
            Self::Tables => "table_elements",
            Self::CallbackCpu => "callback_cpu",
            Self::StartCpu => "start_cpu",
            Self::StreamCpu => "stream_cpu",
            Self::Instances => "instances",
            Self::LogBytes => "log_bytes_per_second",
        }
    }
}

/// How often each limit held a plugin back.
#[derive(Debug, Default)]
pub(crate) struct Breaches([AtomicU64; Limit::ALL.len()]);

impl Breaches {
    pub(crate) fn count(&self, limit: Limit) {
        if let Some(count) = self.0.get(limit as usize) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// Those that there were.
    pub(crate) fn visit(&self, visit: &mut dyn FnMut(&'static str, u64)) {
        for (limit, count) in Limit::ALL.iter().zip(&self.0) {
            let count = count.load(Relaxed);
            if count != 0 {
                visit(limit.name(), count);
            }
        }
    }
}
