//! A host that writes down what it is asked and answers what the test wants.

use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::rc::Rc;

use bytes::Bytes;
use sandgate_abi::{BufferType, LogLevel, MapType, MetricType, Status, StreamType};
use sandgate_vm::{Grown, HostCalls, LocalResponse, OutgoingGrpc, OutgoingHttp, Output, Stdio};

/// What operations with a numeric result answer.
pub(crate) const NUMBER: u32 = 0x0102_0304;
/// What operations with a 64-bit result answer.
pub(crate) const LARGE: u64 = 0x0102_0304_0506_0708;

/// Clones share what they record.
#[derive(Clone, Default)]
pub(crate) struct Recorder(Rc<Inner>);

#[derive(Default)]
pub(crate) struct Inner {
    /// Operations with arguments, but log lines only above debug.
    pub(crate) calls: RefCell<Vec<String>>,
    /// Log lines of level debug, with which guests report.
    pub(crate) reports: RefCell<Vec<Vec<u8>>>,
    /// What operations with a value answer, in chunks.
    pub(crate) value: RefCell<Vec<&'static [u8]>>,
    /// What operations fail with.
    pub(crate) failure: Cell<Option<Status>>,
    /// What `random_get` fills in, from the beginning each time.
    pub(crate) random: RefCell<Vec<u8>>,
    pub(crate) environment: RefCell<Vec<(&'static str, &'static str)>>,
}

impl std::ops::Deref for Recorder {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Recorder {
    /// What was called since the last time.
    pub(crate) fn take_calls(&self) -> Vec<String> {
        self.calls.take()
    }

    /// What the guest reported since the last time.
    pub(crate) fn take_reports(&self) -> Vec<Vec<u8>> {
        self.reports.take()
    }

    fn call<T>(&self, name: &str, arguments: &[&dyn Show], result: T) -> Result<T, Status> {
        let shown: Vec<_> = arguments.iter().map(|argument| argument.show()).collect();
        self.calls.borrow_mut().push(format!("{name}({})", shown.join(", ")));
        self.failure.get().map_or(Ok(result), Err)
    }

    /// The first chunk is copied, the others are shared.
    fn value<T>(&self, name: &str, arguments: &[&dyn Show], out: &mut Output, result: T) -> Result<T, Status> {
        for (index, chunk) in self.value.borrow().iter().enumerate() {
            match index {
                0 => out.extend(chunk),
                _ => out.push_segment(Bytes::from_static(chunk)),
            }
        }
        self.call(name, arguments, result)
    }
}

/// Bytes as text, enums by name, numbers as numbers.
trait Show {
    fn show(&self) -> String;
}

impl Show for &[u8] {
    fn show(&self) -> String {
        self.escape_ascii().to_string()
    }
}

macro_rules! show_debug {
    ($($ty:ty),+) => { $(impl Show for $ty { fn show(&self) -> String { format!("{self:?}") } })+ };
}
show_debug!(u32, i64, u64, bool, LogLevel, BufferType, MapType, MetricType, StreamType, Stdio);

impl Show for OutgoingGrpc<'_> {
    fn show(&self) -> String {
        let mut text = String::new();
        for part in [self.service, self.service_name, self.method, self.initial_metadata, self.message] {
            write!(text, "{}, ", part.show()).unwrap();
        }
        text + &self.timeout_ms.show()
    }
}

