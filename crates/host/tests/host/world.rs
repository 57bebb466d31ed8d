//! A host with one worker, a clock that stands still, and a log that is kept.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::Waker;

use bytes::Bytes;
use sandgate_abi::LogLevel;
use sandgate_host::{
    Callouts, ContextOutcome, Engine, Environment, GuestLog, Host, HostBuilder, HostLimits, HttpContext, HttpStream,
    LoadError, NativeEngine, Plugin, PluginConfig, PluginError, PluginHandle, Stat, VmHost, WasmtimeEngine, WorkerHost,
};

use sandgate_vm::Module;

use crate::grpc::MockGrpc;
use crate::stream::MockStream;

/// The engine that a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runtime {
    Wasmtime,
    #[cfg(feature = "v8")]
    V8,
    #[cfg(feature = "wamr")]
    Wamr,
    Native,
}

/// The engines that run Wasm.
pub(crate) const WASM: &[Runtime] = &[
    Runtime::Wasmtime,
    #[cfg(feature = "v8")]
    Runtime::V8,
    #[cfg(feature = "wamr")]
    Runtime::Wamr,
];

/// Everything logged, with its level.
#[derive(Debug, Default)]
pub(crate) struct Log {
    lines: Mutex<Vec<(LogLevel, String)>>,
    pub(crate) off: Mutex<bool>,
}

#[derive(Default)]
pub(crate) struct Clock {
    pub(crate) now: Cell<u64>,
    pub(crate) changes: Cell<u32>,
    /// How far every reading of the thread's clock moves it on; 0: there is no such clock.
    pub(crate) cpu_step_ns: Cell<u64>,
    pub(crate) cpu_ns: Cell<u64>,
    pub(crate) node: RefCell<Option<Bytes>>,
    pub(crate) waker: Option<Waker>,
    pub(crate) grpc: Rc<MockGrpc>,
    /// In place of that.
    pub(crate) callouts: RefCell<Option<Rc<dyn Callouts>>>,
}

pub(crate) struct World {
    runtime: Runtime,
    pub(crate) log: Arc<Log>,
    pub(crate) clock: Rc<Clock>,
    pub(crate) host: Arc<Host>,
    pub(crate) worker: Rc<WorkerHost>,
}

/// A stream with a context of a plugin in it.
pub(crate) struct Exchange {
    pub(crate) stream: Rc<MockStream>,
    pub(crate) context: HttpContext,
}

/// One engine for all tests, which compiles each module once: as in a process, its parts are shared by threads.
struct Shared {
    engine: Box<dyn Engine<VmHost>>,
    modules: Mutex<HashMap<Vec<u8>, Arc<dyn Module<VmHost>>>>,
}

impl Engine<VmHost> for Shared {
    fn name(&self) -> &'static str {
        self.engine.name()
    }

    fn makes_images(&self) -> bool {
        self.engine.makes_images()
    }

    fn compile_image(&self, code: &[u8]) -> Result<Arc<dyn Module<VmHost>>, LoadError> {
        self.engine.compile_image(code)
    }

    fn compile(&self, code: &[u8]) -> Result<Arc<dyn Module<VmHost>>, LoadError> {
        let mut modules = self.modules.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = modules.get(code) {
            return Ok(Arc::clone(module));
        }
        let module = self.engine.compile(code)?;
        modules.insert(code.to_vec(), Arc::clone(&module));
        Ok(module)
    }
}

fn engines() -> &'static [Arc<Shared>] {
    static ENGINES: OnceLock<Vec<Arc<Shared>>> = OnceLock::new();
    ENGINES.get_or_init(|| {
        let engines: Vec<Box<dyn Engine<VmHost>>> = vec![
            Box::new(WasmtimeEngine::new().unwrap()),
            #[cfg(feature = "v8")]
            Box::new(sandgate_host::V8Engine::new().unwrap()),
            #[cfg(feature = "wamr")]
            Box::new(sandgate_host::WamrEngine::new().unwrap()),
        ];
        engines.into_iter().map(|engine| Arc::new(Shared { engine, modules: Mutex::default() })).collect()
    })
}

fn probe_wasm() -> Bytes {
    static CODE: OnceLock<Bytes> = OnceLock::new();
    CODE.get_or_init(|| plugin_file("probe/probe.wasm")).clone()
}

