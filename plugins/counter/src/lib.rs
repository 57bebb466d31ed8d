//! Counts: the counter `guest_requests`, the gauge `guest_active` of streams in flight, and the histogram
//! `guest_request_bytes` of request body sizes.

use proxy_wasm::hostcalls::{define_metric, increment_metric, record_metric};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, MetricType, Status};

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(Root { metrics: None }));
}}

#[derive(Clone, Copy)]
struct Metrics {
    requests: u32,
    active: u32,
    bytes: u32,
}

impl Metrics {
    fn define() -> Result<Self, Status> {
        Ok(Self {
            requests: define_metric(MetricType::Counter, "guest_requests")?,
            active: define_metric(MetricType::Gauge, "guest_active")?,
            bytes: define_metric(MetricType::Histogram, "guest_request_bytes")?,
        })
    }
}

struct Root {
    metrics: Option<Metrics>,
}

struct Stream {
    metrics: Metrics,
    bytes: u64,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        self.metrics = Metrics::define().ok();
        self.metrics.is_some()
    }

    fn create_http_context(&self, _context: u32) -> Option<Box<dyn HttpContext>> {
        let metrics = self.metrics?;
        Some(Box::new(Stream { metrics, bytes: 0 }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

impl Context for Stream {}

// A metric that the host refuses to change is no reason to fail the request.
impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let _ = increment_metric(self.metrics.requests, 1);
        let _ = increment_metric(self.metrics.active, 1);
        Action::Continue
    }

    fn on_http_request_body(&mut self, size: usize, _end_of_stream: bool) -> Action {
        self.bytes += size as u64;
        Action::Continue
    }

    fn on_log(&mut self) {
        let _ = record_metric(self.metrics.bytes, self.bytes);
        let _ = increment_metric(self.metrics.active, -1);
    }
}
