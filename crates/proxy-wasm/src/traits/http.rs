//! Contexts of HTTP streams.

use super::Context;
use crate::hostcalls::{self, must};
use crate::types::{Action, BufferType, Bytes, GrpcStatusCode, MapType};

/// The methods of one map: all of it, then one name.
macro_rules! map {
    ($what:literal, $map:ident: $get_all:ident, $get_all_bytes:ident, $set_all:ident, $set_all_bytes:ident,
     $get:ident, $get_bytes:ident, $set:ident, $set_bytes:ident, $add:ident, $add_bytes:ident, $remove:ident) => {
        #[doc = concat!("All ", $what, "s, in order; a panic if one is not UTF-8.")]
        fn $get_all(&self) -> Vec<(String, String)> {
            must(hostcalls::get_map(MapType::$map))
        }

        #[doc = concat!("All ", $what, "s, in order.")]
        fn $get_all_bytes(&self) -> Vec<(String, Bytes)> {
            must(hostcalls::get_map_bytes(MapType::$map))
        }

        #[doc = concat!("Replaces all ", $what, "s.")]
        fn $set_all(&self, map: Vec<(&str, &str)>) {
            must(hostcalls::set_map(MapType::$map, map));
        }

        #[doc = concat!("Replaces all ", $what, "s.")]
        fn $set_all_bytes(&self, map: Vec<(&str, &[u8])>) {
            must(hostcalls::set_map_bytes(MapType::$map, map));
        }

        #[doc = concat!("The value of a ", $what, "; a panic if it is not UTF-8.")]
        fn $get(&self, name: &str) -> Option<String> {
            must(hostcalls::get_map_value(MapType::$map, name))
        }

        #[doc = concat!("The value of a ", $what, ".")]
        fn $get_bytes(&self, name: &str) -> Option<Bytes> {
            must(hostcalls::get_map_value_bytes(MapType::$map, name))
        }

        #[doc = concat!("Sets the one value of a ", $what, ", or removes it.")]
        fn $set(&self, name: &str, value: Option<&str>) {
            must(hostcalls::set_map_value(MapType::$map, name, value));
        }

        #[doc = concat!("Sets the one value of a ", $what, ", or removes it.")]
        fn $set_bytes(&self, name: &str, value: Option<&[u8]>) {
            must(hostcalls::set_map_value_bytes(MapType::$map, name, value));
        }

        #[doc = concat!("Adds a ", $what, ".")]
        fn $add(&self, name: &str, value: &str) {
            must(hostcalls::add_map_value(MapType::$map, name, value));
        }

        #[doc = concat!("Adds a ", $what, ".")]
        fn $add_bytes(&self, name: &str, value: &[u8]) {
            must(hostcalls::add_map_value_bytes(MapType::$map, name, value));
        }

        #[doc = concat!("Removes a ", $what, ".")]
        fn $remove(&self, name: &str) {
            must(hostcalls::remove_map_value(MapType::$map, name));
        }
    };
}

/// An HTTP request and its response in a plugin.
pub trait HttpContext: Context {
    /// The request's headers are there, so many of them; nothing follows if the stream ends here.
    fn on_http_request_headers(&mut self, _num_headers: usize, _end_of_stream: bool) -> Action {
        Action::Continue
    }

    map!("request header", HttpRequestHeaders:
        get_http_request_headers, get_http_request_headers_bytes, set_http_request_headers, set_http_request_headers_bytes,
        get_http_request_header, get_http_request_header_bytes, set_http_request_header, set_http_request_header_bytes,
        add_http_request_header, add_http_request_header_bytes, remove_http_request_header);

    /// So many bytes of the request's body are there.
    fn on_http_request_body(&mut self, _body_size: usize, _end_of_stream: bool) -> Action {
        Action::Continue
    }

    /// Bytes of the request's body.
    fn get_http_request_body(&self, start: usize, max_size: usize) -> Option<Bytes> {
        must(hostcalls::get_buffer(BufferType::HttpRequestBody, start, max_size))
    }

    /// Replaces bytes of the request's body.
    fn set_http_request_body(&self, start: usize, size: usize, value: &[u8]) {
        must(hostcalls::set_buffer(BufferType::HttpRequestBody, start, size, value));
    }

    /// The request's trailers are there.
    fn on_http_request_trailers(&mut self, _num_trailers: usize) -> Action {
        Action::Continue
    }

    map!("request trailer", HttpRequestTrailers:
        get_http_request_trailers, get_http_request_trailers_bytes, set_http_request_trailers,
        set_http_request_trailers_bytes, get_http_request_trailer, get_http_request_trailer_bytes,
        set_http_request_trailer, set_http_request_trailer_bytes, add_http_request_trailer,
        add_http_request_trailer_bytes, remove_http_request_trailer);

    /// Goes on with the request.
    fn resume_http_request(&self) {
        must(hostcalls::resume_http_request());
    }

    /// Resets the stream.
    fn reset_http_request(&self) {
        must(hostcalls::reset_http_request());
    }

    /// The response's headers are there, so many of them; nothing follows if the stream ends here.
    fn on_http_response_headers(&mut self, _num_headers: usize, _end_of_stream: bool) -> Action {
        Action::Continue
    }

    map!("response header", HttpResponseHeaders:
        get_http_response_headers, get_http_response_headers_bytes, set_http_response_headers,
        set_http_response_headers_bytes, get_http_response_header, get_http_response_header_bytes,
        set_http_response_header, set_http_response_header_bytes, add_http_response_header,
        add_http_response_header_bytes, remove_http_response_header);

    /// So many bytes of the response's body are there.
    fn on_http_response_body(&mut self, _body_size: usize, _end_of_stream: bool) -> Action {
        Action::Continue
    }

    /// Bytes of the response's body.
    fn get_http_response_body(&self, start: usize, max_size: usize) -> Option<Bytes> {
        must(hostcalls::get_buffer(BufferType::HttpResponseBody, start, max_size))
    }

    /// Replaces bytes of the response's body.
    fn set_http_response_body(&self, start: usize, size: usize, value: &[u8]) {
        must(hostcalls::set_buffer(BufferType::HttpResponseBody, start, size, value));
    }

    /// The response's trailers are there.
    fn on_http_response_trailers(&mut self, _num_trailers: usize) -> Action {
        Action::Continue
    }

    map!("response trailer", HttpResponseTrailers:
        get_http_response_trailers, get_http_response_trailers_bytes, set_http_response_trailers,
        set_http_response_trailers_bytes, get_http_response_trailer, get_http_response_trailer_bytes,
        set_http_response_trailer, set_http_response_trailer_bytes, add_http_response_trailer,
        add_http_response_trailer_bytes, remove_http_response_trailer);

    /// Goes on with the response.
    fn resume_http_response(&self) {
        must(hostcalls::resume_http_response());
    }

    /// Resets the stream.
    fn reset_http_response(&self) {
        must(hostcalls::reset_http_response());
    }

    /// Answers the request.
    fn send_http_response(&self, status_code: u32, headers: Vec<(&str, &str)>, body: Option<&[u8]>) {
        must(hostcalls::send_http_response(status_code, headers, body));
    }

    /// Answers the request with a status of gRPC.
    fn send_grpc_response(
        &self,
        grpc_status: GrpcStatusCode,
        grpc_status_message: Option<&str>,
        custom_metadata: Vec<(&str, &[u8])>,
    ) {
        must(hostcalls::send_grpc_response(grpc_status, grpc_status_message, custom_metadata));
    }

    /// The stream is over.
    fn on_log(&mut self) {}
}
