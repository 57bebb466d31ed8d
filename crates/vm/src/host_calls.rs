//! The hostcalls as typed operations: what a host implements, and what engines, native plugins and tests call.
//! Pointers end at the marshalling layer; here are only slices.

use sandgate_abi::{BufferType, LogLevel, MapType, MetricType, Status, StreamType};

use crate::{FailedCall, Output};

/// Where a guest's `fd_write` goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdio {
    /// File descriptor 1; Envoy logs it as info.
    Out,
    /// File descriptor 2; Envoy logs it as error.
    Err,
}

/// Arguments of `proxy_send_local_response`.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "named as in the spec")]
pub struct LocalResponse<'a> {
    pub status_code: u32,
    pub details: &'a [u8],
    pub body: &'a [u8],
    /// Serialized pairs; malformed ones count as none.
    pub headers: &'a [u8],
    /// 0 to 16; any other value means "not given".
    pub grpc_status: u32,
}

/// Arguments of `proxy_http_call`. Maps are serialized pairs.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "named as in the spec")]
pub struct OutgoingHttp<'a> {
    pub upstream: &'a [u8],
    pub headers: &'a [u8],
    pub body: &'a [u8],
    pub trailers: &'a [u8],
    pub timeout_ms: u32,
}

/// Arguments of `proxy_grpc_call` and, without message and timeout, `proxy_grpc_stream`.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "named as in the spec")]
pub struct OutgoingGrpc<'a> {
    pub service: &'a [u8],
    pub service_name: &'a [u8],
    pub method: &'a [u8],
    pub initial_metadata: &'a [u8],
    pub message: &'a [u8],
    pub timeout_ms: u32,
}

