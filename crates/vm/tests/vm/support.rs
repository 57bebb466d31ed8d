//! Engines to test, and modules to test them with.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sandgate_abi::{Callback, Capabilities};
use sandgate_vm::{Engine, Limits, LoadError, Module, PluginVm, WasmtimeEngine};

use crate::recorder::Recorder;

/// No restriction.
pub(crate) static ALL: Capabilities = Capabilities::ALL;

/// Runs a test on every engine that runs Wasm. A failure says on which.
pub(crate) fn for_each_engine(test: impl Fn(&dyn Engine<Recorder>)) {
    static ENGINES: OnceLock<Vec<Box<dyn Engine<Recorder>>>> = OnceLock::new();
    let engines = ENGINES.get_or_init(|| {
        vec![
            Box::new(WasmtimeEngine::new().unwrap()),
            #[cfg(feature = "v8")]
            Box::new(sandgate_vm::V8Engine::new().unwrap()),
            #[cfg(feature = "wamr")]
            Box::new(sandgate_vm::WamrEngine::new().unwrap()),
        ]
    });
    for engine in engines {
        let _named = Named(engine.name());
        test(&**engine);
    }
}

/// Whether an engine knows where a guest was. WAMR does not, in Envoy either.
pub(crate) fn has_backtraces(engine: &dyn Engine<Recorder>) -> bool {
    engine.name() != "envoy.wasm.runtime.wamr"
}

/// Names the engine of a test that fails.
struct Named(&'static str);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("on {}", self.0);
        }
    }
}

/// A module with a marker, a memory of one page, and a bump allocator that fails on 0 bytes, around `items`.
///
/// Imports come first in a module, so they are a parameter of their own.
pub(crate) fn module(imports: &str, items: &str) -> String {
    format!(
        r#"(module
            {imports}
            (memory (export "memory") 1)
            (global $next (mut i32) (i32.const 32768))
            (func (export "proxy_abi_version_0_2_1"))
            (func $allocate (export "proxy_on_memory_allocate") (param $size i32) (result i32)
                (if (i32.eqz (local.get $size)) (then unreachable))
                (global.get $next)
                (global.set $next (i32.add (global.get $next) (local.get $size))))
            {items})"#
    )
}

pub(crate) const IMPORT_LOG: &str = r#"(import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))"#;

/// `proxy_on_tick` with this body.
pub(crate) fn on_tick(body: &str) -> String {
    format!(r#"(func (export "proxy_on_tick") (param $root i32) {body})"#)
}

pub(crate) fn compile(engine: &dyn Engine<Recorder>, text: &str) -> Result<Arc<dyn Module<Recorder>>, LoadError> {
    let code = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    engine.compile(&code)
}

/// An instance with limits that no test reaches by accident; its start functions have not run.
pub(crate) fn instantiate(engine: &dyn Engine<Recorder>, text: &str) -> (Box<dyn PluginVm<Recorder>>, Recorder) {
    instantiate_with(engine, text, &limits())
}

pub(crate) fn instantiate_with(
    engine: &dyn Engine<Recorder>,
    text: &str,
    limits: &Limits,
) -> (Box<dyn PluginVm<Recorder>>, Recorder) {
    let host = Recorder::default();
    let module = compile(engine, text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let vm = module.instantiate(host.clone(), limits, &ALL).unwrap_or_else(|error| panic!("{error}\n{text}"));
    (vm, host)
}

pub(crate) fn limits() -> Limits {
    Limits { callback_cpu: Duration::from_secs(60), start_cpu: Duration::from_secs(60), ..Limits::default() }
}

pub(crate) const TICK: Callback = Callback::Tick { root: 1 };
pub(crate) const DONE: Callback = Callback::Done { context: 2 };
