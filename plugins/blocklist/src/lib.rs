//! Answers 403 to paths that begin as a line of a list does. A service (`root_id: fetcher`) fetches the list again and again, and shares it
//! with the filters of all workers.
//!
//! The service is configured with the cluster that serves the list, its path, and the milliseconds between two fetches: `lists /blocked 1000`.

use std::time::Duration;

use log::warn;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};

/// What the list is called in the shared data of the VM's id.
const KEY: &str = "blocklist";
/// How long the server of the list may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(Root { source: None }));
}}

/// The root context of the service, or of the filter, which has no source.
struct Root {
    source: Option<Source>,
}

struct Source {
    cluster: String,
    path: String,
}

struct Stream;

impl Root {
    fn fetch(&self) {
        let Some(Source { cluster, path }) = &self.source else { return };
        let headers = vec![(":method", "GET"), (":path", path.as_str()), (":authority", cluster.as_str())];
        if let Err(status) = self.dispatch_http_call(cluster, headers, None, vec![], PATIENCE) {
            warn!("the list cannot be asked for: {status:?}");
        }
    }
}

impl Context for Root {
    fn on_http_call_response(&mut self, _token: u32, _headers: usize, body_size: usize, _trailers: usize) {
        if self.get_http_call_response_header(":status").as_deref() != Some("200") {
            warn!("there is no list; the last one stays");
            return;
        }
        let list = self.get_http_call_response_body(0, body_size).unwrap_or_default();
        if let Err(status) = self.set_shared_data(KEY, Some(&list), None) {
            warn!("the list cannot be shared: {status:?}");
        }
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        if self.get_property(vec!["plugin_root_id"]).as_deref() != Some(b"fetcher") {
            return true;
        }
        let text = String::from_utf8(self.get_plugin_configuration().unwrap_or_default()).unwrap_or_default();
        let words: Vec<_> = text.split_whitespace().collect();
        let [cluster, path, period] = words[..] else { return false };
        let Ok(period) = period.parse() else { return false };
        self.source = Some(Source { cluster: cluster.to_owned(), path: path.to_owned() });
        self.set_tick_period(Duration::from_millis(period));
        self.fetch();
        true
    }

    fn on_tick(&mut self) {
        self.fetch();
    }

    fn create_http_context(&self, _context: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let (list, _) = self.get_shared_data(KEY);
        let path = self.get_http_request_header_bytes(":path").unwrap_or_default();
        let list = list.unwrap_or_default();
        let mut lines = list.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        if lines.any(|line| !line.is_empty() && path.starts_with(line)) {
            self.send_http_response(403, vec![("x-plugin", "blocklist")], Some(b"Blocked.\n"));
            return Action::Pause;
        }
        Action::Continue
    }
}
