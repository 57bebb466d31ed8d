//! Which modules load, and in which words the others are refused.

use sandgate_abi::{AbiVersion, Callback, CallbackKind, PROXY_FUNCTIONS};
use sandgate_vm::LoadError;

use crate::support::{ALL, DONE, IMPORT_LOG, TICK, compile, for_each_engine, instantiate, module, on_tick};

/// The text with which every engine refuses the module.
fn refusal(text: &str) -> String {
    let mut refusals = Vec::new();
    let found = std::cell::RefCell::new(&mut refusals);
    for_each_engine(|engine| {
        let Err(error) = compile(engine, text) else { panic!("must not load: {text}") };
        found.borrow_mut().push(error.to_string());
    });
    refusals.dedup();
    assert_eq!(refusals.len(), 1, "engines agree: {refusals:?}");
    refusals.remove(0)
}

#[test]
fn garbage_is_corrupted() {
    let good = wat::parse_str(module(IMPORT_LOG, "")).unwrap();
    for_each_engine(|engine| {
        assert!(engine.compile(&good).is_ok());
        for garbage in [b"".as_slice(), b"\0asm", b"not a module at all", &good[..good.len() - 3], &good[..60]] {
            let Err(error) = engine.compile(garbage) else { panic!("must not load: {garbage:?}") };
            assert!(matches!(error, LoadError::Corrupted(_)), "{error}");
            assert!(error.to_string().starts_with("Failed to parse corrupted Wasm module"), "{error}");
        }
    });
}

#[test]
fn no_mutation_of_a_module_panics() {
    let good =
        wat::parse_str(module(IMPORT_LOG, &on_tick("(drop (call $log (i32.const 1) (i32.const 0) (i32.const 1)))")))
            .unwrap();
    for_each_engine(|engine| {
        for index in 0..good.len() {
            let mut mutated = good.clone();
            mutated[index] ^= 0x41;
            if let Ok(module) = engine.compile(&mutated) {
                drop(module.instantiate(crate::recorder::Recorder::default(), &crate::support::limits(), &ALL));
            }
        }
    });
}

#[test]
fn invalid_code_is_refused_by_the_engine() {
    // An addition on an empty stack; the sections are well formed.
    let code = wat::parse_str(module("", &on_tick("i32.add"))).unwrap();
    for_each_engine(|engine| {
        let Err(error) = engine.compile(&code) else { panic!("must not load") };
        assert!(error.to_string().starts_with("Failed to load Wasm bytecode: "), "{error}");
    });
}

#[test]
fn an_unknown_abi_is_refused() {
    const UNKNOWN: &str = "Missing or unknown Proxy-Wasm ABI version";
    assert_eq!(refusal("(module)"), UNKNOWN);
    assert_eq!(refusal(&module("", "").replace("0_2_1", "0_3_0")), UNKNOWN);
    assert_eq!(refusal("(module (memory (export \"proxy_abi_version_0_2_1\") 1))"), UNKNOWN);
    for_each_engine(|engine| {
        assert!(matches!(engine.compile(b"\0asm\x02\0\0\0"), Err(LoadError::UnknownAbi)));
    });
}

#[test]
fn all_missing_imports_are_named() {
    let imports = r#"
        (import "env" "proxy_nosuch" (func))
        (import "env" "proxy_log" (func (param i32)))
        (import "foo" "bar" (func))
        (import "env" "g" (global i32))
        (import "wasi_snapshot_preview1" "sock_open" (func))
        (import "env" "fd_write" (func (param i32 i32 i32 i32) (result i32)))"#;
    assert_eq!(
        refusal(&module(imports, "")),
        "Failed to load Wasm module due to a missing import: env.proxy_nosuch, foo.bar, env.g, \
         wasi_snapshot_preview1.sock_open, env.fd_write"
    );
}

