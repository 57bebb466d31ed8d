//! Reads and rewrites every message of gRPC streams, both ways:
//!
//! - the text of each message's field 1 is put in upper case;
//! - each message gets its number in its direction, from 1, as field 15;
//! - response headers tell in `x-requests` how many messages had gone to the upstream by then, trailers in `x-responses` how many came back.
//!
//! Messages may be cut anywhere, and many may come at once: what is incomplete is kept here until the rest has come. Compressed messages,
//! and those that are no protobuf, pass as they are, but count. Streams that are not gRPC are left alone.

mod frames;
mod message;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType};

use frames::Frames;

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(Root));
}}

struct Root;

#[derive(Default)]
struct Stream {
    grpc: bool,
    requests: Frames,
    responses: Frames,
}

impl Context for Root {}

impl RootContext for Root {
    fn create_http_context(&self, _context: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream::default()))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let content_type = self.get_http_request_header_bytes("content-type");
        self.grpc = content_type.is_some_and(|value| value.starts_with(b"application/grpc"));
        if self.grpc {
            self.set_http_request_header("content-length", None);
        }
        Action::Continue
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        if self.grpc {
            let piece = self.get_http_request_body(0, size).unwrap_or_default();
            let rewritten = self.requests.rewrite(piece, end_of_stream);
            self.set_http_request_body(0, size, &rewritten);
        }
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        if self.grpc {
            self.set_http_response_header("content-length", None);
            self.set_http_response_header("x-requests", Some(&self.requests.count().to_string()));
        }
        Action::Continue
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        if self.grpc {
            let piece = self.get_http_response_body(0, size).unwrap_or_default();
            let rewritten = self.responses.rewrite(piece, end_of_stream);
            self.set_http_response_body(0, size, &rewritten);
        }
        Action::Continue
    }

    fn on_http_response_trailers(&mut self, _count: usize) -> Action {
        if self.grpc {
            self.set_http_response_trailer("x-responses", Some(&self.responses.count().to_string()));
        }
        Action::Continue
    }
}
