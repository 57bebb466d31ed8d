//! From a configuration to a plugin, and what is said when that fails.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use sandgate_abi::{CallbackSet, LogLevel};
use sandgate_host::{Engine, Host, LoadError, NativeEngine, PluginErrorCause, Stat, VmHost};
use sandgate_vm::Module;

use crate::on_every_engine;
use crate::world::{Runtime, World, begin};

on_every_engine! {
    a_trial_comes_first
    counts_are_envoys
    a_configuration_that_is_refused
    a_start_that_is_refused
    a_trap_while_configuring
    no_code
    unknown_runtimes
    what_makes_two_plugins_share
    shutdown_ends_every_root
    some_roots_end_after_all_others
}

fn a_trial_comes_first(runtime: &Runtime) {
    let world = World::new(runtime);
    let mut config = world.config("trace");
    config.vm.configuration = Bytes::from_static(b"trace");
    let plugin = world.load(config.clone()).unwrap();
    let size = config.configuration.len();
    let start = ["> context_create(1, 0)".to_owned(), "> vm_start(1, 5)".to_owned(), format!("> configure(1, {size})")];
    assert_eq!(world.said(), start);
    // Thrown away without done and delete; a second load of the same plugin needs none.
    world.load(config).unwrap();
    assert_eq!(world.said(), [""; 0]);
    let handle = world.worker.plugin_handle(&plugin).unwrap();
    assert_eq!(world.said(), start);
    let again = world.worker.plugin_handle(&plugin).unwrap();
    assert_eq!(world.said(), [""; 0]);
    drop((handle, again));
    assert_eq!(world.said(), ["> done(1)", "> delete(1)"]);
}

fn counts_are_envoys(runtime: &Runtime) {
    let world = World::new(runtime);
    assert_eq!(world.stat("wasm.wasm_vm_count"), None);
    let config = world.config("");
    let name = config.vm.runtime.clone();
    let handle = world.plugin(config);
    // Base, trial and this worker's; the trial is gone.
    assert_eq!(world.stat(&format!("wasm.{name}.created")), Some(Stat::Counter(3)));
    assert_eq!(world.stat(&format!("wasm.{name}.active")), Some(Stat::Gauge(2)));
    drop(handle);
    assert_eq!(world.stat("wasm.wasm_vm_count"), Some(Stat::Gauge(0)));
}

fn texts(world: &World) -> Vec<String> {
    let lines = world.log.take().into_iter().filter(|(level, _)| *level > LogLevel::Info);
    lines.map(|(level, line)| format!("{level:?} {line}")).collect()
}

const FAILED: [&str; 2] =
    ["Critical Plugin my_plugin failed to load", "Critical Plugin configured to fail closed failed to load"];

fn a_configuration_that_is_refused(runtime: &Runtime) {
    let world = World::new(runtime);
    let config = world.config("on configure:\n  return 0");
    for _ in 0..2 {
        let error = world.load(config.clone()).unwrap_err();
        assert_eq!(error.cause, PluginErrorCause::Configure { worker: false, fault: None });
        assert_eq!(
            error.to_string(),
            "Unable to create Wasm plugin my_plugin: Failed to configure base Wasm plugin: proxy_on_configure answered false"
        );
        assert_eq!(
            texts(&world),
            [&["Error Wasm VM failed Failed to configure base Wasm plugin"][..], &FAILED].concat()
        );
    }
}

fn a_start_that_is_refused(runtime: &Runtime) {
    let world = World::new(runtime);
    let mut config = world.config("");
    config.vm.configuration = Bytes::from_static(b"on vm_start:\n  return 0");
    let error = world.load(config).unwrap_err();
    assert_eq!(error.cause, PluginErrorCause::Start { worker: false, fault: None });
    assert_eq!(texts(&world), [&["Error Wasm VM failed Failed to start base Wasm"][..], &FAILED].concat());
}

