//! Answers 403 unless the request carries `x-token` with the value that the configuration names.
//! Refuses an empty configuration.

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType};

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(Root { token: Rc::from([]) }));
}}

struct Root {
    token: Rc<[u8]>,
}

struct Stream {
    token: Rc<[u8]>,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        self.token = Rc::from(self.get_plugin_configuration().unwrap_or_default());
        !self.token.is_empty()
    }

    fn create_http_context(&self, _context: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream { token: Rc::clone(&self.token) }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        if self.get_http_request_header_bytes("x-token").as_deref() == Some(&*self.token) {
            return Action::Continue;
        }
        self.send_http_response(403, vec![("x-plugin", "auth")], Some(b"Access forbidden.\n"));
        Action::Pause
    }
}