#[test]
fn types_of_imports_must_be_ours() {
    assert_eq!(
        refusal(&module(r#"(import "env" "proxy_log" (func (param i32)))"#, "")),
        "Failed to load Wasm module due to an import type mismatch: env.proxy_log, want: i32 -> void, \
         but host exports: i32 i32 i32 -> i32"
    );
    assert_eq!(
        refusal(&module(r#"(import "wasi_unstable" "fd_seek" (func (param i32 i32 i32 i32 i32)))"#, "")),
        "Failed to load Wasm module due to an import type mismatch: wasi_unstable.fd_seek, \
         want: i32 i32 i32 i32 i32 -> void, but host exports: i32 i64 i32 i32 -> i32"
    );
}

#[test]
fn types_of_exports_must_be_the_abis() {
    assert_eq!(
        refusal(&module("", r#"(func (export "proxy_on_context_create") (param i32))"#)),
        "Bad function signature for: proxy_on_context_create, want: i32 i32 -> void, \
         but the module exports: i32 -> void"
    );
    for (export, want) in [("_initialize", "void -> void"), ("_start", "void -> void")] {
        let text = refusal(&module("", &format!(r#"(func (export "{export}") (param i32))"#)));
        assert_eq!(
            text,
            format!("Bad function signature for: {export}, want: {want}, but the module exports: i32 -> void")
        );
    }
    let allocator =
        module("", "").replace("(param $size i32) (result i32)", "(param $size i32) (param i32) (result i32)");
    assert_eq!(
        refusal(&allocator),
        "Bad function signature for: proxy_on_memory_allocate, want: i32 -> i32, \
         but the module exports: i32 i32 -> i32"
    );
}

#[test]
fn a_module_without_allocator_is_refused() {
    assert_eq!(
        refusal(&module("", "").replace("proxy_on_memory_allocate", "allocate")),
        "Wasm module is missing malloc function."
    );
}

#[test]
fn the_first_failure_is_told() {
    // Each module also has the faults of those behind it.
    let all = r#"(module
        (import "env" "proxy_nosuch" (func))
        (import "env" "proxy_log" (func (param i32)))
        (func (export "proxy_on_tick")))"#;
    assert!(refusal(all).starts_with("Missing or unknown"));
    let marked = all.replace(
        "(func (export \"proxy_on_tick\"))",
        "(func (export \"proxy_on_tick\")) (func (export \"proxy_abi_version_0_2_0\"))",
    );
    assert!(refusal(&marked).contains("missing import"));
    let imported = marked.replace("(import \"env\" \"proxy_nosuch\" (func))", "");
    assert!(refusal(&imported).contains("type mismatch"));
    let typed = imported.replace("(func (param i32))", "(func (param i32 i32 i32) (result i32))");
    assert!(refusal(&typed).contains("Bad function signature"));
}

#[test]
fn headers_callbacks_of_abi_0_1_0_have_two_parameters() {
    let headers = |version: &str, parameters: &str| {
        module(
            IMPORT_LOG,
            &format!(
                r#"(func (export "proxy_on_request_headers") (param $context i32) (param $count i32) {parameters} (result i32)
                    (i32.add (local.get $context) (local.get $count)))"#
            ),
        )
        .replace("0_2_1", version)
    };
    let callback = Callback::RequestHeaders { context: 20, count: 3, end_of_stream: true };
    for_each_engine(|engine| {
        for (version, parameters) in [("0_1_0", ""), ("0_2_0", "(param i32)"), ("0_2_1", "(param i32)")] {
            let (mut vm, _) = instantiate(engine, &headers(version, parameters));
            assert_eq!(vm.call(callback), Ok(Some(23)), "{version}");
        }
        let module = compile(engine, &headers("0_1_0", "")).unwrap();
        assert!(module.is_abi_0_1_0());
        assert_eq!(AbiVersion::from_marker("proxy_abi_version_0_1_0"), Some(AbiVersion::V0_1_0));
    });
    assert_eq!(
        refusal(&headers("0_1_0", "(param i32)")),
        "Bad function signature for: proxy_on_request_headers, want: i32 i32 -> i32, \
         but the module exports: i32 i32 i32 -> i32"
    );
    assert!(refusal(&headers("0_2_0", "")).contains("want: i32 i32 i32 -> i32"));
}

#[test]
fn every_callback_gets_its_arguments() {
    // Every callback reports its arguments as one word of digits, and those with a result return it.
    let mut items = String::new();
    for kind in CallbackKind::ALL {
        let signature = kind.signature(AbiVersion::V0_2_1).unwrap();
        let parameters = vec!["i32"; signature.parameters.len()].join(" ");
        let mut sum = "(i32.const 0)".to_owned();
        for index in 0..signature.parameters.len() {
            sum = format!("(i32.add (i32.mul {sum} (i32.const 10)) (local.get {index}))");
        }
        let result = if signature.results.is_empty() { "" } else { "(result i32)" };
        let value = if signature.results.is_empty() { "" } else { "(i32.load (i32.const 0))" };
        items += &format!(
            r#"(func (export "{}") (param {parameters}) {result}
                (i32.store (i32.const 0) {sum})
                (drop (call $log (i32.const 1) (i32.const 0) (i32.const 4))) {value})"#,
            kind.export()
        );
    }
    let all = [
        (Callback::ContextCreate { context: 2, parent: 1 }, 21, false),
        (Callback::VmStart { root: 1, config_size: 5 }, 15, true),
        (Callback::ValidateConfiguration { root: 1, config_size: 6 }, 16, true),
        (Callback::Configure { root: 1, config_size: 7 }, 17, true),
        (Callback::Tick { root: 4 }, 4, false),
        (Callback::NewConnection { context: 9 }, 9, true),
        (Callback::DownstreamData { context: 2, size: 3, end_of_stream: true }, 231, true),
        (Callback::UpstreamData { context: 2, size: 3, end_of_stream: false }, 230, true),
        (Callback::DownstreamConnectionClose { context: 2, peer: 1 }, 21, false),
        (Callback::UpstreamConnectionClose { context: 2, peer: 2 }, 22, false),
        (Callback::RequestHeaders { context: 2, count: 8, end_of_stream: true }, 281, true),
        (Callback::RequestBody { context: 2, size: 7, end_of_stream: false }, 270, true),
        (Callback::RequestTrailers { context: 2, count: 6 }, 26, true),
        (Callback::RequestMetadata { context: 2, count: 5 }, 25, true),
        (Callback::ResponseHeaders { context: 3, count: 8, end_of_stream: false }, 380, true),
        (Callback::ResponseBody { context: 3, size: 7, end_of_stream: true }, 371, true),
        (Callback::ResponseTrailers { context: 3, count: 6 }, 36, true),
        (Callback::ResponseMetadata { context: 3, count: 5 }, 35, true),
        (Callback::HttpCallResponse { root: 1, token: 4, headers: 3, body_size: 2, trailers: 9 }, 14329, false),
        (Callback::GrpcReceiveInitialMetadata { root: 1, token: 5, count: 2 }, 152, false),
        (Callback::GrpcReceive { root: 1, token: 5, size: 3 }, 153, false),
        (Callback::GrpcReceiveTrailingMetadata { root: 1, token: 5, count: 4 }, 154, false),
        (Callback::GrpcClose { root: 1, token: 5, status: 7 }, 157, false),
        (Callback::QueueReady { root: 1, queue: 2 }, 12, false),
        (Callback::ForeignFunction { root: 1, function: 2, size: 3 }, 123, false),
        (Callback::Done { context: 2 }, 2, true),
        (Callback::Log { context: 3 }, 3, false),
        (Callback::Delete { context: 4 }, 4, false),
        (Callback::ResolveDns { root: 1, token: 3, size: 5 }, 135, false),
        (Callback::StatsUpdate { root: 1, size: 6 }, 16, false),
    ];
    assert_eq!(all.len(), CallbackKind::ALL.len());
    for_each_engine(|engine| {
        let text = module(IMPORT_LOG, &items);
        let exports = compile(engine, &text).unwrap().exports();
        let (mut vm, host) = instantiate(engine, &text);
        // Twice, because the first call of each also looks the function up.
        for (callback, digits, returns) in all.iter().chain(&all) {
            let (callback, digits) = (*callback, *digits);
            assert!(exports.contains(callback.kind()));
            let expected = if *returns { digits } else { 0 };
            assert_eq!(vm.call(callback), Ok(Some(expected)), "{callback:?}");
            assert_eq!(host.take_reports(), [u32::to_le_bytes(digits).to_vec()], "{callback:?}");
        }
    });
}

#[test]
fn absent_callbacks_are_not_called() {
    for_each_engine(|engine| {
        let (mut vm, _) = instantiate(engine, &module("", &on_tick("")));
        assert_eq!(vm.call(DONE), Ok(None));
        assert_eq!(vm.call(TICK), Ok(Some(0)));
        // An export of the name that is no function is no callback, as in Envoy.
        let (mut vm, _) = instantiate(engine, &module("", r#"(global (export "proxy_on_done") i32 (i32.const 0))"#));
        assert_eq!(vm.call(DONE), Ok(None));
    });
}

#[test]
fn all_proxy_functions_link_for_every_version_and_twice() {
    let mut imports = String::new();
    for function in PROXY_FUNCTIONS.iter().chain(PROXY_FUNCTIONS) {
        let signature = function.signature.to_string();
        let parameters = signature.split(" -> ").next().unwrap().replace("void", "");
        imports += &format!(r#"(import "env" "{}" (func (param {parameters}) (result i32)))"#, function.name);
    }
    imports += r#"(import "env" "pthread_equal" (func $equal (param i32 i32) (result i32)))"#;
    let done = r#"(func (export "proxy_on_done") (param i32) (result i32) (call $equal (local.get 0) (i32.const 2)))"#;
    for_each_engine(|engine| {
        for version in ["0_1_0", "0_2_0", "0_2_1"] {
            let (mut vm, _) = instantiate(engine, &module(&imports, done).replace("0_2_1", version));
            assert_eq!(vm.call(DONE), Ok(Some(1)));
        }
    });
}

#[test]
fn memory_may_have_any_name() {
    for_each_engine(|engine| {
        let text = module(
            IMPORT_LOG,
            r#"(data (i32.const 8) "found") (func (export "proxy_on_done") (param i32) (result i32)
            (call $log (i32.const 1) (i32.const 8) (i32.const 5)))"#,
        );
        for text in [text.replace("(export \"memory\")", "(export \"heap\")"), text] {
            let (mut vm, host) = instantiate(engine, &text);
            assert_eq!(vm.call(DONE), Ok(Some(0)));
            assert_eq!((host.take_reports(), vm.memory_size()), (vec![b"found".to_vec()], 65536));
        }
    });
}

#[test]
fn a_module_without_memory_loads() {
    for_each_engine(|engine| {
        let text = format!(
            r#"(module {IMPORT_LOG}
                (func (export "proxy_abi_version_0_2_0"))
                (func (export "malloc") (param i32) (result i32) (i32.const 0))
                (func (export "proxy_on_done") (param $n i32) (result i32)
                    (call $log (i32.const 1) (i32.const 0) (i32.sub (local.get $n) (i32.const 2)))))"#
        );
        let (mut vm, _) = instantiate(engine, &text);
        assert_eq!(vm.call(DONE), Ok(Some(0)), "nothing at address 0 is fine");
        assert_eq!(vm.call(Callback::Done { context: 3 }), Ok(Some(6)));
        assert_eq!(vm.memory_size(), 0);
    });
}

#[test]
fn memory_and_table_may_be_imported() {
    let text = format!(
        r#"(module {IMPORT_LOG}
            (import "env" "memory" (memory 2))
            (import "env" "__indirect_function_table" (table 3 funcref))
            (data (i32.const 8) "imported")
            (elem (i32.const 1) $eight)
            (type $number (func (result i32)))
            (func $eight (result i32) (i32.const 8))
            (func (export "proxy_abi_version_0_2_0"))
            (func (export "malloc") (param i32) (result i32) (i32.const 1024))
            (func (export "proxy_on_done") (param i32) (result i32)
                (call $log (i32.const 1) (i32.const 8) (call_indirect (type $number) (i32.const 1)))))"#
    );
    for_each_engine(|engine| {
        let module = compile(engine, &text).unwrap();
        // Two instances do not share what they import.
        let hosts = [crate::recorder::Recorder::default(), crate::recorder::Recorder::default()];
        for host in &hosts {
            let mut vm = module.instantiate(host.clone(), &crate::support::limits(), &ALL).unwrap();
            assert_eq!(vm.call(DONE), Ok(Some(0)));
            assert_eq!((host.take_reports(), vm.memory_size()), (vec![b"imported".to_vec()], 131_072));
        }
    });
}