fn a_trap_while_configuring(runtime: &Runtime) {
    let world = World::new(runtime);
    for (script, word) in [
        ("on configure:\n  trap unreachable", "configure"),
        ("on vm_start, context_create:\n  trap unreachable", "start"),
    ] {
        let mut config = world.config("");
        config.vm.configuration = Bytes::copy_from_slice(script.as_bytes());
        let error = world.load(config).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("Unable to create Wasm plugin my_plugin: Failed to {word} base")),
            "{error}"
        );
        assert!(error.contains(" failed: "), "{error}");
        let texts = texts(&world);
        assert!(texts[0].starts_with("Error Function: proxy_on_"), "{texts:?}");
        assert_eq!(texts[2..], FAILED);
    }
}

fn no_code(runtime: &Runtime) {
    let world = World::new(runtime);
    let mut config = world.config("");
    config.vm.code = Bytes::new();
    assert_eq!(world.load(config).unwrap_err().to_string(), "Unable to create Wasm plugin my_plugin: there is no code");
    assert_eq!(texts(&world), [""; 0]);
}

fn unknown_runtimes(runtime: &Runtime) {
    let world = World::new(runtime);
    for name in ["envoy.wasm.runtime.wavm", "nonsense"] {
        let mut config = world.config("");
        config.vm.runtime = name.into();
        assert!(matches!(world.load(config).unwrap_err().cause, PluginErrorCause::Load(_)));
        let texts = texts(&world);
        assert!(texts[0].starts_with(&format!("Warn Failed to create Wasm VM using {name} runtime.")), "{texts:?}");
        assert_eq!(texts[1], "Error Wasm VM failed Failed to load Wasm code");
    }
    if *runtime == Runtime::Wasmtime {
        let mut config = world.config("");
        config.vm.runtime = "envoy.wasm.runtime.v8".into();
        let handle = world.plugin(config.clone());
        assert!(handle.is_alive());
        assert!(matches!(world.stat("wasm.envoy.wasm.runtime.v8.created"), Some(Stat::Counter(3))));
        config.vm.vm_id = "again".into();
        world.load(config.clone()).unwrap();
        assert_eq!(texts(&world), [""; 0]);
        let strict = Host::builder(world.log.clone()).engine(Arc::new(NativeEngine::new())).strict_runtime(true);
        let error = strict.build().load(Arc::new(config), world.clock.clone()).unwrap_err();
        assert!(error.to_string().contains("envoy.wasm.runtime.v8"), "{error}");
    }
}

fn what_makes_two_plugins_share(runtime: &Runtime) {
    let world = World::new(runtime);
    let base = world.config("on request_headers:\n  say $root");
    let mut handles = vec![world.plugin(base.clone())];
    let mut add = |change: &dyn Fn(&mut sandgate_host::PluginConfig)| {
        let mut config = base.clone();
        change(&mut config);
        handles.push(world.plugin(config));
    };
    add(&|c| c.root_id = "other".into());
    add(&|c| c.name = "other".into());
    add(&|c| c.identity = Bytes::from_static(b"other"));
    add(&|c| c.vm.vm_id = "other".into());
    add(&|c| c.vm.configuration = Bytes::from_static(b"# other"));
    add(&|c| c.vm.environment = vec![("A".into(), "b".into())]);
    add(&|c| c.vm.identity = Bytes::from_static(b"other"));
    add(&|c| c.legacy_fail_open = true);
    for handle in &handles {
        begin(handle).context.on_request_headers(true);
    }
    let said = world.said();
    let roots: Vec<_> = said.iter().map(|line| line.rsplit_once(' ').unwrap().1).collect();
    assert_eq!(roots, ["1", "2", "3", "4", "1", "1", "1", "1", "1"]);
    assert_eq!(world.stat("wasm.wasm_vm_count"), Some(Stat::Gauge(10)));
}

