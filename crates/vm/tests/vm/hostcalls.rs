//! Marshalling of every hostcall in the ABI's table: what reaches the host, what comes back, and that a bad
//! enum or pointer is refused before the host is asked.

use sandgate_abi::{Status, for_each_proxy_function};
use sandgate_vm::PluginVm;

use crate::recorder::Recorder;
use crate::support::{DONE, IMPORT_LOG, for_each_engine, instantiate, module};

const PAGE: u32 = 65536;
/// Where the guest fetches the arguments to.
const ARGUMENTS: u32 = 1024;
/// Where results go, 8 bytes for each `ret_*` but pointer and length, which share 8.
const RESULTS: u32 = 2048;
const RESULTS_LEN: usize = 32;
/// What result memory holds before.
const UNTOUCHED: u8 = 0xee;
/// Where texts are: each argument with a length is its own name.
const TEXTS: u32 = 4096;

/// A hostcall of the table.
struct Function {
    name: &'static str,
    /// Names and whether they are 64 bits wide.
    parameters: Vec<(&'static str, bool)>,
}

fn functions() -> Vec<Function> {
    macro_rules! list {
        ($($name:ident($($param:ident: $ty:ident),*) -> $result:ty;)+) => {
            vec![$(Function {
                name: stringify!($name),
                parameters: vec![$((stringify!($param), stringify!($ty) == "u64")),*],
            }),+]
        };
    }
    for_each_proxy_function!(list)
}

/// What the host sees, and the results, of a call in which all is well.
///
/// Every text is the name of its parameter, every enum and number is its place in the list of parameters or
/// 1; results: `p` pointer and `l` length of the value "one two", `n` the recorder's number, `N` its large one.
const EXPECTED: &[(&str, &str, &str)] = &[
    ("proxy_log", "log(Trace, message)", ""),
    ("proxy_get_log_level", "get_log_level()", "n"),
    ("proxy_get_current_time_nanoseconds", "get_current_time_nanoseconds()", "N"),
    ("proxy_set_tick_period_milliseconds", "set_tick_period_milliseconds(0)", ""),
    ("proxy_get_configuration", "get_configuration()", "pl"),
    ("proxy_get_buffer_bytes", "get_buffer_bytes(HttpRequestBody, 1, 2)", "pl"),
    ("proxy_get_buffer_status", "get_buffer_status(HttpRequestBody)", "n1"),
    ("proxy_set_buffer_bytes", "set_buffer_bytes(HttpRequestBody, 1, 2, value)", ""),
    ("proxy_get_header_map_size", "get_header_map_size(HttpRequestHeaders)", "n"),
    ("proxy_get_header_map_pairs", "get_header_map_pairs(HttpRequestHeaders)", "pl"),
    ("proxy_set_header_map_pairs", "set_header_map_pairs(HttpRequestHeaders, pairs)", ""),
    ("proxy_get_header_map_value", "get_header_map_value(HttpRequestHeaders, key)", "pl"),
    ("proxy_add_header_map_value", "add_header_map_value(HttpRequestHeaders, key, value)", ""),
    ("proxy_replace_header_map_value", "replace_header_map_value(HttpRequestHeaders, key, value)", ""),
    ("proxy_remove_header_map_value", "remove_header_map_value(HttpRequestHeaders, key)", ""),
    ("proxy_get_property", "get_property(path)", "pl"),
    ("proxy_set_property", "set_property(path, value)", ""),
    ("proxy_continue_request", "continue_stream(Request)", ""),
    ("proxy_continue_response", "continue_stream(Response)", ""),
    ("proxy_clear_route_cache", "clear_route_cache()", ""),
    ("proxy_continue_stream", "continue_stream(Request)", ""),
    ("proxy_close_stream", "close_stream(Request)", ""),
    ("proxy_send_local_response", "send_local_response(0, details, body, headers, 7)", ""),
    ("proxy_http_call", "http_call(upstream, headers, body, trailers, 8)", "n"),
    ("proxy_grpc_call", "grpc_call(service, service_name, method, metadata, message, 10)", "n"),
    ("proxy_grpc_stream", "grpc_stream(service, service_name, method, metadata, , 0)", "n"),
    ("proxy_grpc_send", "grpc_send(0, message, true)", ""),
    ("proxy_grpc_cancel", "grpc_cancel(0)", ""),
    ("proxy_grpc_close", "grpc_close(0)", ""),
    ("proxy_get_status", "get_status()", "npl"),
    ("proxy_get_shared_data", "get_shared_data(key)", "pln"),
    ("proxy_set_shared_data", "set_shared_data(key, value, 4)", ""),
    ("proxy_register_shared_queue", "register_shared_queue(name)", "n"),
    ("proxy_resolve_shared_queue", "resolve_shared_queue(vm_id, name)", "n"),
    ("proxy_enqueue_shared_queue", "enqueue_shared_queue(0, value)", ""),
    ("proxy_dequeue_shared_queue", "dequeue_shared_queue(0)", "pl"),
    ("proxy_define_metric", "define_metric(Counter, name)", "n"),
    ("proxy_increment_metric", "increment_metric(0, -1)", ""),
    ("proxy_record_metric", "record_metric(0, 18446744073709551615)", ""),
    ("proxy_get_metric", "get_metric(0)", "N"),
    ("proxy_set_effective_context", "set_effective_context(0)", ""),
    ("proxy_done", "done()", ""),
    ("proxy_call_foreign_function", "call_foreign_function(name, arguments)", "pl"),
    ("envoy_resolve_dns", "resolve_dns(address)", "n"),
];

const ENUMS: [&str; 5] = ["level", "buffer", "map", "stream", "kind"];

/// A guest for one hostcall. `proxy_on_done` makes the call with arguments from `random_get` and reports
/// the results and the value.
struct Probe {
    vm: Box<dyn PluginVm<Recorder>>,
    host: Recorder,
    function: Function,
}

/// What one call came to.
#[derive(Debug, PartialEq)]
struct Seen {
    status: u32,
    calls: Vec<String>,
    results: Vec<u8>,
    value: Option<Vec<u8>>,
}

impl Probe {
    fn new(engine: &dyn sandgate_vm::Engine<Recorder>, function: Function) -> Self {
        let types: Vec<_> = function.parameters.iter().map(|(_, wide)| if *wide { "i64" } else { "i32" }).collect();
        let loads: Vec<_> = (0..)
            .step_by(8)
            .zip(&types)
            .map(|(at, ty)| format!("({ty}.load (i32.const {}))", ARGUMENTS + at))
            .collect();
        let mut texts = String::new();
        for (index, (name, _)) in (0_u32..).zip(&function.parameters) {
            texts += &format!("(data (i32.const {}) {name:?})", text_at(index));
        }
        let text = module(
            &format!(
                r#"(import "env" "{}" (func $call (param {}) (result i32)))
                (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
                {IMPORT_LOG}"#,
                function.name,
                types.join(" ")
            ),
            &format!(
                r#"{texts}
                (func (export "proxy_on_done") (param i32) (result i32) (local $status i32)
                    (drop (call $random (i32.const {ARGUMENTS}) (i32.const 128)))
                    (memory.fill (i32.const {RESULTS}) (i32.const {UNTOUCHED}) (i32.const {RESULTS_LEN}))
                    (local.set $status (call $call {}))
                    (drop (call $log (i32.const 1) (i32.const {RESULTS}) (i32.const {RESULTS_LEN})))
                    (drop (call $log (i32.const 1) (i32.load (i32.const {RESULTS})) (i32.load offset=4 (i32.const {RESULTS}))))
                    (local.get $status))"#,
                loads.join(" ")
            ),
        );
        let (vm, host) = instantiate(engine, &text);
        *host.value.borrow_mut() = vec![b"one ", b"tw", b"o"];
        Self { vm, host, function }
    }

    /// Arguments with which the call succeeds.
    fn good(&self) -> Vec<u64> {
        let mut results = RESULTS + 8;
        let parameters = &self.function.parameters;
        (0_u32..)
            .zip(parameters)
            .map(|(index, (name, wide))| match *name {
                "ret_ptr" => u64::from(RESULTS),
                "ret_len" if parameters.iter().any(|(name, _)| *name == "ret_ptr") => u64::from(RESULTS + 4),
                _ if name.starts_with("ret_") => {
                    results += 8;
                    u64::from(results - 8)
                }
                _ if name.ends_with("_len") => name.len() as u64 - 4,
                _ if self.has_length(name) => u64::from(text_at(index)),
                _ if *wide => u64::MAX,
                _ if ENUMS.contains(name) => 0,
                _ => u64::from(index),
            })
            .collect()
    }

    fn has_length(&self, name: &str) -> bool {
        self.index_of(&format!("{name}_len")).is_some()
    }

    /// The parameters that are pointers to arguments.
    fn texts(&self) -> Vec<&'static str> {
        self.function.parameters.iter().map(|(name, _)| *name).filter(|name| self.has_length(name)).collect()
    }

