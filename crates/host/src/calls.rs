//! The hostcalls: what a guest's requests do to contexts, streams and shared state.

mod buffers;
mod callouts;
mod dns;
mod expressions;
mod foreign;
mod grpc;
mod lifecycle;
mod logging;
mod maps;
mod metrics;
mod properties;
mod sharing;
mod streams;

use sandgate_abi::{BufferType, LogLevel, MapType, MetricType, Status, StreamType};
use sandgate_vm::{FailedCall, Grown, HostCalls, LocalResponse, OutgoingGrpc, OutgoingHttp, Output, Stdio};

use crate::{VmHost, explain};

pub(crate) use lifecycle::deadline;

/// Every hostcall in its place; the modules say what each does.
impl HostCalls for VmHost {
    fn log(&self, level: LogLevel, message: &[u8]) -> Result<(), Status> {
        logging::log(&self.0, level, message);
        Ok(())
    }

    fn get_log_level(&self) -> Result<u32, Status> {
        Ok(self.0.host.log().level())
    }

    fn get_current_time_nanoseconds(&self) -> u64 {
        self.0.env.realtime_ns()
    }

    fn set_tick_period_milliseconds(&self, period: u32) -> Result<(), Status> {
        lifecycle::set_tick_period(&self.0, period)
    }

    fn get_configuration(&self, out: &mut Output) -> Result<(), Status> {
        buffers::configuration(&self.0, out);
        Ok(())
    }

    fn get_buffer_bytes(&self, buffer: BufferType, start: u32, max_size: u32, out: &mut Output) -> Result<(), Status> {
        buffers::get(&self.0, buffer, start, max_size, out)
    }

    fn get_buffer_status(&self, buffer: BufferType) -> Result<(u32, u32), Status> {
        buffers::status(&self.0, buffer)
    }

    fn set_buffer_bytes(&self, buffer: BufferType, start: u32, size: u32, value: &[u8]) -> Result<(), Status> {
        buffers::set(&self.0, buffer, start, size, value)
    }

    fn get_header_map_size(&self, map: MapType) -> Result<u32, Status> {
        maps::size(&self.0, map)
    }

    fn get_header_map_pairs(&self, map: MapType, out: &mut Output) -> Result<(), Status> {
        maps::pairs(&self.0, map, out);
        Ok(())
    }

    fn set_header_map_pairs(&self, map: MapType, pairs: &[u8]) -> Result<(), Status> {
        maps::set_pairs(&self.0, map, pairs)
    }

    fn get_header_map_value(&self, map: MapType, key: &[u8], out: &mut Output) -> Result<(), Status> {
        maps::value(&self.0, map, key, out)
    }

    fn add_header_map_value(&self, map: MapType, key: &[u8], value: &[u8]) -> Result<(), Status> {
        maps::change(&self.0, map, |headers| headers.add(key, value))
    }

    fn replace_header_map_value(&self, map: MapType, key: &[u8], value: &[u8]) -> Result<(), Status> {
        maps::change(&self.0, map, |headers| headers.replace(key, value))
    }

    fn remove_header_map_value(&self, map: MapType, key: &[u8]) -> Result<(), Status> {
        maps::change(&self.0, map, |headers| {
            headers.remove(key);
        })
    }

    fn get_property(&self, path: &[u8], out: &mut Output) -> Result<(), Status> {
        properties::get(&self.0, path, out)
    }

    fn set_property(&self, path: &[u8], value: &[u8]) -> Result<(), Status> {
        properties::set(&self.0, path, value)
    }

    fn continue_stream(&self, stream: StreamType) -> Result<(), Status> {
        streams::resume(&self.0, stream)
    }

    fn close_stream(&self, stream: StreamType) -> Result<(), Status> {
        streams::close(&self.0, stream);
        Ok(())
    }

    fn send_local_response(&self, response: LocalResponse<'_>) -> Result<(), Status> {
        streams::reply(&self.0, response);
        Ok(())
    }

    fn clear_route_cache(&self) -> Result<(), Status> {
        streams::clear_route_cache(&self.0);
        Ok(())
    }

    fn http_call(&self, call: OutgoingHttp<'_>) -> Result<u32, Status> {
        callouts::http_call(&self.0, call)
    }

