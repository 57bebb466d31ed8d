//! A plugin that panics if the request has `x-blow`, and otherwise says in `x-fuse` how many requests it has seen.

use std::cell::Cell;
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(Root::default()));
}}

/// What a VM knows belongs into its root context: statics are the whole process's, with all its VMs.
#[derive(Default)]
struct Root {
    requests: Rc<Cell<u32>>,
}

struct Stream {
    requests: Rc<Cell<u32>>,
}

impl Context for Root {}

impl RootContext for Root {
    fn create_http_context(&self, _context: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream { requests: Rc::clone(&self.requests) }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        self.requests.set(self.requests.get() + 1);
        assert!(self.get_http_request_header("x-blow").is_none(), "the fuse has blown");
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        self.add_http_response_header("x-fuse", &self.requests.get().to_string());
        Action::Continue
    }
}
