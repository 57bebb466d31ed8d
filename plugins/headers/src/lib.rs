//! Reads all headers both ways, and tells the client how many there were, in `x-read-request` and `x-read-response`.

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

proxy_wasm::main! {{
    proxy_wasm::set_http_context(|_, _| Box::new(Stream { request: 0 }));
}}

struct Stream {
    request: usize,
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        self.request = self.get_http_request_headers_bytes().len();
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let response = self.get_http_response_headers_bytes().len();
        self.set_http_response_header("x-read-request", Some(&self.request.to_string()));
        self.set_http_response_header("x-read-response", Some(&response.to_string()));
        Action::Continue
    }
}