    fn grpc_call(&self, call: OutgoingGrpc<'_>) -> Result<u32, Status> {
        grpc::unary(&self.0, call)
    }

    fn grpc_stream(&self, call: OutgoingGrpc<'_>) -> Result<u32, Status> {
        grpc::stream(&self.0, call)
    }

    fn grpc_send(&self, token: u32, message: &[u8], end_stream: bool) -> Result<(), Status> {
        grpc::send(&self.0, token, message, end_stream)
    }

    fn grpc_cancel(&self, token: u32) -> Result<(), Status> {
        grpc::cancel(&self.0, token)
    }

    fn grpc_close(&self, token: u32) -> Result<(), Status> {
        grpc::close(&self.0, token)
    }

    fn get_status(&self, out: &mut Output) -> Result<u32, Status> {
        Ok(callouts::status(&self.0, out))
    }

    fn get_shared_data(&self, key: &[u8], out: &mut Output) -> Result<u32, Status> {
        sharing::get_data(&self.0, key, out)
    }

    fn set_shared_data(&self, key: &[u8], value: &[u8], cas: u32) -> Result<(), Status> {
        sharing::set_data(&self.0, key, value, cas)
    }

    fn register_shared_queue(&self, name: &[u8]) -> Result<u32, Status> {
        sharing::register_queue(&self.0, name)
    }

    fn resolve_shared_queue(&self, vm_id: &[u8], name: &[u8]) -> Result<u32, Status> {
        sharing::resolve_queue(&self.0, vm_id, name)
    }

    fn enqueue_shared_queue(&self, queue: u32, value: &[u8]) -> Result<(), Status> {
        sharing::enqueue(&self.0, queue, value)
    }

    fn dequeue_shared_queue(&self, queue: u32, out: &mut Output) -> Result<(), Status> {
        sharing::dequeue(&self.0, queue, out)
    }

    fn define_metric(&self, kind: MetricType, name: &[u8]) -> Result<u32, Status> {
        metrics::define(&self.0, kind, name)
    }

    fn increment_metric(&self, metric: u32, delta: i64) -> Result<(), Status> {
        metrics::increment(&self.0, metric, delta)
    }

    fn record_metric(&self, metric: u32, value: u64) -> Result<(), Status> {
        metrics::record(&self.0, metric, value)
    }

    fn get_metric(&self, metric: u32) -> Result<u64, Status> {
        metrics::get(&self.0, metric)
    }

    fn set_effective_context(&self, context: u32) -> Result<(), Status> {
        lifecycle::set_effective_context(&self.0, context)
    }

    fn done(&self) -> Result<(), Status> {
        lifecycle::done(&self.0)
    }

    fn call_foreign_function(&self, name: &[u8], arguments: &[u8], out: &mut Output) -> Result<(), Status> {
        foreign::call(&self.0, name, arguments, out)
    }

    fn has_foreign_function(&self, name: &[u8]) -> bool {
        foreign::exists(&self.0, name)
    }

    fn resolve_dns(&self, address: &[u8]) -> Result<u32, Status> {
        dns::resolve(&self.0, address)
    }

    fn write_stdio(&self, stream: Stdio, line: &[u8]) {
        logging::stdio(&self.0, stream, line);
    }

    fn for_each_environment_variable(&self, each: &mut dyn FnMut(&str, &str)) {
        for (name, value) in &self.0.base.config.environment {
            each(name, value);
        }
    }

    fn realtime_ns(&self) -> u64 {
        self.0.env.realtime_ns()
    }

    fn monotonic_ns(&self) -> u64 {
        self.0.env.monotonic_ns()
    }

    fn restricted_call(&self, capability: &'static str) {
        logging::restricted(&self.0, capability);
    }

    fn refused_to_grow(&self, what: Grown) {
        self.0.refused_to_grow(what);
    }

    fn random(&self, bytes: &mut [u8]) -> bool {
        getrandom::fill(bytes).is_ok()
    }

    fn explains(&self) -> bool {
        self.0.host.explains()
    }

    fn explain(&self, call: &FailedCall<'_>) {
        explain::explain(&self.0, call);
    }
}
