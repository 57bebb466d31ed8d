//! Native plugins.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sandgate_abi::{Callback, CallbackKind, CallbackSet, LogLevel};
use sandgate_vm::{Engine, FaultKind, HostCalls, LoadError, Module, NativeEngine, NativePlugin, Output, PluginVm};

use crate::recorder::Recorder;
use crate::support::{ALL, DONE, TICK, limits};

/// Counts its calls, and says so.
#[derive(Default)]
struct Counter {
    calls: u32,
}

impl NativePlugin for Counter {
    fn start(&mut self, host: &dyn HostCalls) {
        host.log(LogLevel::Info, b"started").unwrap();
    }

    fn call(&mut self, host: &dyn HostCalls, callback: Callback) -> Option<u32> {
        self.calls += 1;
        let mut out = Output::default();
        host.get_property(b"plugin_name", &mut out).unwrap();
        host.log(LogLevel::Info, format!("{callback:?}").as_bytes()).unwrap();
        Some(self.calls)
    }
}

fn callbacks(kinds: &[CallbackKind]) -> CallbackSet {
    kinds.iter().copied().collect()
}

fn instance(engine: &NativeEngine, name: &str) -> (Box<dyn PluginVm<Recorder>>, Recorder) {
    let module: Arc<dyn Module<Recorder>> = engine.compile(name.as_bytes()).unwrap();
    let host = Recorder::default();
    (module.instantiate(host.clone(), &limits(), &ALL).unwrap(), host)
}

#[test]
fn a_plugin_uses_the_typed_operations() {
    let engine = NativeEngine::new().with_plugin("counter", callbacks(&[CallbackKind::Done]), Counter::default);
    let (mut vm, host) = instance(&engine, "counter");
    vm.start().unwrap();
    assert_eq!(vm.call(DONE), Ok(Some(1)));
    assert_eq!(vm.call(TICK), Ok(None), "not registered");
    assert_eq!(vm.call(DONE), Ok(Some(2)));
    let call = "log(Info, Done { context: 2 })";
    assert_eq!(
        host.take_calls(),
        ["log(Info, started)", "get_property(plugin_name)", call, "get_property(plugin_name)", call]
    );
    assert_eq!(vm.memory_size(), 0);
}

#[test]
fn every_instance_has_its_own_plugin() {
    let made = Arc::new(AtomicUsize::new(0));
    let factory = {
        let made = Arc::clone(&made);
        move || {
            made.fetch_add(1, Ordering::Relaxed);
            Counter::default()
        }
    };
    let engine = NativeEngine::new().with_plugin("counter", callbacks(&[CallbackKind::Done]), factory);
    let (mut first, _) = instance(&engine, "counter");
    let (mut second, _) = instance(&engine, "counter");
    assert_eq!(first.call(DONE), Ok(Some(1)));
    assert_eq!(second.call(DONE), Ok(Some(1)));
    assert_eq!(made.load(Ordering::Relaxed), 2);
}

#[test]
fn a_panic_kills_the_instance_and_nothing_else() {
    let panicking = || |_: &dyn HostCalls, _: Callback| -> Option<u32> { panic!("no way") };
    let engine = NativeEngine::new().with_plugin("p", callbacks(&[CallbackKind::Tick]), panicking);
    let (mut vm, _) = instance(&engine, "p");
    let fault = vm.call(TICK).unwrap_err();
    assert_eq!(fault.to_string(), "Function: proxy_on_tick failed: native plugin panicked: no way");
    assert_eq!(vm.call(TICK).unwrap_err().kind, FaultKind::Dead);
    assert_eq!(vm.call(DONE).unwrap_err().kind, FaultKind::Dead, "also what the plugin does not export");
}

#[test]
fn an_unknown_plugin_does_not_load() {
    let engine = NativeEngine::new();
    let Err(error) = Engine::<Recorder>::compile(&engine, b"nobody") else { panic!("must not load") };
    assert!(matches!(error, LoadError::Compile(text) if text.contains("\"nobody\"")));
    assert_eq!(Engine::<Recorder>::name(&engine), "envoy.wasm.runtime.null");
}
