//! VMs of plugins, beside a host that writes down what it is asked.

use proxy_wasm::native::NativeEngine;
use sandgate_abi::{Callback, Capabilities};
use sandgate_vm::{Engine, Fault, Limits, PluginVm};

use crate::recorder::Recorder;

pub(crate) struct TestVm {
    pub(crate) vm: Box<dyn PluginVm<Recorder>>,
    pub(crate) host: Recorder,
}

/// Hands the `log` crate's records on, as the proxy's logger does.
struct Logger;

impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        assert!(proxy_wasm::native::take_log_record(record), "of no plugin: {}", record.args());
    }
    fn flush(&self) {}
}

/// A VM of a plugin, which has started, with a root context 1.
pub(crate) fn vm(engine: &NativeEngine, name: &str) -> TestVm {
    if log::set_logger(&Logger).is_ok() {
        log::set_max_level(log::LevelFilter::Trace);
    }
    let host = Recorder::default();
    let module = Engine::<Recorder>::compile(engine, name.as_bytes()).unwrap();
    let mut vm = module.instantiate(host.clone(), &Limits::default(), &Capabilities::ALL).unwrap();
    vm.start().unwrap();
    let mut vm = TestVm { vm, host };
    vm.create(1, 0);
    vm
}

impl TestVm {
    pub(crate) fn call(&mut self, callback: Callback) -> Result<Option<u32>, Fault> {
        self.vm.call(callback)
    }

    pub(crate) fn create(&mut self, context: u32, parent: u32) {
        self.call(Callback::ContextCreate { context, parent }).unwrap();
    }

    pub(crate) fn tick(&mut self) -> Result<Option<u32>, Fault> {
        self.call(Callback::Tick { root: 1 })
    }

    /// What the host was asked since the last time.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.host.take_calls()
    }
}
