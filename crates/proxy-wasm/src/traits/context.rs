//! What all contexts have.

use std::time::{Duration, SystemTime};

use crate::hostcalls::{self, must};
use crate::types::{BufferType, Bytes, MapType, Status};

/// Any context.
pub trait Context {
    /// What time it is.
    fn get_current_time(&self) -> SystemTime {
        must(hostcalls::get_current_time())
    }

    /// A property's bytes; a panic for one that has no byte form.
    fn get_property(&self, path: Vec<&str>) -> Option<Bytes> {
        must(hostcalls::get_property(path))
    }

    /// Sets a property.
    fn set_property(&self, path: Vec<&str>, value: Option<&[u8]>) {
        must(hostcalls::set_property(path, value));
    }

    /// A value that the VMs of this id share, and its version.
    fn get_shared_data(&self, key: &str) -> (Option<Bytes>, Option<u32>) {
        must(hostcalls::get_shared_data(key))
    }

    /// Sets a shared value; with `cas` only if it still has that version.
    ///
    /// # Errors
    /// `CasMismatch` if it has another.
    fn set_shared_data(&self, key: &str, value: Option<&[u8]>, cas: Option<u32>) -> Result<(), Status> {
        hostcalls::set_shared_data(key, value, cas)
    }

    /// Empties a shared value.
    ///
    /// # Errors
    /// `CasMismatch` if it has another version.
    fn remove_shared_data(&self, key: &str, cas: Option<u32>) -> Result<(), Status> {
        hostcalls::set_shared_data(key, None, cas)
    }

    /// Makes a queue, if there is none of the name yet, of which this VM's root is told.
    fn register_shared_queue(&self, name: &str) -> u32 {
        must(hostcalls::register_shared_queue(name))
    }

    /// The queue of that name that a VM of that id has made.
    fn resolve_shared_queue(&self, vm_id: &str, name: &str) -> Option<u32> {
        must(hostcalls::resolve_shared_queue(vm_id, name))
    }

    /// Takes the first of a queue.
    ///
    /// # Errors
    /// `NotFound` if there is no such queue.
    fn dequeue_shared_queue(&self, queue_id: u32) -> Result<Option<Bytes>, Status> {
        hostcalls::dequeue_shared_queue(queue_id)
    }

    /// Appends to a queue.
    ///
    /// # Errors
    /// `NotFound` if there is no such queue.
    fn enqueue_shared_queue(&self, queue_id: u32, value: Option<&[u8]>) -> Result<(), Status> {
        hostcalls::enqueue_shared_queue(queue_id, value)
    }

    /// Sends an HTTP request to a cluster.
    ///
    /// # Errors
    /// See [`hostcalls::dispatch_http_call`].
    fn dispatch_http_call(
        &self,
        upstream: &str,
        headers: Vec<(&str, &str)>,
        body: Option<&[u8]>,
        trailers: Vec<(&str, &str)>,
        timeout: Duration,
    ) -> Result<u32, Status> {
        hostcalls::dispatch_http_call(upstream, headers, body, trailers, timeout)
    }

    /// The answer is there; without headers: there will be none.
    fn on_http_call_response(&mut self, _token_id: u32, _num_headers: usize, _body_size: usize, _num_trailers: usize) {}

    /// The answer's headers; a panic if one is not UTF-8.
    fn get_http_call_response_headers(&self) -> Vec<(String, String)> {
        must(hostcalls::get_map(MapType::HttpCallResponseHeaders))
    }

    /// The answer's headers.
    fn get_http_call_response_headers_bytes(&self) -> Vec<(String, Bytes)> {
        must(hostcalls::get_map_bytes(MapType::HttpCallResponseHeaders))
    }

    /// A header of the answer; a panic if it is not UTF-8.
    fn get_http_call_response_header(&self, name: &str) -> Option<String> {
        must(hostcalls::get_map_value(MapType::HttpCallResponseHeaders, name))
    }

    /// A header of the answer.
    fn get_http_call_response_header_bytes(&self, name: &str) -> Option<Bytes> {
        must(hostcalls::get_map_value_bytes(MapType::HttpCallResponseHeaders, name))
    }

    /// Bytes of the answer's body.
    fn get_http_call_response_body(&self, start: usize, max_size: usize) -> Option<Bytes> {
        must(hostcalls::get_buffer(BufferType::HttpCallResponseBody, start, max_size))
    }

    /// The answer's trailers; a panic if one is not UTF-8.
    fn get_http_call_response_trailers(&self) -> Vec<(String, String)> {
        must(hostcalls::get_map(MapType::HttpCallResponseTrailers))
    }

    /// The answer's trailers.
    fn get_http_call_response_trailers_bytes(&self) -> Vec<(String, Bytes)> {
        must(hostcalls::get_map_bytes(MapType::HttpCallResponseTrailers))
    }

    /// A trailer of the answer; a panic if it is not UTF-8.
    fn get_http_call_response_trailer(&self, name: &str) -> Option<String> {
        must(hostcalls::get_map_value(MapType::HttpCallResponseTrailers, name))
    }

