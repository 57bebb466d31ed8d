//! Drives one request and its response through a plugin, without a proxy, sockets or a runtime.
//!
//! `cargo run -p sandgate-host --example embed -- [plugin.wasm [configuration]]`
//!
//! The embedder's part is three small things: a clock ([`Environment`]), a log ([`GuestLog`]), and the stream that
//! plugins look at and change ([`HttpStream`]).

use std::cell::{Ref, RefCell, RefMut};
use std::error::Error;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use sandgate_abi::LogLevel;
use sandgate_attributes::{AttributeSource, Declaration};
use sandgate_host::{
    ContextOutcome, Environment, GuestLog, Host, HttpStream, PluginConfig, StreamMap, VmConfig, WorkerHost,
};
use sandgate_http::{BodyBuffer, Direction, HeaderMap, HeadersStatus, LocalReply};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let bundled = || concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/probe/probe.wasm").to_owned();
    let path = arguments.next().unwrap_or_else(bundled);
    let script = "on request_headers:\n  add_header_map_value(0, \"x-embedded\", \"yes\")\n\
                  on response_body:\n  set_buffer_bytes(1, 0, $size, \"changed by the plugin\\n\")";
    let configuration = arguments.next().unwrap_or_else(|| script.to_owned());

    // Once per process.
    let host = Host::builder(Arc::new(Stderr)).default_engines()?.build();
    let env: Rc<dyn Environment> = Rc::new(Clock(Instant::now()));
    let name = Path::new(&path).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let plugin = host.load(
        Arc::new(PluginConfig {
            name,
            vm: VmConfig { code: std::fs::read(&path)?.into(), ..VmConfig::default() },
            configuration: configuration.into(),
            ..PluginConfig::default()
        }),
        Rc::clone(&env),
    )?;

    // Once per thread.
    let worker = WorkerHost::new(host, env);
    let handle = worker.plugin_handle(&plugin)?;

    // Once per stream.
    let stream = Rc::new(Stream::default());
    stream.set(StreamMap::RequestHeaders, &[(":authority", "example.com"), (":path", "/"), (":method", "GET")]);
    let ContextOutcome::Context(context) = handle.create_context(Rc::clone(&stream) as Rc<dyn HttpStream>) else {
        return Err("the plugin has failed already".into());
    };
    let status = context.on_request_headers(true);
    stream.print(StreamMap::RequestHeaders);
    if status != HeadersStatus::Continue {
        println!("the plugin stopped the request: {status:?}");
    }
    stream.set(StreamMap::ResponseHeaders, &[(":status", "200"), ("content-type", "text/plain")]);
    context.on_response_headers(false);
    stream.print(StreamMap::ResponseHeaders);
    let mut body = BodyBuffer::new();
    body.push(Bytes::from_static(b"hello\n"));
    context.on_response_body(&mut body, true);
    for segment in body.segments() {
        print!("{}", String::from_utf8_lossy(segment));
    }
    context.on_log();
    context.on_destroy();

    worker.shutdown(&[]);
    Ok(())
}

/// A stream that exists in memory only.
#[derive(Default)]
struct Stream {
    maps: [RefCell<Option<HeaderMap>>; 4],
    buffers: [RefCell<BodyBuffer>; 2],
}

struct Clock(Instant);

struct Stderr;

impl Stream {
    fn cell(&self, map: StreamMap) -> &RefCell<Option<HeaderMap>> {
        let [request, request_trailers, response, response_trailers] = &self.maps;
        match map {
            StreamMap::RequestHeaders => request,
            StreamMap::RequestTrailers => request_trailers,
            StreamMap::ResponseHeaders => response,
            StreamMap::ResponseTrailers => response_trailers,
        }
    }

    fn buffer(&self, direction: Direction) -> &RefCell<BodyBuffer> {
        let [request, response] = &self.buffers;
        match direction {
            Direction::Request => request,
            Direction::Response => response,
        }
    }

    fn set(&self, map: StreamMap, headers: &[(&str, &str)]) {
        let mut all = HeaderMap::new();
        for (name, value) in headers {
            all.append(name.as_bytes(), value.as_bytes());
        }
        *self.cell(map).borrow_mut() = Some(all);
    }

    fn print(&self, map: StreamMap) {
        for (name, value) in self.cell(map).borrow().iter().flat_map(HeaderMap::iter) {
            println!("{}: {}", String::from_utf8_lossy(name), String::from_utf8_lossy(value));
        }
        println!();
    }
}

impl HttpStream for Stream {
    fn map(&self, map: StreamMap) -> Option<Ref<'_, HeaderMap>> {
        Ref::filter_map(self.cell(map).borrow(), Option::as_ref).ok()
    }

    fn map_mut(&self, map: StreamMap) -> Option<RefMut<'_, HeaderMap>> {
        RefMut::filter_map(self.cell(map).borrow_mut(), Option::as_mut).ok()
    }

    fn add_trailers(&self, _: Direction) -> bool {
        false
    }

    fn buffer_body(&self, direction: Direction, data: &mut BodyBuffer) -> bool {
        self.buffer(direction).borrow_mut().append(data);
        true
    }

    fn buffered_body(&self, direction: Direction) -> Option<RefMut<'_, BodyBuffer>> {
        Some(self.buffer(direction).borrow_mut())
    }

    // A real embedder notes these down and does them once the callback has returned.

    fn resume(&self, direction: Direction) {
        println!("the plugin lets the {direction:?} go on");
    }

    fn close(&self, details: &str) {
        println!("the plugin resets the stream: {details}");
    }

    fn send_local_reply(&self, reply: LocalReply) {
        println!("the plugin answers {}: {}", reply.status, String::from_utf8_lossy(&reply.body));
    }

    fn clear_route_cache(&self) {}

    fn set_property(&self, _: &[u8], _: Bytes, _: &Declaration) -> bool {
        true
    }
}

impl AttributeSource for Stream {
    fn request_headers(&self) -> Option<Ref<'_, HeaderMap>> {
        self.map(StreamMap::RequestHeaders)
    }

    fn response_headers(&self) -> Option<Ref<'_, HeaderMap>> {
        self.map(StreamMap::ResponseHeaders)
    }
}

impl Environment for Clock {
    fn realtime_ns(&self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
    }

    fn monotonic_ns(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn timers_changed(&self) {}
}

impl GuestLog for Stderr {
    fn level(&self) -> u32 {
        LogLevel::Info as u32
    }

    fn write(&self, level: LogLevel, line: &[u8]) {
        eprintln!("[{level:?}] {}", String::from_utf8_lossy(line));
    }
}
