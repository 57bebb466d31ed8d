//! Reads and replaces bodies both ways. The configuration chooses how:
//!
//! - `streamed` (or nothing): every piece is replaced by itself in upper case as it passes;
//! - `buffered`: the whole body is collected, then replaced by `<its length> bytes: ` and itself in upper case;
//! - `read`: every piece is read, none is replaced; `x-read-request` tells the client how much of the request was read.

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType};

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(Root { mode: Mode::Streamed }));
}}

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Streamed,
    Buffered,
    Read,
}

struct Root {
    mode: Mode,
}

struct Stream {
    mode: Mode,
    read: usize,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        self.mode = match self.get_plugin_configuration().as_deref() {
            None | Some(b"" | b"streamed") => Mode::Streamed,
            Some(b"buffered") => Mode::Buffered,
            Some(b"read") => Mode::Read,
            Some(_) => return false,
        };
        true
    }

    fn create_http_context(&self, _context: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream { mode: self.mode, read: 0 }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        if self.mode == Mode::Buffered {
            self.set_http_request_header("content-length", None);
        }
        Action::Continue
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        if self.mode == Mode::Buffered && !end_of_stream {
            return Action::Pause;
        }
        if let Some(body) = self.get_http_request_body(0, size) {
            self.read += body.len();
            if let Some(replacement) = replace(self.mode, body) {
                self.set_http_request_body(0, size, &replacement);
            }
        }
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        match self.mode {
            Mode::Streamed => {}
            Mode::Buffered => self.set_http_response_header("content-length", None),
            Mode::Read => self.set_http_response_header("x-read-request", Some(&self.read.to_string())),
        }
        Action::Continue
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        if self.mode == Mode::Buffered && !end_of_stream {
            return Action::Pause;
        }
        if let Some(replacement) = self.get_http_response_body(0, size).and_then(|body| replace(self.mode, body)) {
            self.set_http_response_body(0, size, &replacement);
        }
        Action::Continue
    }
}

fn replace(mode: Mode, mut body: Vec<u8>) -> Option<Vec<u8>> {
    body.make_ascii_uppercase();
    match mode {
        Mode::Streamed => Some(body),
        Mode::Buffered => {
            let mut replacement = format!("{} bytes: ", body.len()).into_bytes();
            replacement.append(&mut body);
            Some(replacement)
        }
        Mode::Read => None,
    }
}
