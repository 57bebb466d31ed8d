#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test may panic")]

use super::*;

const EMPTY: &[u8] = HEADER;

fn module(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

fn function(signature: &Signature) -> ItemKind {
    ItemKind::Function(Arc::new(signature.clone()))
}

#[test]
fn imports_and_exports_with_types() {
    let code = module(
        r#"(module
            (import "env" "proxy_log" (func (param i32 i32 i32) (result i32)))
            (import "wasi_unstable" "proc_exit" (func (param i32)))
            (import "env" "memory" (memory 1))
            (import "env" "g" (global i32))
            (func $own (param i64) (result f64) (f64.const 0))
            (export "proxy_abi_version_0_2_1" (func $own))
            (export "mem" (memory 0))
            (export "again" (func 0)))"#,
    );
    let info = ModuleInfo::parse(&code).unwrap();
    let kinds: Vec<_> = info.imports.iter().map(|i| (i.module, i.name, i.kind.clone())).collect();
    assert_eq!(
        kinds,
        [
            ("env", "proxy_log", function(&Signature::words(3, true))),
            ("wasi_unstable", "proc_exit", function(&Signature::words(1, false))),
            ("env", "memory", ItemKind::Memory),
            ("env", "g", ItemKind::Global),
        ]
    );
    assert_eq!(info.abi, Some(AbiVersion::V0_2_1));
    assert_eq!(info.memory(), Some("mem"));
    assert_eq!(info.function("again"), Some(&Signature::words(3, true)));
    assert_eq!(info.function("proxy_abi_version_0_2_1").unwrap().to_string(), "i64 -> f64");
    assert_eq!(info.function("mem"), None);
}

#[test]
fn the_first_function_marker_decides() {
    let code = module(
        r#"(module
            (memory (export "proxy_abi_version_0_2_1") 1)
            (func (export "proxy_abi_version_0_3_0"))
            (func (export "proxy_abi_version_0_1_0"))
            (func (export "proxy_abi_version_0_2_0")))"#,
    );
    assert_eq!(ModuleInfo::parse(&code).unwrap().abi, Some(AbiVersion::V0_1_0));
}

#[test]
fn a_module_without_marker_has_no_version() {
    let info = ModuleInfo::parse(EMPTY).unwrap();
    assert_eq!((info.abi, info.imports.len(), info.exports.len()), (None, 0, 0));
}

#[test]
fn other_versions_are_told_from_garbage() {
    assert_eq!(ModuleInfo::parse(b"\0asm\x02\0\0\0").unwrap_err(), InspectError::Version);
    assert_eq!(ModuleInfo::parse(b"\0asm\x0d\0\x01\0").unwrap_err(), InspectError::Version);
    for garbage in [b"".as_slice(), b"\0asm", b"\0asm\x01\0", b"garbage and more", b"\0asm\x01\0\0\0\x01\x7f"] {
        assert!(matches!(ModuleInfo::parse(garbage), Err(InspectError::Corrupted(_))), "{garbage:?}");
    }
}

#[test]
fn every_prefix_and_every_flipped_byte_is_survived() {
    let code = module(
        r#"(module
            (type (func (param i32) (result i32)))
            (import "env" "proxy_done" (func (result i32)))
            (memory (export "memory") 1)
            (func (export "malloc") (param i32) (result i32) (i32.const 8))
            (func (export "proxy_abi_version_0_2_0"))
            (data (i32.const 0) "abc"))"#,
    );
    assert!(ModuleInfo::parse(&code).is_ok());
    // A cut between two sections leaves a smaller module; every other cut is an error.
    let whole = (0..code.len()).filter(|cut| ModuleInfo::parse(&code[..*cut]).is_ok()).count();
    assert!(whole < 12, "{whole} prefixes were taken as modules");
    for index in 0..code.len() {
        for bit in 0..8 {
            let mut flipped = code.clone();
            flipped[index] ^= 1 << bit;
            // Nothing to compare: the property is that this returns.
            drop(ModuleInfo::parse(&flipped));
        }
    }
}

#[test]
fn exports_of_unknown_functions_are_invalid() {
    // One export section: "a", function 5.
    let code = [EMPTY, &[7, 5, 1, 1, b'a', 0, 5]].concat();
    assert_eq!(ModuleInfo::parse(&code).unwrap_err(), InspectError::Invalid("export of unknown function 5".to_owned()));
}