/// Everything a guest can ask of its host.
///
/// All methods take `&self`: a host keeps its state behind interior mutability and holds no borrow when it
/// returns. None of them may enter the guest; what would do so is queued by the host until the guest has returned.
/// An `Err` is the status that the guest sees. Numbers that the ABI defines as enums have been checked already.
#[expect(missing_docs, reason = "each method is the hostcall of the same name; `Ok` and the error are its statuses")]
pub trait HostCalls: 'static {
    fn log(&self, level: LogLevel, message: &[u8]) -> Result<(), Status>;
    /// 0 to 5 as [`LogLevel`], 6 when off.
    fn get_log_level(&self) -> Result<u32, Status>;
    fn get_current_time_nanoseconds(&self) -> u64;
    fn set_tick_period_milliseconds(&self, period: u32) -> Result<(), Status>;
    /// 0.1.0: the configuration of the plugin (or VM, while starting).
    fn get_configuration(&self, out: &mut Output) -> Result<(), Status>;

    fn get_buffer_bytes(&self, buffer: BufferType, start: u32, max_size: u32, out: &mut Output) -> Result<(), Status>;
    /// Length and flags.
    fn get_buffer_status(&self, buffer: BufferType) -> Result<(u32, u32), Status>;
    fn set_buffer_bytes(&self, buffer: BufferType, start: u32, size: u32, value: &[u8]) -> Result<(), Status>;

    /// Bytes of names and values, as in Envoy; not a count.
    fn get_header_map_size(&self, map: MapType) -> Result<u32, Status>;
    fn get_header_map_pairs(&self, map: MapType, out: &mut Output) -> Result<(), Status>;
    fn set_header_map_pairs(&self, map: MapType, pairs: &[u8]) -> Result<(), Status>;
    fn get_header_map_value(&self, map: MapType, key: &[u8], out: &mut Output) -> Result<(), Status>;
    fn add_header_map_value(&self, map: MapType, key: &[u8], value: &[u8]) -> Result<(), Status>;
    fn replace_header_map_value(&self, map: MapType, key: &[u8], value: &[u8]) -> Result<(), Status>;
    fn remove_header_map_value(&self, map: MapType, key: &[u8]) -> Result<(), Status>;

    /// `path` as the guest sent it: segments joined by NUL, possibly one more at the end.
    fn get_property(&self, path: &[u8], out: &mut Output) -> Result<(), Status>;
    fn set_property(&self, path: &[u8], value: &[u8]) -> Result<(), Status>;

    fn continue_stream(&self, stream: StreamType) -> Result<(), Status>;
    fn close_stream(&self, stream: StreamType) -> Result<(), Status>;
    fn send_local_response(&self, response: LocalResponse<'_>) -> Result<(), Status>;
    fn clear_route_cache(&self) -> Result<(), Status>;

    /// The token of the callout.
    fn http_call(&self, call: OutgoingHttp<'_>) -> Result<u32, Status>;
    fn grpc_call(&self, call: OutgoingGrpc<'_>) -> Result<u32, Status>;
    fn grpc_stream(&self, call: OutgoingGrpc<'_>) -> Result<u32, Status>;
    fn grpc_send(&self, token: u32, message: &[u8], end_stream: bool) -> Result<(), Status>;
    fn grpc_cancel(&self, token: u32) -> Result<(), Status>;
    fn grpc_close(&self, token: u32) -> Result<(), Status>;
    /// The code; the message goes to `out`.
    fn get_status(&self, out: &mut Output) -> Result<u32, Status>;

    /// The value goes to `out`; the result is its cas.
    fn get_shared_data(&self, key: &[u8], out: &mut Output) -> Result<u32, Status>;
    fn set_shared_data(&self, key: &[u8], value: &[u8], cas: u32) -> Result<(), Status>;
    fn register_shared_queue(&self, name: &[u8]) -> Result<u32, Status>;
    fn resolve_shared_queue(&self, vm_id: &[u8], name: &[u8]) -> Result<u32, Status>;
    fn enqueue_shared_queue(&self, queue: u32, value: &[u8]) -> Result<(), Status>;
    fn dequeue_shared_queue(&self, queue: u32, out: &mut Output) -> Result<(), Status>;

    fn define_metric(&self, kind: MetricType, name: &[u8]) -> Result<u32, Status>;
    fn increment_metric(&self, metric: u32, delta: i64) -> Result<(), Status>;
    fn record_metric(&self, metric: u32, value: u64) -> Result<(), Status>;
    fn get_metric(&self, metric: u32) -> Result<u64, Status>;

    fn set_effective_context(&self, context: u32) -> Result<(), Status>;
    fn done(&self) -> Result<(), Status>;
    fn call_foreign_function(&self, name: &[u8], arguments: &[u8], out: &mut Output) -> Result<(), Status>;
    /// Whether there is a function of that name: asked when the answer was `NotFound`, which functions give, too.
    fn has_foreign_function(&self, _name: &[u8]) -> bool {
        false
    }
    /// Envoy only: `envoy_resolve_dns`.
    fn resolve_dns(&self, address: &[u8]) -> Result<u32, Status>;

    /// `fd_write` to 1 or 2 of at least one byte: all its vectors joined, without the last line feed.
    fn write_stdio(&self, stream: Stdio, line: &[u8]);
    /// `K=V` of every environment variable, in the order that `environ_get` lists them.
    fn for_each_environment_variable(&self, each: &mut dyn FnMut(&str, &str));
    /// Nanoseconds since the Unix epoch.
    fn realtime_ns(&self) -> u64;
    /// Nanoseconds of a clock that never goes back.
    fn monotonic_ns(&self) -> u64;
    /// The guest called a capability that it is not allowed: `proxy_log`, `fd_write`. It gets its answer without the host.
    fn restricted_call(&self, capability: &'static str);
    /// The guest was refused more of what its limits bound. Of engines that can say so.
    fn refused_to_grow(&self, _: crate::Grown) {}
    /// Fills `bytes` with random bytes; `false` if the system has none.
    fn random(&self, bytes: &mut [u8]) -> bool;

    /// Whether [`HostCalls::explain`] is to be told of calls that do not answer `OK`. Asked at each of them.
    fn explains(&self) -> bool {
        false
    }
    /// A call did not answer `OK`.
    fn explain(&self, call: &FailedCall<'_>) {
        let _ = call;
    }
}