    fn index_of(&self, name: &str) -> Option<usize> {
        self.function.parameters.iter().position(|(parameter, _)| *parameter == name)
    }

    fn call(&mut self, arguments: &[u64]) -> Seen {
        let words: Vec<u8> = arguments.iter().flat_map(|word| word.to_le_bytes()).collect();
        *self.host.random.borrow_mut() = [words, vec![0; 128]].concat();
        let status = self.vm.call(DONE).unwrap().unwrap();
        let mut reports = self.host.take_reports().into_iter();
        let results = reports.next().unwrap();
        Seen { status, calls: self.host.take_calls(), results, value: reports.next() }
    }

    /// Calls with some arguments replaced, by name.
    fn call_with(&mut self, changes: &[(&str, u64)]) -> Seen {
        let mut arguments = self.good();
        for (name, value) in changes {
            arguments[self.index_of(name).unwrap()] = *value;
        }
        self.call(&arguments)
    }

    fn assert_refused(&mut self, changes: &[(&str, u64)], status: Status) {
        let seen = self.call_with(changes);
        let name = self.function.name;
        assert_eq!(seen.status, status.code(), "{name} with {changes:?}");
        assert_eq!(seen.calls, [""; 0], "{name} with {changes:?} must not reach the host");
        assert!(seen.results.iter().all(|byte| *byte == UNTOUCHED), "{name} with {changes:?} must write nothing");
    }
}

fn text_at(index: u32) -> u32 {
    TEXTS + 64 * index
}

fn for_each_probe(test: impl Fn(&mut Probe)) {
    for_each_engine(|engine| {
        for function in functions() {
            test(&mut Probe::new(engine, function));
        }
    });
}

fn probe(name: &str, test: impl Fn(&mut Probe)) {
    for_each_engine(|engine| {
        let function = functions().into_iter().find(|function| function.name == name).unwrap();
        test(&mut Probe::new(engine, function));
    });
}

fn words(results: &[u8]) -> Vec<u32> {
    results.chunks_exact(4).map(|word| u32::from_le_bytes(*word.first_chunk().unwrap())).collect()
}

#[test]
fn arguments_and_results_of_every_hostcall() {
    assert_eq!(EXPECTED.len(), functions().len());
    for_each_probe(|probe| {
        let name = probe.function.name;
        let (_, call, results) = EXPECTED.iter().find(|expected| expected.0 == name).unwrap();
        let good = probe.good();
        let seen = probe.call(&good);
        assert_eq!((seen.status, seen.calls), (0, vec![(*call).to_owned()]), "{name}");

        // Results in the order of the parameters: pointer and length first in memory, the others behind.
        let untouched = u32::from_le_bytes([UNTOUCHED; 4]);
        let mut expected = vec![untouched; RESULTS_LEN / 4];
        let mut place = 2;
        for result in results.chars() {
            match result {
                'p' => expected[0] = 32768,
                'l' => expected[1] = 7,
                'n' => expected[place] = crate::recorder::NUMBER,
                '1' => expected[place] = 1,
                'N' => expected[place..place + 2].copy_from_slice(&[0x0506_0708, 0x0102_0304]),
                other => panic!("unknown result {other}"),
            }
            place += if matches!(result, 'p' | 'l') { 0 } else { 2 };
        }
        assert_eq!(words(&seen.results), expected, "{name}");
        assert_eq!(seen.value.as_deref(), results.contains('p').then_some(b"one two".as_slice()), "{name}");
    });
}

#[test]
fn the_hosts_status_reaches_the_guest() {
    for_each_probe(|probe| {
        if probe.function.name == "proxy_get_current_time_nanoseconds" {
            return;
        }
        probe.host.failure.set(Some(Status::CasMismatch));
        let good = probe.good();
        let seen = probe.call(&good);
        assert_eq!((seen.status, seen.calls.len()), (8, 1), "{}", probe.function.name);
    });
}

#[test]
fn unknown_enums_are_bad_arguments() {
    for_each_probe(|probe| {
        for name in ENUMS {
            if probe.index_of(name).is_some() {
                for value in [9, 0xffff_ffff] {
                    probe.assert_refused(&[(name, value)], Status::BadArgument);
                }
            }
        }
    });
}

#[test]
fn enums_are_checked_before_pointers() {
    probe("proxy_set_header_map_pairs", |probe| {
        probe.assert_refused(&[("map", 9), ("pairs", 0xffff_ffff)], Status::BadArgument);
    });
    // Envoy leaves the type of a metric to the operation, behind the pointers.
    probe("proxy_define_metric", |probe| {
        probe.assert_refused(&[("kind", 9), ("name", 0xffff_ffff)], Status::InvalidMemoryAccess);
    });
}

#[test]
fn arguments_outside_memory_are_refused() {
    for_each_probe(|probe| {
        for name in probe.texts() {
            let length = format!("{name}_len");
            for (pointer, size) in
                [(PAGE - 1, 2), (PAGE + 1, 0), (PAGE, 1), (16, u32::MAX), (u32::MAX, u32::MAX), (u32::MAX, 0)]
            {
                let changes = [(name, u64::from(pointer)), (length.as_str(), u64::from(size))];
                if probe.function.name == "proxy_set_buffer_bytes" {
                    // The host is asked whether there is such a buffer.
                    let seen = probe.call_with(&changes);
                    assert_eq!(seen.status, Status::InvalidMemoryAccess.code(), "{changes:?}");
                    assert_eq!(seen.calls, ["get_buffer_status(HttpRequestBody)"], "{changes:?}");
                } else {
                    probe.assert_refused(&changes, Status::InvalidMemoryAccess);
                }
            }
        }
    });
}

#[test]
fn empty_arguments_may_point_anywhere_in_memory() {
    for_each_probe(|probe| {
        for name in probe.texts() {
            for pointer in [0, u64::from(PAGE)] {
                let seen = probe.call_with(&[(name, pointer), (&format!("{name}_len"), 0)]);
                assert_eq!((seen.status, seen.calls.len()), (0, 1), "{} of {}", name, probe.function.name);
            }
        }
    });
}

#[test]
fn results_outside_memory_are_refused_before_a_change() {
    const CHANGING: [&str; 4] =
        ["proxy_http_call", "proxy_register_shared_queue", "proxy_dequeue_shared_queue", "proxy_define_metric"];
    for_each_probe(|probe| {
        let parameters = probe.function.parameters.clone();
        for (name, _) in parameters.iter().filter(|(name, _)| name.starts_with("ret_")) {
            for pointer in [PAGE - 3, PAGE, u32::MAX] {
                let changes = [(*name, u64::from(pointer))];
                if CHANGING.contains(&probe.function.name) {
                    probe.assert_refused(&changes, Status::InvalidMemoryAccess);
                } else {
                    assert_eq!(probe.call_with(&changes).status, Status::InvalidMemoryAccess.code(), "{changes:?}");
                }
            }
        }
    });
}

#[test]
fn results_may_lie_at_address_0_and_at_the_end() {
    probe("proxy_get_buffer_status", |probe| {
        let seen = probe.call_with(&[("ret_len", 0), ("ret_flags", u64::from(PAGE) - 4)]);
        assert_eq!((seen.status, seen.calls.len()), (0, 1));
    });
}

#[test]
fn empty_values_are_null_without_allocation() {
    for_each_probe(|probe| {
        let Some(_) = probe.index_of("ret_ptr") else { return };
        probe.host.value.borrow_mut().clear();
        // The probe's allocator traps on 0 bytes.
        let good = probe.good();
        let seen = probe.call(&good);
        assert_eq!(seen.status, 0, "{}", probe.function.name);
        assert_eq!(words(&seen.results)[..2], [0, 0], "{}", probe.function.name);
    });
}

#[test]
fn extreme_ranges_reach_the_host_unchanged() {
    probe("proxy_get_buffer_bytes", |probe| {
        let seen = probe.call_with(&[("start", 0xffff_ffff), ("max_size", 0x7fff_ffff)]);
        assert_eq!(seen.calls, ["get_buffer_bytes(HttpRequestBody, 4294967295, 2147483647)"]);
    });
    probe("proxy_set_buffer_bytes", |probe| {
        let seen = probe.call_with(&[("start", 0x7fff_ffff), ("size", 0xffff_ffff)]);
        assert_eq!(seen.calls, ["set_buffer_bytes(HttpRequestBody, 2147483647, 4294967295, value)"]);
    });
}

#[test]
fn a_failed_callout_leaves_token_0() {
    probe("proxy_http_call", |probe| {
        probe.host.failure.set(Some(Status::BadArgument));
        let good = probe.good();
        let seen = probe.call(&good);
        assert_eq!((seen.status, words(&seen.results)[2]), (2, 0));
    });
}

#[test]
fn foreign_functions_need_no_result_pointers() {
    probe("proxy_call_foreign_function", |probe| {
        let untouched = u32::from_le_bytes([UNTOUCHED; 4]);
        let seen = probe.call_with(&[("ret_ptr", 0), ("ret_len", 0)]);
        assert_eq!((seen.status, words(&seen.results)[..2].to_vec()), (0, vec![untouched; 2]));
        let seen = probe.call_with(&[("ret_ptr", 0)]);
        assert_eq!((seen.status, words(&seen.results)[..2].to_vec()), (0, vec![untouched, 7]));
        let seen = probe.call_with(&[("ret_len", 0)]);
        assert_eq!((seen.status, words(&seen.results)[1]), (0, untouched));
    });
}

#[test]
fn a_failing_foreign_function_still_returns_its_value() {
    probe("proxy_call_foreign_function", |probe| {
        probe.host.failure.set(Some(Status::BadArgument));
        let good = probe.good();
        let seen = probe.call(&good);
        assert_eq!((seen.status, seen.value.as_deref()), (2, Some(b"one two".as_slice())));
        probe.host.failure.set(Some(Status::NotFound));
        let seen = probe.call(&good);
        assert_eq!((seen.status, seen.results), (1, vec![UNTOUCHED; RESULTS_LEN]), "no function, no value");
    });
}