impl HostCalls for Recorder {
    fn log(&self, level: LogLevel, message: &[u8]) -> Result<(), Status> {
        if level == LogLevel::Debug {
            self.reports.borrow_mut().push(message.to_vec());
            return Ok(());
        }
        self.call("log", &[&level, &message], ())
    }
    fn get_log_level(&self) -> Result<u32, Status> {
        self.call("get_log_level", &[], NUMBER)
    }
    fn get_current_time_nanoseconds(&self) -> u64 {
        self.call("get_current_time_nanoseconds", &[], LARGE).unwrap_or(0)
    }
    fn set_tick_period_milliseconds(&self, period: u32) -> Result<(), Status> {
        self.call("set_tick_period_milliseconds", &[&period], ())
    }
    fn get_configuration(&self, out: &mut Output) -> Result<(), Status> {
        self.value("get_configuration", &[], out, ())
    }
    fn get_buffer_bytes(&self, buffer: BufferType, start: u32, max_size: u32, out: &mut Output) -> Result<(), Status> {
        self.value("get_buffer_bytes", &[&buffer, &start, &max_size], out, ())
    }
    fn get_buffer_status(&self, buffer: BufferType) -> Result<(u32, u32), Status> {
        self.call("get_buffer_status", &[&buffer], (NUMBER, 1))
    }
    fn set_buffer_bytes(&self, buffer: BufferType, start: u32, size: u32, value: &[u8]) -> Result<(), Status> {
        self.call("set_buffer_bytes", &[&buffer, &start, &size, &value], ())
    }
    fn get_header_map_size(&self, map: MapType) -> Result<u32, Status> {
        self.call("get_header_map_size", &[&map], NUMBER)
    }
    fn get_header_map_pairs(&self, map: MapType, out: &mut Output) -> Result<(), Status> {
        self.value("get_header_map_pairs", &[&map], out, ())
    }
    fn set_header_map_pairs(&self, map: MapType, pairs: &[u8]) -> Result<(), Status> {
        self.call("set_header_map_pairs", &[&map, &pairs], ())
    }
    fn get_header_map_value(&self, map: MapType, key: &[u8], out: &mut Output) -> Result<(), Status> {
        self.value("get_header_map_value", &[&map, &key], out, ())
    }
    fn add_header_map_value(&self, map: MapType, key: &[u8], value: &[u8]) -> Result<(), Status> {
        self.call("add_header_map_value", &[&map, &key, &value], ())
    }
    fn replace_header_map_value(&self, map: MapType, key: &[u8], value: &[u8]) -> Result<(), Status> {
        self.call("replace_header_map_value", &[&map, &key, &value], ())
    }
    fn remove_header_map_value(&self, map: MapType, key: &[u8]) -> Result<(), Status> {
        self.call("remove_header_map_value", &[&map, &key], ())
    }
    fn get_property(&self, path: &[u8], out: &mut Output) -> Result<(), Status> {
        self.value("get_property", &[&path], out, ())
    }
    fn set_property(&self, path: &[u8], value: &[u8]) -> Result<(), Status> {
        self.call("set_property", &[&path, &value], ())
    }
    fn continue_stream(&self, stream: StreamType) -> Result<(), Status> {
        self.call("continue_stream", &[&stream], ())
    }
    fn close_stream(&self, stream: StreamType) -> Result<(), Status> {
        self.call("close_stream", &[&stream], ())
    }
    fn send_local_response(&self, r: LocalResponse<'_>) -> Result<(), Status> {
        let arguments: [&dyn Show; 5] = [&r.status_code, &r.details, &r.body, &r.headers, &r.grpc_status];
        self.call("send_local_response", &arguments, ())
    }
    fn clear_route_cache(&self) -> Result<(), Status> {
        self.call("clear_route_cache", &[], ())
    }
    fn http_call(&self, c: OutgoingHttp<'_>) -> Result<u32, Status> {
        self.call("http_call", &[&c.upstream, &c.headers, &c.body, &c.trailers, &c.timeout_ms], NUMBER)
    }
    fn grpc_call(&self, call: OutgoingGrpc<'_>) -> Result<u32, Status> {
        self.call("grpc_call", &[&call], NUMBER)
    }
    fn grpc_stream(&self, call: OutgoingGrpc<'_>) -> Result<u32, Status> {
        self.call("grpc_stream", &[&call], NUMBER)
    }
    fn grpc_send(&self, token: u32, message: &[u8], end_stream: bool) -> Result<(), Status> {
        self.call("grpc_send", &[&token, &message, &end_stream], ())
    }
    fn grpc_cancel(&self, token: u32) -> Result<(), Status> {
        self.call("grpc_cancel", &[&token], ())
    }
    fn grpc_close(&self, token: u32) -> Result<(), Status> {
        self.call("grpc_close", &[&token], ())
    }
    fn get_status(&self, out: &mut Output) -> Result<u32, Status> {
        self.value("get_status", &[], out, NUMBER)
    }
    fn get_shared_data(&self, key: &[u8], out: &mut Output) -> Result<u32, Status> {
        self.value("get_shared_data", &[&key], out, NUMBER)
    }
    fn set_shared_data(&self, key: &[u8], value: &[u8], cas: u32) -> Result<(), Status> {
        self.call("set_shared_data", &[&key, &value, &cas], ())
    }
    fn register_shared_queue(&self, name: &[u8]) -> Result<u32, Status> {
        self.call("register_shared_queue", &[&name], NUMBER)
    }
    fn resolve_shared_queue(&self, vm_id: &[u8], name: &[u8]) -> Result<u32, Status> {
        self.call("resolve_shared_queue", &[&vm_id, &name], NUMBER)
    }
    fn enqueue_shared_queue(&self, queue: u32, value: &[u8]) -> Result<(), Status> {
        self.call("enqueue_shared_queue", &[&queue, &value], ())
    }
    fn dequeue_shared_queue(&self, queue: u32, out: &mut Output) -> Result<(), Status> {
        self.value("dequeue_shared_queue", &[&queue], out, ())
    }
    fn define_metric(&self, kind: MetricType, name: &[u8]) -> Result<u32, Status> {
        self.call("define_metric", &[&kind, &name], NUMBER)
    }
    fn increment_metric(&self, metric: u32, delta: i64) -> Result<(), Status> {
        self.call("increment_metric", &[&metric, &delta], ())
    }
    fn record_metric(&self, metric: u32, value: u64) -> Result<(), Status> {
        self.call("record_metric", &[&metric, &value], ())
    }
    fn get_metric(&self, metric: u32) -> Result<u64, Status> {
        self.call("get_metric", &[&metric], LARGE)
    }
    fn set_effective_context(&self, context: u32) -> Result<(), Status> {
        self.call("set_effective_context", &[&context], ())
    }
    fn done(&self) -> Result<(), Status> {
        self.call("done", &[], ())
    }
    fn call_foreign_function(&self, name: &[u8], arguments: &[u8], out: &mut Output) -> Result<(), Status> {
        self.value("call_foreign_function", &[&name, &arguments], out, ())
    }
    fn resolve_dns(&self, address: &[u8]) -> Result<u32, Status> {
        self.call("resolve_dns", &[&address], NUMBER)
    }

    fn write_stdio(&self, stream: Stdio, bytes: &[u8]) {
        let _ = self.call("write_stdio", &[&stream, &bytes], ());
    }
    fn for_each_environment_variable(&self, each: &mut dyn FnMut(&str, &str)) {
        for (name, value) in self.environment.borrow().iter() {
            each(name, value);
        }
    }
    fn realtime_ns(&self) -> u64 {
        LARGE
    }
    fn monotonic_ns(&self) -> u64 {
        LARGE + 1
    }
    fn restricted_call(&self, capability: &'static str) {
        self.calls.borrow_mut().push(format!("restricted {capability}"));
    }
    fn refused_to_grow(&self, what: Grown) {
        self.calls.borrow_mut().push(format!("refused {what:?}"));
    }
    fn random(&self, bytes: &mut [u8]) -> bool {
        let random = self.random.borrow();
        if random.is_empty() {
            return false;
        }
        for (byte, value) in bytes.iter_mut().zip(random.iter().cycle()) {
            *byte = *value;
        }
        true
    }
}
