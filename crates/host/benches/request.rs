//! What a plugin costs a request inside the host: context, callbacks, hostcalls; no proxy around it.
//!
//! `cargo bench -p sandgate-host`. Prints nanoseconds per request (request headers, response headers, log, done,
//! delete), the best of several rounds, without the cost of the stream that is changed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a benchmark may stop at the first surprise")]

use std::cell::{Ref, RefCell, RefMut};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use sandgate_abi::{Callback, CallbackKind, CallbackSet, LogLevel, MapType};
use sandgate_attributes::{AttributeSource, Declaration};
use sandgate_host::{
    ContextOutcome, Environment, GuestLog, Host, HostCalls, HttpStream, Isolation, NativeEngine, PluginConfig,
    PluginHandle, StreamMap, WasmtimeEngine, WorkerHost,
};
use sandgate_http::{BodyBuffer, Direction, HeaderMap, LocalReply};

const REQUESTS: u32 = 20_000;
const ROUNDS: usize = 15;

fn main() {
    let native = |host: &dyn HostCalls, callback: Callback| {
        let map = match callback {
            Callback::RequestHeaders { .. } => MapType::HttpRequestHeaders,
            Callback::ResponseHeaders { .. } => MapType::HttpResponseHeaders,
            _ => return Some(1),
        };
        host.add_header_map_value(map, b"x-plugin", b"native").unwrap();
        Some(0)
    };
    let mut callbacks = CallbackSet::default();
    [CallbackKind::ContextCreate, CallbackKind::RequestHeaders, CallbackKind::ResponseHeaders]
        .into_iter()
        .for_each(|kind| callbacks.insert(kind));
    let engine = NativeEngine::new().with_plugin("header", callbacks, move || native);
    let host = Host::builder(Arc::new(Silent))
        .engine(Arc::new(WasmtimeEngine::new().unwrap()))
        .engine(Arc::new(engine))
        .build();
    let env: Rc<dyn Environment> = Rc::new(Clock(Instant::now()));
    let worker = WorkerHost::new(Arc::clone(&host), Rc::clone(&env));

    let nothing = measure(None);
    println!("{:>24} {nothing:>6.0} ns (taken off below)", "stream alone");
    let guests = [
        ("native, one header each", NativeEngine::NAME, "header".as_bytes().to_vec(), Isolation::Vm),
        ("C, no callbacks", "", file("no-callbacks/no-callbacks.wasm"), Isolation::Vm),
        ("C, all callbacks", "", file("c-noop/c-noop.wasm"), Isolation::Vm),
        ("C, one header each", "", file("c-header/c-header.wasm"), Isolation::Vm),
        ("Rust, one header each", "", file("header/header.wasm"), Isolation::Vm),
        ("C, isolated", "", file("c-header/c-header.wasm"), Isolation::Stream),
        ("Rust, isolated", "", file("header/header.wasm"), Isolation::Stream),
        ("C, leaks 1 MiB, isolated", "", file("leak/leak.wasm"), Isolation::Stream),
    ];
    for (name, runtime, code, isolation) in guests {
        let mut config = PluginConfig::default();
        config.vm.isolation = isolation;
        config.vm.runtime = runtime.to_owned();
        config.vm.code = code.into();
        let plugin = host.load(Arc::new(config), Rc::clone(&env)).unwrap_or_else(|error| panic!("{error}"));
        let handle = worker.plugin_handle(&plugin).unwrap();
        println!("{name:>24} {:>6.0} ns", measure(Some(&handle)) - nothing);
    }
}

fn file(path: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../../plugins/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap_or_default()
}

fn measure(handle: Option<&Rc<PluginHandle>>) -> f64 {
    let stream = Rc::new(Stream::default());
    let mut rounds: Vec<_> = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            for _ in 0..REQUESTS {
                stream.renew();
                let Some(handle) = handle else { continue };
                let ContextOutcome::Context(context) = handle.create_context(Rc::clone(&stream) as Rc<dyn HttpStream>)
                else {
                    panic!("the plugin has failed")
                };
                context.on_request_headers(true);
                context.on_response_headers(true);
                context.on_log();
                context.on_destroy();
            }
            begun.elapsed().as_nanos() as f64 / f64::from(REQUESTS)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[0]
}

#[derive(Default)]
struct Stream {
    request: RefCell<HeaderMap>,
    response: RefCell<HeaderMap>,
    body: RefCell<BodyBuffer>,
}

struct Clock(Instant);

struct Silent;

impl Stream {
    fn renew(&self) {
        let mut request = self.request.borrow_mut();
        request.clear();
        for (name, value) in [
            (":authority", "example.com"),
            (":path", "/index.html"),
            (":method", "GET"),
            (":scheme", "http"),
            ("user-agent", "wrk/4.2"),
            ("x-forwarded-proto", "http"),
            ("x-request-id", "017bf644-1d31-446d-93a7-ecf4b8dc9694"),
        ] {
            request.append(name.as_bytes(), value.as_bytes());
        }
        let mut response = self.response.borrow_mut();
        response.clear();
        for (name, value) in [(":status", "200"), ("content-length", "2"), ("date", "now"), ("server", "nginx")] {
            response.append(name.as_bytes(), value.as_bytes());
        }
    }

    fn cell(&self, map: StreamMap) -> Option<&RefCell<HeaderMap>> {
        match map {
            StreamMap::RequestHeaders => Some(&self.request),
            StreamMap::ResponseHeaders => Some(&self.response),
            StreamMap::RequestTrailers | StreamMap::ResponseTrailers => None,
        }
    }
}

impl HttpStream for Stream {
    fn map(&self, map: StreamMap) -> Option<Ref<'_, HeaderMap>> {
        self.cell(map).map(RefCell::borrow)
    }
    fn map_mut(&self, map: StreamMap) -> Option<RefMut<'_, HeaderMap>> {
        self.cell(map).map(RefCell::borrow_mut)
    }
    fn add_trailers(&self, _: Direction) -> bool {
        false
    }
    fn buffer_body(&self, _: Direction, _: &mut BodyBuffer) -> bool {
        false
    }
    fn buffered_body(&self, _: Direction) -> Option<RefMut<'_, BodyBuffer>> {
        Some(self.body.borrow_mut())
    }
    fn resume(&self, _: Direction) {}
    fn close(&self, _: &str) {}
    fn send_local_reply(&self, reply: LocalReply) {
        panic!("{reply:?}");
    }
    fn clear_route_cache(&self) {}
    fn set_property(&self, _: &[u8], _: Bytes, _: &Declaration) -> bool {
        false
    }
}

impl AttributeSource for Stream {}

impl Environment for Clock {
    fn realtime_ns(&self) -> u64 {
        self.monotonic_ns()
    }
    fn monotonic_ns(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
    fn timers_changed(&self) {}
}

impl GuestLog for Silent {
    fn level(&self) -> u32 {
        LogLevel::Error as u32
    }
    fn write(&self, level: LogLevel, line: &[u8]) {
        eprintln!("{level:?} {}", String::from_utf8_lossy(line));
    }
}