pub(crate) fn plugin_file(path: &str) -> Bytes {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins").join(path);
    Bytes::from(std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

impl World {
    pub(crate) fn new(runtime: &Runtime) -> Self {
        Self::with_limits(runtime, HostLimits::default())
    }

    pub(crate) fn with_limits(runtime: &Runtime, limits: HostLimits) -> Self {
        Self::of(runtime, |builder| builder.limits(limits))
    }

    /// A world whose host is made as `build` says.
    pub(crate) fn of(runtime: &Runtime, build: impl FnOnce(HostBuilder) -> HostBuilder) -> Self {
        let native = sandgate_native_guests::engine();
        let log = Arc::new(Log::default());
        let builder = build(Host::builder(Arc::clone(&log) as _)).engine(Arc::new(native));
        let host = engines().iter().fold(builder, |builder, engine| builder.engine(Arc::clone(engine) as _)).build();
        let clock = Rc::new(Clock::default());
        let worker = WorkerHost::new(Arc::clone(&host), Rc::clone(&clock) as _);
        Self { runtime: *runtime, log, clock, host, worker }
    }

    /// A plugin whose configuration is a probe's script.
    pub(crate) fn config(&self, script: &str) -> PluginConfig {
        let mut config =
            PluginConfig { name: "my_plugin".into(), root_id: "my_root".into(), ..PluginConfig::default() };
        config.vm.vm_id = "my_vm".into();
        config.configuration = Bytes::copy_from_slice(script.as_bytes());
        match self.runtime {
            Runtime::Wasmtime => config.vm.code = probe_wasm(),
            #[cfg(feature = "v8")]
            Runtime::V8 => {
                config.vm.runtime = sandgate_host::V8Engine::<VmHost>::NAME.into();
                config.vm.code = probe_wasm();
            }
            #[cfg(feature = "wamr")]
            Runtime::Wamr => {
                config.vm.runtime = sandgate_host::WamrEngine::<VmHost>::NAME.into();
                config.vm.code = probe_wasm();
            }
            Runtime::Native => {
                config.vm.runtime = NativeEngine::NAME.into();
                config.vm.code = Bytes::from_static(b"probe");
            }
        }
        config
    }

    pub(crate) fn load(&self, config: PluginConfig) -> Result<Arc<Plugin>, PluginError> {
        self.host.load(Arc::new(config), Rc::clone(&self.clock) as _)
    }

    /// Loads the plugin and forgets what was logged on the way.
    pub(crate) fn plugin(&self, config: PluginConfig) -> Rc<PluginHandle> {
        let plugin = self.load(config).unwrap();
        let handle = self.worker.plugin_handle(&plugin).unwrap();
        self.log.take();
        handle
    }

    pub(crate) fn script(&self, script: &str) -> Rc<PluginHandle> {
        self.plugin(self.config(script))
    }

    pub(crate) fn stat(&self, name: &str) -> Option<Stat> {
        let mut found = None;
        self.host.visit_stats(&mut |n, value| {
            if n == name {
                found = Some(value);
            }
        });
        found
    }

    /// Runs the ticks that are due `ms` from now.
    pub(crate) fn pass(&self, ms: u64) {
        self.clock.now.set(self.clock.now.get() + ms * 1_000_000);
        self.worker.run_due(self.clock.now.get());
    }

    /// What was logged by guests, without the prefixes.
    pub(crate) fn said(&self) -> Vec<String> {
        self.log.take().into_iter().filter_map(|(_, line)| guest_line(&line)).collect()
    }
}

fn guest_line(line: &str) -> Option<String> {
    let rest = line.strip_prefix("wasm log")?;
    rest.split_once(": ").map(|(_, message)| message.to_owned())
}

pub(crate) fn outcome(handle: &PluginHandle, stream: &Rc<MockStream>) -> ContextOutcome {
    handle.create_context(Rc::clone(stream) as Rc<dyn HttpStream>)
}

pub(crate) fn begin(handle: &PluginHandle) -> Exchange {
    begin_with(handle, MockStream::get("/a?q=1"))
}

pub(crate) fn begin_with(handle: &PluginHandle, stream: MockStream) -> Exchange {
    let stream = Rc::new(stream);
    match outcome(handle, &stream) {
        ContextOutcome::Context(context) => Exchange { stream, context },
        other => panic!("{other:?}"),
    }
}

impl Exchange {
    /// Log and destroy.
    pub(crate) fn end(&self) {
        self.context.on_log();
        self.context.on_destroy();
    }

    pub(crate) fn respond(&self, pairs: &[(&str, &str)]) {
        *self.stream.response_headers.borrow_mut() = Some(crate::stream::headers(pairs));
        self.stream.response_code.set(Some(200));
    }
}

impl Log {
    pub(crate) fn take(&self) -> Vec<(LogLevel, String)> {
        std::mem::take(&mut self.lines.lock().unwrap())
    }
}

impl GuestLog for Log {
    fn level(&self) -> u32 {
        if *self.off.lock().unwrap() { 6 } else { 0 }
    }

    fn write(&self, level: LogLevel, line: &[u8]) {
        // Bytes that are no UTF-8 are shown as in a `b""` literal.
        let line =
            line.utf8_chunks().map(|chunk| format!("{}{}", chunk.valid(), chunk.invalid().escape_ascii())).collect();
        self.lines.lock().unwrap().push((level, line));
    }
}

impl Environment for Clock {
    fn realtime_ns(&self) -> u64 {
        self.now.get() + 1
    }

    fn monotonic_ns(&self) -> u64 {
        self.now.get()
    }

    fn thread_cpu_ns(&self) -> Option<u64> {
        let step = self.cpu_step_ns.get();
        self.cpu_ns.set(self.cpu_ns.get() + step);
        (step > 0).then(|| self.cpu_ns.get())
    }

    fn timers_changed(&self) {
        self.changes.set(self.changes.get() + 1);
    }

    fn remote_waker(&self) -> Option<Waker> {
        self.waker.clone()
    }

    fn callouts(&self) -> Option<Rc<dyn Callouts>> {
        let other = self.callouts.borrow().clone();
        other.or_else(|| Some(Rc::<MockGrpc>::clone(&self.grpc) as _))
    }

    fn node(&self) -> Option<Bytes> {
        self.node.borrow().clone()
    }
}
