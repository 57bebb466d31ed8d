//! WASI as plugins get it: the answers that were observed in Envoy 1.40, and the differences.

use sandgate_abi::{WASI_FUNCTIONS, WASI_MODULES};
use sandgate_vm::Engine;

use crate::recorder::Recorder;
use crate::support::{DONE, IMPORT_LOG, for_each_engine, instantiate, module};

/// What a call returned, what it left at address 256 (where memory is all `0xee`), and what the host saw.
struct Seen {
    errno: u32,
    memory: Vec<u8>,
    calls: Vec<String>,
}

/// Calls a WASI function with constant arguments, on a host prepared by the test.
fn call_on(
    engine: &dyn Engine<Recorder>,
    name: &str,
    arguments: &[i64],
    data: &str,
    prepare: impl Fn(&Recorder),
) -> Seen {
    let function = WASI_FUNCTIONS.iter().find(|function| function.name == name).unwrap();
    let types = function.signature.to_string();
    let parameters = types.split(" -> ").next().unwrap().replace("void", "");
    let constants: Vec<_> =
        parameters.split_whitespace().zip(arguments).map(|(ty, value)| format!("({ty}.const {value})")).collect();
    assert_eq!(constants.len(), function.signature.parameters.len(), "{name}");
    let text = module(
        &format!(r#"(import "wasi_unstable" "{name}" (func $call (param {parameters}) (result i32))) {IMPORT_LOG}"#),
        &format!(
            r#"{data}
            (func (export "proxy_on_done") (param i32) (result i32) (local $errno i32)
                (memory.fill (i32.const 256) (i32.const 0xee) (i32.const 64))
                (local.set $errno (call $call {}))
                (drop (call $log (i32.const 1) (i32.const 256) (i32.const 64)))
                (local.get $errno))"#,
            constants.join(" ")
        ),
    );
    let (mut vm, host) = instantiate(engine, &text);
    prepare(&host);
    let errno = vm.call(DONE).unwrap().unwrap();
    Seen { errno, memory: host.take_reports().remove(0), calls: host.take_calls() }
}

fn call(engine: &dyn Engine<Recorder>, name: &str, arguments: &[i64]) -> Seen {
    call_on(engine, name, arguments, "", |_| {})
}

/// Addresses: results at 256, and one that is outside.
const OUT: i64 = 256;
const BAD: i64 = 65536;

#[test]
fn what_does_nothing_answers_as_envoy() {
    // Name, arguments, errno.
    let table: &[(&str, &[i64], u32)] = &[
        ("args_get", &[0, 0], 0),
        ("fd_advise", &[9, 0, 0, 0], 0),
        ("fd_allocate", &[1, 0, 0], 0),
        ("fd_allocate", &[3, 0, 0], 8),
        ("fd_close", &[3], 0),
        ("fd_datasync", &[2], 0),
        ("fd_datasync", &[0], 8),
        ("fd_fdstat_get", &[0, OUT], 8),
        ("fd_fdstat_get", &[1, BAD], 0),
        ("fd_fdstat_set_flags", &[1, 0], 52),
        ("fd_fdstat_set_rights", &[1, 0, 0], 0),
        ("fd_fdstat_set_rights", &[5, 0, 0], 8),
        ("fd_filestat_get", &[1, OUT], 8),
        ("fd_filestat_set_size", &[2, 0], 0),
        ("fd_filestat_set_size", &[4, 0], 8),
        ("fd_filestat_set_times", &[1, 0, 0, 0], 0),
        ("fd_pread", &[0, 0, 0, 0, OUT], 52),
        ("fd_prestat_get", &[3, OUT], 8),
        ("fd_prestat_dir_name", &[3, 0, 0], 52),
        ("fd_read", &[0, 0, 0, OUT], 52),
        ("fd_renumber", &[1, 2], 58),
        ("fd_renumber", &[1, 3], 8),
        ("fd_seek", &[7, 0, 0, OUT], 0),
        ("fd_sync", &[1], 0),
        ("fd_sync", &[3], 8),
        ("fd_tell", &[3, OUT], 8),
        ("fd_tell", &[1, BAD], 21),
        ("path_create_directory", &[3, 0, 0], 58),
        ("path_filestat_get", &[3, 0, 0, 0, OUT], 58),
        ("path_filestat_set_times", &[3, 0, 0, 0, 0, 0, 0], 58),
        ("path_link", &[3, 0, 0, 0, 3, 0, 0], 58),
        ("path_open", &[3, 0, 0, 0, 0, 0, 0, 0, OUT], 44),
        ("path_remove_directory", &[3, 0, 0], 58),
        ("path_rename", &[3, 0, 0, 3, 0, 0], 58),
        ("path_symlink", &[0, 0, 3, 0, 0], 58),
        ("path_unlink_file", &[3, 0, 0], 58),
        ("proc_raise", &[1], 52),
        ("sched_yield", &[], 0),
        ("sock_shutdown", &[3, 0], 58),
        ("args_sizes_get", &[BAD, OUT], 21),
        ("args_sizes_get", &[OUT, BAD], 21),
        ("poll_oneoff", &[0, 0, 1, BAD], 21),
    ];
    for_each_engine(|engine| {
        for (name, arguments, errno) in table {
            let seen = call(engine, name, arguments);
            assert_eq!(seen.errno, *errno, "{name}{arguments:?}");
            assert!(seen.memory.iter().all(|byte| *byte == 0xee), "{name} writes nothing");
            assert!(seen.calls.is_empty(), "{name} does not ask the host");
        }
    });
}

#[test]
fn what_answers_with_zeros() {
    // Name, arguments, errno, how many bytes from 256 on become zero.
    let table: &[(&str, &[i64], u32, usize)] = &[
        ("args_sizes_get", &[OUT, OUT + 4], 0, 8),
        ("fd_tell", &[1, OUT], 0, 8),
        ("fd_readdir", &[3, 0, 0, 0, OUT], 20, 4),
        ("path_readlink", &[3, 0, 0, 0, 0, OUT], 58, 4),
        ("sock_accept", &[3, 0, OUT], 58, 4),
        ("sock_recv", &[3, 0, 0, 0, OUT, OUT + 4], 58, 6),
        ("sock_send", &[3, 0, 0, 0, OUT], 58, 4),
        ("poll_oneoff", &[0, 0, 0, OUT], 0, 4),
        ("poll_oneoff", &[0, 0, 1, OUT], 0, 4),
        ("environ_sizes_get", &[OUT, OUT + 4], 0, 8),
    ];
    for_each_engine(|engine| {
        for (name, arguments, errno, zeros) in table {
            let seen = call(engine, name, arguments);
            assert_eq!(seen.errno, *errno, "{name}");
            let expected = [vec![0; *zeros], vec![0xee; 64 - zeros]].concat();
            assert_eq!(seen.memory, expected, "{name}");
        }
    });
}

#[test]
fn fdstat_of_standard_output_allows_writing() {
    for_each_engine(|engine| {
        let seen = call(engine, "fd_fdstat_get", &[2, OUT]);
        let expected = [[0; 8], [0x40, 0, 0, 0, 0, 0, 0, 0], [0; 8]].concat();
        assert_eq!((seen.errno, &seen.memory[..24]), (0, &expected[..]));
        assert_eq!(seen.memory[24], 0xee);
    });
}

#[test]
fn the_environment() {
    for_each_engine(|engine| {
        let prepare = |host: &Recorder| *host.environment.borrow_mut() = vec![("KEY", "value"), ("E", "")];
        let sizes = call_on(engine, "environ_sizes_get", &[OUT, OUT + 4], "", prepare);
        assert_eq!((sizes.errno, &sizes.memory[..8]), (0, &[2, 0, 0, 0, 13, 0, 0, 0][..]));
        let text = call_on(engine, "environ_get", &[OUT, OUT + 8], "", prepare);
        assert_eq!(text.errno, 0);
        assert_eq!(text.memory[..8], [8, 1, 0, 0, 18, 1, 0, 0], "pointers to 264 and 274");
        assert_eq!(&text.memory[8..21], b"KEY=value\0E=\0");
        assert_eq!(text.memory[21], 0xee);
        for (arguments, what) in [([BAD, OUT], "pointers"), ([OUT, BAD - 4], "text")] {
            assert_eq!(call_on(engine, "environ_get", &arguments, "", prepare).errno, 21, "{what}");
        }
    });
}

#[test]
fn clocks() {
    for_each_engine(|engine| {
        let realtime = call(engine, "clock_time_get", &[0, 0, OUT]);
        assert_eq!((realtime.errno, &realtime.memory[..8]), (0, &[8, 7, 6, 5, 4, 3, 2, 1][..]));
        let monotonic = call(engine, "clock_time_get", &[1, 1_000_000, OUT]);
        assert_eq!((monotonic.errno, monotonic.memory[0]), (0, 9));
        assert_eq!(call(engine, "clock_time_get", &[2, 0, OUT]).errno, 58);
        assert_eq!(call(engine, "clock_time_get", &[0, 0, BAD - 7]).errno, 21);
        let resolution = call(engine, "clock_res_get", &[1, OUT]);
        assert_eq!((resolution.errno, &resolution.memory[..8]), (0, &[1, 0, 0, 0, 0, 0, 0, 0][..]));
        assert_eq!(call(engine, "clock_res_get", &[3, OUT]).errno, 58);
    });
}

#[test]
fn random_bytes() {
    for_each_engine(|engine| {
        let prepare = |host: &Recorder| *host.random.borrow_mut() = vec![7];
        let call = |arguments: &[i64]| call_on(engine, "random_get", arguments, "", prepare);
        let seen = call(&[OUT, 3]);
        assert_eq!((seen.errno, &seen.memory[..4]), (0, &[7, 7, 7, 0xee][..]));
        assert_eq!(call(&[0, 65536]).errno, 0, "the limit is inclusive");
        assert_eq!(call(&[0, 65537]).errno, 28);
        assert_eq!(call(&[-1, 0]).errno, 0, "nothing is nowhere");
        assert_eq!(call(&[BAD - 2, 3]).errno, 21);
        assert_eq!(call_on(engine, "random_get", &[OUT, 3], "", |_| {}).errno, 29, "the host has none");
    });
}

/// Vectors at 16: "one\n" and "two\n" and an empty one, then one outside memory.
const VECTORS: &str = r#"
    (data (i32.const 64) "one\ntwo\n")
    (data (i32.const 16) "\40\00\00\00\04\00\00\00" "\44\00\00\00\04\00\00\00" "\00\00\00\00\00\00\00\00" "\ff\ff\00\00\02\00\00\00")
    (data (i32.const 128) "\47\00\00\00\01\00\00\00")"#;

#[test]
fn writes_become_one_line_each() {
    for_each_engine(|engine| {
        let write = |arguments: &[i64]| call_on(engine, "fd_write", arguments, VECTORS, |_| {});
        let size = |seen: &Seen| u32::from_le_bytes(*seen.memory.first_chunk().unwrap());

        let one = write(&[1, 16, 1, OUT]);
        assert_eq!((one.errno, size(&one)), (0, 4), "the size is that before the newline goes");
        assert_eq!(one.calls, ["write_stdio(Out, one)"]);

        let joined = write(&[2, 16, 3, OUT]);
        assert_eq!((joined.errno, size(&joined)), (0, 8));
        assert_eq!(joined.calls, [r"write_stdio(Err, one\ntwo)"]);

        let newline = write(&[1, 128, 1, OUT]);
        assert_eq!((newline.errno, size(&newline), newline.calls), (0, 1, vec!["write_stdio(Out, )".to_owned()]));

        for empty in [[1, 16, 0, OUT], [1, 32, 1, OUT]] {
            let seen = write(&empty);
            assert_eq!((seen.errno, size(&seen), seen.calls.len()), (0, 0, 0));
        }

        let positioned = call_on(engine, "fd_pwrite", &[1, 16, 1, 99, OUT], VECTORS, |_| {});
        assert_eq!((positioned.errno, positioned.calls.len()), (0, 1));
    });
}

#[test]
fn bad_writes_write_nothing() {
    for_each_engine(|engine| {
        for (arguments, errno, what) in [
            ([0, 16, 1, OUT], 8, "descriptor 0"),
            ([3, 16, 1, OUT], 8, "descriptor 3"),
            ([1, 16, 4, OUT], 21, "a vector outside memory"),
            ([1, 40, 1, OUT], 21, "a single vector outside memory"),
            ([1, BAD - 7, 1, OUT], 21, "a table outside memory"),
            ([1, 16, -1, OUT], 21, "a table larger than memory"),
        ] {
            let seen = call_on(engine, "fd_write", &arguments, VECTORS, |_| {});
            assert_eq!((seen.errno, seen.calls.len(), seen.memory[0]), (errno, 0, 0xee), "{what}");
        }
    });
}

#[test]
fn a_huge_write_is_cut_short_and_says_so() {
    // 1024 vectors of 2 KiB, all the same bytes: 2 MiB out of one page.
    let items = r#"
        (func (export "proxy_on_done") (param i32) (result i32) (local $i i32)
            (loop $next
                (i32.store (i32.mul (local.get $i) (i32.const 8)) (i32.const 32768))
                (i32.store offset=4 (i32.mul (local.get $i) (i32.const 8)) (i32.const 2048))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $next (i32.lt_u (local.get $i) (i32.const 1024))))
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1024) (i32.const 60000)))
            (i32.load (i32.const 60000)))"#;
    let import = r#"(import "wasi_unstable" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))"#;
    for_each_engine(|engine| {
        let (mut vm, _) = instantiate(engine, &module(import, items));
        assert_eq!(vm.call(DONE), Ok(Some(1 << 20)));
    });
}

#[test]
fn every_function_links_under_both_names() {
    let mut imports = String::new();
    for wasi in WASI_MODULES {
        for function in WASI_FUNCTIONS {
            let (parameters, results) = &function
                .signature
                .to_string()
                .split_once(" -> ")
                .map(|(p, r)| (p.replace("void", ""), r.replace("void", "")))
                .unwrap();
            imports +=
                &format!(r#"(import "{wasi}" "{}" (func (param {parameters}) (result {results})))"#, function.name);
        }
    }
    for_each_engine(|engine| {
        let (mut vm, _) = instantiate(engine, &module(&imports, ""));
        vm.start().unwrap();
    });
}