    /// A trailer of the answer.
    fn get_http_call_response_trailer_bytes(&self, name: &str) -> Option<Bytes> {
        must(hostcalls::get_map_value_bytes(MapType::HttpCallResponseTrailers, name))
    }

    /// Makes a gRPC call.
    ///
    /// # Errors
    /// See [`hostcalls::dispatch_grpc_call`].
    fn dispatch_grpc_call(
        &self,
        upstream_name: &str,
        service_name: &str,
        method_name: &str,
        initial_metadata: Vec<(&str, &[u8])>,
        message: Option<&[u8]>,
        timeout: Duration,
    ) -> Result<u32, Status> {
        hostcalls::dispatch_grpc_call(upstream_name, service_name, method_name, initial_metadata, message, timeout)
    }

    /// The call's answer of so many bytes is there, or its status is not 0.
    fn on_grpc_call_response(&mut self, _token_id: u32, _status_code: u32, _response_size: usize) {}

    /// Bytes of the call's answer.
    fn get_grpc_call_response_body(&self, start: usize, max_size: usize) -> Option<Bytes> {
        must(hostcalls::get_buffer(BufferType::GrpcReceiveBuffer, start, max_size))
    }

    /// Ends a call; its answer does not come.
    fn cancel_grpc_call(&self, token_id: u32) {
        must(hostcalls::cancel_grpc_call(token_id));
    }

    /// Opens a gRPC stream.
    ///
    /// # Errors
    /// See [`hostcalls::open_grpc_stream`].
    fn open_grpc_stream(
        &self,
        cluster_name: &str,
        service_name: &str,
        method_name: &str,
        initial_metadata: Vec<(&str, &[u8])>,
    ) -> Result<u32, Status> {
        hostcalls::open_grpc_stream(cluster_name, service_name, method_name, initial_metadata)
    }

    /// The stream's initial metadata is there.
    fn on_grpc_stream_initial_metadata(&mut self, _token_id: u32, _num_elements: u32) {}

    /// The stream's initial metadata.
    fn get_grpc_stream_initial_metadata(&self) -> Vec<(String, Bytes)> {
        must(hostcalls::get_map_bytes(MapType::GrpcReceiveInitialMetadata))
    }

    /// One of the stream's initial metadata.
    fn get_grpc_stream_initial_metadata_value(&self, name: &str) -> Option<Bytes> {
        must(hostcalls::get_map_value_bytes(MapType::GrpcReceiveInitialMetadata, name))
    }

    /// Sends a message on a stream; a panic if there is no such stream.
    fn send_grpc_stream_message(&self, token_id: u32, message: Option<&[u8]>, end_stream: bool) {
        must(hostcalls::send_grpc_stream_message(token_id, message, end_stream));
    }

    /// A message of the stream is there.
    fn on_grpc_stream_message(&mut self, _token_id: u32, _message_size: usize) {}

    /// Bytes of the stream's message.
    fn get_grpc_stream_message(&mut self, start: usize, max_size: usize) -> Option<Bytes> {
        must(hostcalls::get_buffer(BufferType::GrpcReceiveBuffer, start, max_size))
    }

    /// The stream's trailing metadata is there.
    fn on_grpc_stream_trailing_metadata(&mut self, _token_id: u32, _num_elements: u32) {}

    /// The stream's trailing metadata.
    fn get_grpc_stream_trailing_metadata(&self) -> Vec<(String, Bytes)> {
        must(hostcalls::get_map_bytes(MapType::GrpcReceiveTrailingMetadata))
    }

    /// One of the stream's trailing metadata.
    fn get_grpc_stream_trailing_metadata_value(&self, name: &str) -> Option<Bytes> {
        must(hostcalls::get_map_value_bytes(MapType::GrpcReceiveTrailingMetadata, name))
    }

    /// Ends a stream at once.
    fn cancel_grpc_stream(&self, token_id: u32) {
        must(hostcalls::cancel_grpc_stream(token_id));
    }

    /// Ends the plugin's side of a stream.
    fn close_grpc_stream(&self, token_id: u32) {
        must(hostcalls::close_grpc_stream(token_id));
    }

    /// The stream has ended with this status.
    fn on_grpc_stream_close(&mut self, _token_id: u32, _status_code: u32) {}

    /// How the call or stream ended, and its message.
    fn get_grpc_status(&self) -> (u32, Option<String>) {
        must(hostcalls::get_grpc_status())
    }

    /// The proxy calls a function of the plugin's.
    fn on_foreign_function(&mut self, _function_id: u32, _arguments_size: usize) {}

    /// Calls a function of the proxy's own.
    ///
    /// # Errors
    /// See [`hostcalls::call_foreign_function`].
    fn call_foreign_function(&self, function_name: &str, arguments: Option<&[u8]>) -> Result<Option<Bytes>, Status> {
        hostcalls::call_foreign_function(function_name, arguments)
    }

    /// The context ends. False: not before [`done`](Self::done).
    fn on_done(&mut self) -> bool {
        true
    }

    /// The context may end.
    fn done(&self) {
        must(hostcalls::done());
    }
}
