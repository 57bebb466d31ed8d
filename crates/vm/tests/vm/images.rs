//! Images of instances, and instances put back to where their image begins.

use std::sync::Arc;

use sandgate_vm::{Engine as _, Module, PluginVm, WasmtimeEngine, imageable};

use crate::recorder::Recorder;
use crate::support::{ALL, DONE, TICK, limits, module, on_tick};

/// `proxy_on_done` counts in a global, in memory that an image has, and in memory that is all zeros there, and returns the sum.
const COUNTING: &str = r#"
    (global $count (mut i32) (i32.const 0))
    (func $add (param $at i32) (result i32)
        (i32.store (local.get $at) (i32.add (i32.load (local.get $at)) (i32.const 1)))
        (i32.load (local.get $at)))
    (func (export "proxy_on_done") (param i32) (result i32)
        (global.set $count (i32.add (global.get $count) (i32.const 1)))
        (i32.add (global.get $count) (i32.add (call $add (i32.const 16)) (call $add (global.get $far)))))
    (global $far (mut i32) (i32.const 20))"#;

/// What makes instances that begin as one was after two calls; its further ones count on another page.
fn image(items: &str) -> Arc<dyn Module<Recorder>> {
    let engine = WasmtimeEngine::<Recorder>::new().unwrap();
    let moving = on_tick(&format!("(global.set $far (i32.const 24000)) {items}"));
    let code = wat::parse_str(module("", &format!("{COUNTING} {moving}"))).unwrap();
    let module = engine.compile(&imageable(&code).unwrap()).unwrap();
    let mut first = module.instantiate(Recorder::default(), &limits(), &ALL).unwrap();
    assert_eq!((first.call(DONE).unwrap(), first.call(DONE).unwrap()), (Some(3), Some(6)));
    assert!(!first.restore(), "it is not of an image");
    engine.compile_image(&first.image(&code).unwrap_or_else(|error| panic!("{error}"))).unwrap()
}

fn instance(module: &Arc<dyn Module<Recorder>>) -> Box<dyn PluginVm<Recorder>> {
    module.instantiate(Recorder::default(), &limits(), &ALL).unwrap()
}

/// Whether the kernel tells which pages were written: Linux has done so since 6.7.
fn kernel_tells() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (6, 7)
}

#[test]
fn an_instance_is_put_back_to_where_its_image_begins() {
    let module = image("");
    let mut vm = instance(&module);
    for round in 0..5 {
        assert_eq!(vm.call(DONE).unwrap(), Some(9), "round {round}");
        vm.call(TICK).unwrap();
        // The global, the page of the image, and one that was never written.
        assert_eq!(vm.call(DONE).unwrap(), Some(4 + 4 + 1), "round {round}");
        assert_eq!(vm.call(DONE).unwrap(), Some(5 + 5 + 2), "round {round}");
        if !vm.restore() {
            assert!(!kernel_tells());
            return;
        }
        let host = Recorder::default();
        vm.assign(host.clone());
        assert!(std::ptr::eq(&**vm.host(), &*host), "round {round}");
    }
}

#[test]
fn what_cannot_be_put_back_is_not() {
    let grown = image("(drop (memory.grow (i32.const 1)))");
    let trapped = image("unreachable");
    for module in [grown, trapped] {
        let mut vm = instance(&module);
        let _ = vm.call(TICK);
        assert!(!vm.restore());
        assert!(vm.call(DONE).is_err(), "it is of no use any more");
        assert_eq!(instance(&module).call(DONE).unwrap(), Some(9), "others are");
    }
}

#[test]
fn an_instance_that_wrote_much_is_not_worth_it() {
    let write_all = "(local $at i32)
        (loop $next
            (i32.store (local.get $at) (i32.const 7))
            (local.set $at (i32.add (local.get $at) (i32.const 4096)))
            (br_if $next (i32.lt_u (local.get $at) (i32.const 524288))))";
    let text = module("", &format!("{COUNTING} {}", on_tick(write_all))).replace("\"memory\") 1", "\"memory\") 8");
    let engine = WasmtimeEngine::<Recorder>::new().unwrap();
    let code = wat::parse_str(text).unwrap();
    let mut first = instance(&engine.compile(&imageable(&code).unwrap()).unwrap());
    let module = engine.compile_image(&first.image(&code).unwrap()).unwrap();
    let mut vm = instance(&module);
    vm.call(TICK).unwrap();
    assert!(!vm.restore(), "128 pages were written");
}