fn shutdown_ends_every_root(runtime: &Runtime) {
    let world = World::new(runtime);
    let first = world.script("trace");
    let mut config = world.config("trace");
    config.name = "second".into();
    let second = world.plugin(config);
    world.worker.shutdown(&[]);
    let ended = ["> done(2)", "> delete(2)", "> done(1)", "> delete(1)"];
    assert_eq!(world.said(), ended);
    drop((first, second));
    world.worker.shutdown(&[]);
    assert_eq!(world.said(), [""; 0]);
}

fn some_roots_end_after_all_others(runtime: &Runtime) {
    let world = World::new(runtime);
    let named = |name: &str| {
        let mut config = world.config("trace");
        config.name = name.into();
        world.plugin(config)
    };
    let handles = ["a", "b", "c", "d"].map(named);
    let [_, second, third, _] = &handles;
    world.worker.shutdown(&[Rc::clone(second), Rc::clone(third)]);
    let ended = world.said();
    let done: Vec<_> = ended.iter().filter(|line| line.contains("done")).collect();
    assert_eq!(done, ["> done(4)", "> done(1)", "> done(3)", "> done(2)"]);
}

/// Counts what it compiles.
struct Counting(NativeEngine, AtomicU32);

impl Engine<VmHost> for Counting {
    fn name(&self) -> &'static str {
        NativeEngine::NAME
    }

    fn compile(&self, code: &[u8]) -> Result<Arc<dyn Module<VmHost>>, LoadError> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.compile(code)
    }

    fn compiles_ahead(&self) -> bool {
        true
    }
}

#[test]
fn equal_code_is_compiled_once() {
    let probe =
        NativeEngine::new().with_plugin("probe", CallbackSet::default(), sandgate_native_guests::Probe::default);
    let engine = Arc::new(Counting(probe, AtomicU32::new(0)));
    let world = World::new(&Runtime::Native);
    let host = Host::builder(world.log.clone()).engine(engine.clone()).build();
    let mut config = world.config("");
    let mut plugins = Vec::new();
    for vm_id in ["a", "b", "c"] {
        config.vm.vm_id = vm_id.into();
        plugins.push(host.load(Arc::new(config.clone()), world.clock.clone()).unwrap());
    }
    assert_eq!(engine.1.load(Ordering::Relaxed), 1);
    // The module goes with its last user.
    drop(plugins);
    host.load(Arc::new(config), world.clock.clone()).unwrap();
    assert_eq!(engine.1.load(Ordering::Relaxed), 2);
}

#[test]
fn what_is_compiled_ahead_is_not_compiled_again() {
    let probe = |name| {
        let plugin = sandgate_native_guests::Probe::default;
        move |engine: NativeEngine| engine.with_plugin(name, CallbackSet::default(), plugin)
    };
    let native = probe("second")(probe("probe")(NativeEngine::new()));
    let engine = Arc::new(Counting(native, AtomicU32::new(0)));
    let world = World::new(&Runtime::Native);
    let host = Host::builder(world.log.clone()).engine(engine.clone()).build();
    let modules =
        ["probe", "second", "nobody", "probe"].map(|name| (NativeEngine::NAME.to_owned(), move || Bytes::from(name)));
    let ahead = host.compile_ahead(modules);
    let load = |code: &'static str| {
        let mut config = world.config("");
        config.vm.code = Bytes::from(code);
        host.load(Arc::new(config), world.clock.clone())
    };
    // Whether a thread is at it or has not come to it yet: each is compiled once, and one that fails says so to who asks.
    let plugins = [load("probe"), load("second"), load("probe")].map(Result::unwrap);
    assert!(matches!(load("nobody").unwrap_err().cause, PluginErrorCause::Load(_)));
    assert_eq!(engine.1.load(Ordering::Relaxed), 3);
    drop(ahead);
    // The plugins keep their modules; what failed is tried again.
    load("second").unwrap();
    load("nobody").unwrap_err();
    assert_eq!(engine.1.load(Ordering::Relaxed), 4);
    drop(plugins);
}
