//! A host that answers at once.

use std::hint::black_box;

use sandgate_abi::{BufferType, LogLevel, MapType, MetricType, Status, StreamType};
use sandgate_vm::{HostCalls, LocalResponse, OutgoingGrpc, OutgoingHttp, Output, Stdio};

/// Knows one header and nothing else.
pub(crate) struct Answering;

impl HostCalls for Answering {
    fn log(&self, _: LogLevel, message: &[u8]) -> Result<(), Status> {
        black_box(message);
        Ok(())
    }
    fn get_log_level(&self) -> Result<u32, Status> {
        Err(Status::Unimplemented)
    }
    fn get_current_time_nanoseconds(&self) -> u64 {
        0
    }
    fn set_tick_period_milliseconds(&self, _: u32) -> Result<(), Status> {
        Ok(())
    }
    fn get_configuration(&self, _: &mut Output) -> Result<(), Status> {
        Err(Status::Unimplemented)
    }
    fn get_buffer_bytes(&self, _: BufferType, _: u32, _: u32, _: &mut Output) -> Result<(), Status> {
        Err(Status::Unimplemented)
    }
    fn get_buffer_status(&self, _: BufferType) -> Result<(u32, u32), Status> {
        Err(Status::Unimplemented)
    }
    fn set_buffer_bytes(&self, _: BufferType, _: u32, _: u32, _: &[u8]) -> Result<(), Status> {
        Err(Status::Unimplemented)
    }
    fn get_header_map_size(&self, _: MapType) -> Result<u32, Status> {
        Err(Status::Unimplemented)
    }
    fn get_header_map_pairs(&self, _: MapType, _: &mut Output) -> Result<(), Status> {
        Err(Status::Unimplemented)
    }
    fn set_header_map_pairs(&self, _: MapType, _: &[u8]) -> Result<(), Status> {
        Err(Status::Unimplemented)
    }
    fn get_header_map_value(&self, _: MapType, key: &[u8], out: &mut Output) -> Result<(), Status> {
        black_box(key);
        out.extend(b"a header's text");
        Ok(())
    }
    fn add_header_map_value(&self, _: MapType, _: &[u8], _: &[u8]) -> Result<(), Status> {
        Err(Status::Unimplemented)
    }
    fn replace_header_map_value(&self, _: MapType, _: &[u8], _: &[u8]) -> Result<(), Status> {
        Err(Status::Unimplemented)
    }
    fn remove_header_map_value(&self, _: MapType, _: &[u8]) -> Result<(), Status> {
        Err(Status::Unimplemented)
    }
    fn get_property(&self, _: &[u8], _: &mut Output) -> Result<(), Status> {
        Err(Status::Unimplemented)
    }
    fn set_property(&self, _: &[u8], _: &[u8]) -> Result<(), Status> {
        Err(Status::Unimplemented)
    }
    fn continue_stream(&self, _: StreamType) -> Result<(), Status> {
        Err(Status::Unimplemented)
    }
    fn close_stream(&self, _: StreamType) -> Result<(), Status> {
        Err(Status::Unimplemented)
    }
    fn send_local_response(&self, _: LocalResponse<'_>) -> Result<(), Status> {
        Err(Status::Unimplemented)
    }
    fn clear_route_cache(&self) -> Result<(), Status> {
        Err(Status::Unimplemented)
    }
    fn http_call(&self, _: OutgoingHttp<'_>) -> Result<u32, Status> {
        Err(Status::Unimplemented)
    }
    fn grpc_call(&self, _: OutgoingGrpc<'_>) -> Result<u32, Status> {
        Err(Status::Unimplemented)
    }
    fn grpc_stream(&self, _: OutgoingGrpc<'_>) -> Result<u32, Status> {
        Err(Status::Unimplemented)
    }
    fn grpc_send(&self, _: u32, _: &[u8], _: bool) -> Result<(), Status> {
        Err(Status::Unimplemented)
    }
    fn grpc_cancel(&self, _: u32) -> Result<(), Status> {
        Err(Status::Unimplemented)
    }
    fn grpc_close(&self, _: u32) -> Result<(), Status> {
        Err(Status::Unimplemented)
    }
    fn get_status(&self, _: &mut Output) -> Result<u32, Status> {
        Err(Status::Unimplemented)
    }
    fn get_shared_data(&self, _: &[u8], _: &mut Output) -> Result<u32, Status> {
        Err(Status::Unimplemented)
    }
    fn set_shared_data(&self, _: &[u8], _: &[u8], _: u32) -> Result<(), Status> {
        Err(Status::Unimplemented)
    }
    fn register_shared_queue(&self, _: &[u8]) -> Result<u32, Status> {
        Err(Status::Unimplemented)
    }
    fn resolve_shared_queue(&self, _: &[u8], _: &[u8]) -> Result<u32, Status> {
        Err(Status::Unimplemented)
    }
    fn enqueue_shared_queue(&self, _: u32, _: &[u8]) -> Result<(), Status> {
        Err(Status::Unimplemented)
    }
    fn dequeue_shared_queue(&self, _: u32, _: &mut Output) -> Result<(), Status> {
        Err(Status::Unimplemented)
    }
    fn define_metric(&self, _: MetricType, _: &[u8]) -> Result<u32, Status> {
        Err(Status::Unimplemented)
    }
    fn increment_metric(&self, _: u32, _: i64) -> Result<(), Status> {
        Err(Status::Unimplemented)
    }
    fn record_metric(&self, _: u32, _: u64) -> Result<(), Status> {
        Err(Status::Unimplemented)
    }
    fn get_metric(&self, _: u32) -> Result<u64, Status> {
        Err(Status::Unimplemented)
    }
    fn set_effective_context(&self, _: u32) -> Result<(), Status> {
        Err(Status::Unimplemented)
    }
    fn done(&self) -> Result<(), Status> {
        Err(Status::Unimplemented)
    }
    fn call_foreign_function(&self, _: &[u8], _: &[u8], _: &mut Output) -> Result<(), Status> {
        Err(Status::Unimplemented)
    }
    fn resolve_dns(&self, _: &[u8]) -> Result<u32, Status> {
        Err(Status::Unimplemented)
    }
    fn write_stdio(&self, _: Stdio, _: &[u8]) {}
    fn for_each_environment_variable(&self, _: &mut dyn FnMut(&str, &str)) {}
    fn realtime_ns(&self) -> u64 {
        0
    }
    fn monotonic_ns(&self) -> u64 {
        0
    }
    fn restricted_call(&self, _: &'static str) {}
    fn random(&self, _: &mut [u8]) -> bool {
        true
    }
}
