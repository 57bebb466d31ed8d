//! Logs the path of every request and adds `x-greeting: <configuration>` to every response.

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Trace);
    proxy_wasm::set_root_context(|_| Box::new(Root { greeting: Rc::from("hello") }));
}}

struct Root {
    greeting: Rc<str>,
}

struct Stream {
    greeting: Rc<str>,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        if let Some(configuration) = self.get_plugin_configuration() {
            match String::from_utf8(configuration) {
                Ok(text) => self.greeting = Rc::from(text.trim()),
                Err(_) => {
                    log::error!("the configuration is not UTF-8");
                    return false;
                }
            }
        }
        true
    }

    fn create_http_context(&self, _context: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream { greeting: Rc::clone(&self.greeting) }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        if let Some(path) = self.get_http_request_header(":path") {
            log::info!("{}, {path}", self.greeting);
        }
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        self.add_http_response_header("x-greeting", &self.greeting);
        Action::Continue
    }
}
