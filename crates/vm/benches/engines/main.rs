//! What each engine that is built costs: calls in both directions, guest code, start and memory.
//!
//! `cargo bench -p sandgate -p sandgate-vm --features sandgate-vm/v8,sandgate-vm/wamr --bench engines`. Prints a row for each engine: nanoseconds for calls, the best of several rounds.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a benchmark may stop at the first surprise")]

mod host;

use std::time::{Duration, Instant};

use sandgate_abi::{Callback, CallbackKind, CallbackSet, Capabilities, LogLevel, MapType};
use sandgate_vm::{Engine, HostCalls, Limits, Module, NativeEngine, NativePlugin, Output, PluginVm, WasmtimeEngine};

use host::Answering;

const CALLS: u32 = 10_000;
const ROUNDS: usize = 20;
const INSTANCES: usize = 100;

/// Each callback does one thing as often as its context's number says.
const GUEST: &str = r#"(module
    (import "env" "proxy_set_tick_period_milliseconds" (func $tick (param i32) (result i32)))
    (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
    (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 2)
    (data (i32.const 64) "a line of thirty-two characters:")
    (data (i32.const 128) "x-header")
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 4096))
    (func (export "proxy_on_tick") (param i32))
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 0))
    (func (export "proxy_on_done") (param $n i32) (result i32)
        (loop $again (drop (call $tick (i32.const 5)))
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (i32.const 1))
    (func (export "proxy_on_log") (param $n i32)
        (loop $again (drop (call $log (i32.const 2) (i32.const 64) (i32.const 32)))
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
    (func (export "proxy_on_delete") (param $n i32)
        (loop $again
            (drop (call $get (i32.const 0) (i32.const 128) (i32.const 8) (i32.const 256) (i32.const 260)))
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
    (func (export "proxy_on_new_connection") (param $n i32) (result i32) (local $at i32) (local $hash i32)
        (loop $again
            (local.set $at (i32.const 1024))
            (local.set $hash (i32.const 0x811c9dc5))
            (loop $bytes
                (local.set $hash (i32.mul (i32.const 16777619)
                    (i32.xor (local.get $hash) (i32.load8_u offset=1023 (local.get $at)))))
                (br_if $bytes (local.tee $at (i32.sub (local.get $at) (i32.const 1)))))
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (i32.store (i32.const 512) (local.get $hash))
        (i32.const 0)))"#;

/// The same as a native plugin.
struct Native;

fn main() {
    let callbacks: CallbackSet = CallbackKind::ALL.iter().copied().collect();
    let native = NativeEngine::new().with_plugin("bench", callbacks, || Native);
    let engines: Vec<Box<dyn Engine<Answering>>> = vec![
        Box::new(WasmtimeEngine::new().unwrap()),
        #[cfg(feature = "v8")]
        Box::new(sandgate_vm::V8Engine::new().unwrap()),
        #[cfg(feature = "wamr")]
        Box::new(sandgate_vm::WamrEngine::new().unwrap()),
        Box::new(native),
    ];
    println!(
        "{:<28}{:>9}{:>9}{:>9}{:>9}{:>9}{:>10}{:>12}{:>12}{:>12}",
        "", "call", "3 words", "hostcall", "log", "get", "1 KiB FNV", "compile ms", "instance us", "KiB each"
    );
    for engine in engines {
        println!("{:<28}{}", engine.name(), row(&*engine));
    }
}

fn row(engine: &dyn Engine<Answering>) -> String {
    let is_native = engine.name() == NativeEngine::NAME;
    let code = if is_native { b"bench".to_vec() } else { wat::parse_str(GUEST).unwrap() };
    let module = engine.compile(&code).unwrap();
    let mut vm = instance(&*module);
    let single = |vm: &mut dyn PluginVm<Answering>, callback: Callback| {
        best(|| (0..CALLS).for_each(|_| assert!(vm.call(callback).is_ok())))
    };
    let calls = [
        single(&mut *vm, Callback::Tick { root: 1 }),
        single(&mut *vm, Callback::RequestHeaders { context: 2, count: 5, end_of_stream: true }),
        best(|| assert!(vm.call(Callback::Done { context: CALLS }).is_ok())),
        best(|| assert!(vm.call(Callback::Log { context: CALLS }).is_ok())),
        best(|| assert!(vm.call(Callback::Delete { context: CALLS }).is_ok())),
        best(|| assert!(vm.call(Callback::NewConnection { context: CALLS }).is_ok())),
    ];
    let [call, words, hostcall, log, get, fnv] = calls.map(|time| time.as_secs_f64() * 1e9 / f64::from(CALLS));
    // A Rust plugin with the SDK, of 100 KiB or so.
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/header/header.wasm");
    let code = if is_native { code } else { std::fs::read(path).unwrap() };
    let begun = Instant::now();
    let module = engine.compile(&code).unwrap();
    let compile = begun.elapsed().as_secs_f64() * 1e3;
    drop(instance(&*module));
    let before = resident();
    let begun = Instant::now();
    let instances: Vec<_> = (0..INSTANCES).map(|_| instance(&*module)).collect();
    let each = begun.elapsed().as_secs_f64() * 1e6 / INSTANCES as f64;
    let kib = resident().saturating_sub(before) / 1024 / INSTANCES;
    drop(instances);
    format!("{call:>9.1}{words:>9.1}{hostcall:>9.1}{log:>9.1}{get:>9.1}{fnv:>10.0}{compile:>12.1}{each:>12.1}{kib:>12}")
}

/// An instance whose start functions have run.
fn instance(module: &dyn Module<Answering>) -> Box<dyn PluginVm<Answering>> {
    let limits = Limits { callback_cpu: Duration::from_secs(60), ..Limits::default() };
    let mut vm = module.instantiate(Answering, &limits, &Capabilities::ALL).unwrap();
    vm.start().unwrap();
    vm
}

fn best(mut run: impl FnMut()) -> Duration {
    let time = |_| {
        let begun = Instant::now();
        run();
        begun.elapsed()
    };
    (0..ROUNDS).map(time).min().unwrap_or_default()
}

/// Bytes of this process in memory.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() << 12
}

impl NativePlugin for Native {
    fn start(&mut self, _: &dyn HostCalls) {}

    fn call(&mut self, host: &dyn HostCalls, callback: Callback) -> Option<u32> {
        let line = b"a line of thirty-two characters:";
        match callback {
            Callback::Done { context } => {
                (0..context).for_each(|_| assert!(host.set_tick_period_milliseconds(5).is_ok()));
            }
            Callback::Log { context } => (0..context).for_each(|_| assert!(host.log(LogLevel::Info, line).is_ok())),
            Callback::Delete { context } => {
                let mut out = Output::default();
                for _ in 0..context {
                    out.clear();
                    assert!(host.get_header_map_value(MapType::HttpRequestHeaders, b"x-header", &mut out).is_ok());
                }
            }
            Callback::NewConnection { context } => {
                let bytes = std::hint::black_box([0_u8; 1024]);
                for _ in 0..context {
                    let add = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(16_777_619);
                    std::hint::black_box(std::hint::black_box(&bytes).iter().fold(0x811c_9dc5, add));
                }
            }
            _ => {}
        }
        Some(0)
    }
}
