//! VMs begin, log, panic and end without touching each other.

use proxy_wasm::traits::{Context, RootContext};
use proxy_wasm::types::LogLevel;
use sandgate_abi::Callback;
use sandgate_vm::FaultKind;

use crate::vms::vm;

/// Logs and panics as it is told by the sizes of configurations.
mod talker {
    use super::*;

    proxy_wasm::main! {{
        proxy_wasm::set_log_level(LogLevel::Info);
        proxy_wasm::set_root_context(|_| Box::new(Talker));
    }}

    struct Talker;

    impl Context for Talker {}
    impl RootContext for Talker {
        fn on_vm_start(&mut self, size: usize) -> bool {
            log::info!("{size} bytes");
            log::debug!("not wanted");
            size > 0
        }
        fn on_configure(&mut self, _: usize) -> bool {
            panic!("told to")
        }
    }
}

/// Without a root context, and without a level.
mod silent {
    proxy_wasm::main! {{ log::error!("before there is a level"); }}
}

/// Makes a hostcall when it is dropped.
mod leaver {
    use super::*;

    proxy_wasm::main! {{ proxy_wasm::set_root_context(|_| Box::new(Leaver)); }}

    struct Leaver;

    impl Context for Leaver {}
    impl RootContext for Leaver {
        fn on_tick(&mut self) {
            self.done();
        }
    }
    impl Drop for Leaver {
        fn drop(&mut self) {
            self.done();
        }
    }
}

#[test]
fn records_of_the_wanted_levels_are_lines() {
    let engine = proxy_wasm::plugins![talker, silent];
    let mut talker = vm(&engine, "talker");
    let silent = vm(&engine, "silent");
    assert_eq!(talker.call(Callback::VmStart { root: 1, config_size: 5 }), Ok(Some(1)));
    assert_eq!(talker.call(Callback::VmStart { root: 1, config_size: 0 }), Ok(Some(0)));
    assert_eq!(talker.asked(), ["log(Info, 5 bytes)", "log(Info, 0 bytes)"]);
    assert!(silent.asked().is_empty());
}

#[test]
fn a_panic_is_told_and_ends_its_vm_only() {
    let engine = proxy_wasm::plugins![talker];
    let (mut one, mut other) = (vm(&engine, "talker"), vm(&engine, "talker"));
    let fault = one.call(Callback::Configure { root: 1, config_size: 0 }).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Trap("native plugin panicked: told to".into()));
    let told = one.asked();
    assert!(told[0].starts_with("log(Critical, panicked at ") && told[0].contains("told to"), "{told:?}");
    assert_eq!(one.tick().unwrap_err().kind, FaultKind::Dead);
    assert_eq!(other.call(Callback::VmStart { root: 1, config_size: 5 }), Ok(Some(1)));
}

#[test]
fn a_panic_without_a_level_goes_to_standard_error() {
    let engine = proxy_wasm::plugins![silent];
    let mut silent = vm(&engine, "silent");
    silent.call(Callback::NewConnection { context: 1 }).unwrap_err();
    let told = silent.asked();
    assert!(
        told[0].starts_with("write_stdio(Err, panicked at ") && told[0].contains("invalid context_id 1"),
        "{told:?}"
    );
}

#[test]
fn a_vm_without_roots_has_one_that_does_nothing() {
    let engine = proxy_wasm::plugins![silent];
    let mut vm = vm(&engine, "silent");
    assert_eq!(vm.call(Callback::VmStart { root: 1, config_size: 5 }), Ok(Some(1)));
    assert_eq!(vm.call(Callback::Configure { root: 1, config_size: 5 }), Ok(Some(1)));
    assert_eq!(vm.call(Callback::Log { context: 1 }), Ok(None));
    assert_eq!(vm.call(Callback::RequestMetadata { context: 1, count: 1 }), Ok(None), "the SDK has no such callback");
}

#[test]
fn what_is_dropped_with_its_vm_asks_nothing() {
    let engine = proxy_wasm::plugins![leaver];
    let mut vm = vm(&engine, "leaver");
    vm.tick().unwrap();
    assert_eq!(vm.asked(), ["done()"]);
    let host = vm.host.clone();
    drop(vm);
    assert!(host.take_calls().is_empty());
}

#[test]
fn what_is_dropped_when_deleted_can_ask() {
    let engine = proxy_wasm::plugins![leaver];
    let mut vm = vm(&engine, "leaver");
    vm.call(Callback::Delete { context: 1 }).unwrap();
    assert_eq!(vm.asked(), ["done()"]);
}
