//! What the SDKs take for granted, and panic, abort or go astray without: their dispatchers' rules, checked on what a
//! guest is told in random stories, and the answers that their wrappers of hostcalls know.

use std::collections::{HashMap, HashSet};

use crate::any_order::{Random, story};
use crate::on_every_engine;
use crate::stream::{body, headers};
use crate::world::{Runtime, World, begin};

on_every_engine! {
    callbacks_keep_every_dispatchers_rules
    every_context_that_lives_can_be_made_effective
    a_root_knows_its_root_id_before_it_starts
    wrappers_know_the_answers
    the_largest_lengths_mean_all
    an_absent_map_reads_as_an_empty_one
    clocks_go_on_within_a_callback
}

/// As strict as all SDKs' dispatchers together, fed with the lines of a probe's `trace`.
#[derive(Default)]
struct Dispatcher {
    /// Living contexts, and their parents.
    contexts: HashMap<i64, i64>,
    started: HashSet<i64>,
    logged: HashSet<i64>,
    done: HashSet<i64>,
}

impl Dispatcher {
    fn take(&mut self, line: &str) {
        let Some((name, arguments)) = line.strip_prefix("> ").and_then(|line| line.split_once('(')) else { return };
        let arguments: Vec<i64> =
            arguments.trim_end_matches(')').split(", ").filter_map(|number| number.parse().ok()).collect();
        let context = arguments[0];
        if name == "context_create" {
            let parent = arguments[1];
            // Rust: "duplicate context_id", "invalid root_context_id"; Go and Zig panic too.
            assert!(context != 0, "0 is no context: {line}");
            assert!(parent == 0 || self.contexts.get(&parent) == Some(&0), "parent is no root: {line}");
            assert_eq!(self.contexts.insert(context, parent), None, "duplicate: {line}");
            return;
        }
        // Rust: "invalid context_id"; AssemblyScript aborts; C++ goes through a null pointer.
        let parent = *self.contexts.get(&context).unwrap_or_else(|| panic!("unknown context: {line}"));
        assert!(!self.done.contains(&context) || name == "delete" || parent == 0, "after done: {line}");
        match name {
            "vm_start" => assert!(self.started.insert(context) && parent == 0, "{line}"),
            "configure" => assert!(self.started.contains(&context) && parent == 0, "before its start: {line}"),
            // They are the root's business; Go looks the root up.
            "tick" | "queue_ready" | "http_call_response" | "grpc_close" => assert_eq!(parent, 0, "{line}"),
            "log" => assert!(self.logged.insert(context) && parent != 0, "logged twice: {line}"),
            "done" => {
                // Go tells a stream's end in its log callback.
                assert!(parent == 0 || self.logged.contains(&context), "not logged: {line}");
                assert!(self.done.insert(context), "done twice: {line}");
            }
            "delete" => {
                assert!(self.done.contains(&context), "not done: {line}");
                assert!(!self.contexts.values().any(|of| *of == context), "its streams live: {line}");
                self.contexts.remove(&context);
            }
            _ => assert_ne!(parent, 0, "not for a root: {line}"),
        }
    }
}

fn callbacks_keep_every_dispatchers_rules(runtime: &Runtime) {
    let mut random = Random(7);
    let mut callbacks = 0;
    for _ in 0..100 {
        let script = random.script();
        let mut dispatcher = Dispatcher::default();
        // The root context, whose beginning is not among the lines.
        dispatcher.take("> context_create(1, 0)");
        for line in &story(runtime, &script).0 {
            dispatcher.take(line);
            callbacks += usize::from(line.starts_with("> "));
        }
        dispatcher.contexts.remove(&1);
        assert!(dispatcher.contexts.is_empty(), "left behind by\n{script}");
    }
    assert!(callbacks > 100 * 10, "{callbacks}");
}

/// The Rust SDK calls it before each callback of a callout and panics unless it answers `OK`.
fn every_context_that_lives_can_be_made_effective(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(
        "on request_headers, tick, log, done, delete:\n  set_effective_context($context)\n  set_effective_context($root)\n  \
         set_effective_context($stream)",
    );
    let exchange = begin(&handle);
    exchange.context.on_request_headers(true);
    world.pass(1);
    exchange.end();
    let said = world.said();
    assert!(said.len() >= 4 * 3, "{said:#?}");
    assert!(said.iter().all(|line| line.ends_with(" = 0")), "{said:#?}");
}

/// C++ and AssemblyScript guests abort without it; C++ uses the root context in `proxy_on_vm_start` without a check.
fn a_root_knows_its_root_id_before_it_starts(runtime: &Runtime) {
    let world = World::new(runtime);
    let mut config = world.config("");
    config.vm.configuration = "trace\non context_create, vm_start:\n  get_property(\"plugin_root_id\")".into();
    let plugin = world.load(config).unwrap();
    world.log.take();
    let _handle = world.worker.plugin_handle(&plugin).unwrap();
    let said = world.said();
    let expected = [
        "> context_create(1, 0)",
        "context_create: get_property(\"plugin_root_id\") = 0 \"my_root\"",
        "vm_start: get_property(\"plugin_root_id\") = 0 \"my_root\"",
    ];
    let at = |line: &str| said.iter().position(|said| said == line).unwrap_or_else(|| panic!("{line}: {said:#?}"));
    assert!(at(expected[0]) < at(expected[1]) && at(expected[1]) < at(expected[2]), "{said:#?}");
}

/// Which statuses the wrappers of the Rust SDK turn into a value; all others panic.
fn wrappers_know_the_answers(runtime: &Runtime) {
    const KNOWN: [(&str, &[u32]); 27] = [
        ("log(2, \"x\")", &[0]),
        ("get_log_level()", &[0]),
        ("get_current_time_nanoseconds()", &[0]),
        ("set_tick_period_milliseconds(0)", &[0]),
        ("get_buffer_bytes(0, 0, 0xffffffff)", &[0, 1]),
        ("get_buffer_bytes(4, 0, 0xffffffff)", &[0, 1]),
        ("get_buffer_bytes(7, 0, 0xffffffff)", &[0, 1]),
        ("get_header_map_pairs(0)", &[0]),
        ("get_header_map_pairs(1)", &[0]),
        ("get_header_map_pairs(3)", &[0]),
        ("get_header_map_pairs(6)", &[0]),
        ("get_property([\"none\"])", &[0, 1, 3, 10]),
        ("get_property([\"request\"])", &[0, 1, 3, 10]),
        ("set_shared_data(\"k\", \"v\", 0)", &[0, 8]),
        ("set_shared_data(\"k\", \"v\", 1000)", &[0, 8]),
        ("get_shared_data(\"none\")", &[0, 1]),
        ("register_shared_queue(\"q\")", &[0]),
        ("resolve_shared_queue(\"none\", \"q\")", &[0, 1]),
        ("enqueue_shared_queue(1000, \"x\")", &[0, 1]),
        ("dequeue_shared_queue(1000)", &[0, 1, 7]),
        ("define_metric(0, \"m\")", &[0]),
        ("record_metric(1000, 1)", &[0, 1]),
        ("increment_metric(1000, 1)", &[0, 1, 2]),
        ("http_call(\"nowhere\", {}, \"\", {}, 5)", &[0, 2, 10]),
        ("grpc_call(\"\\xff\", \"s\", \"m\", {}, \"\", 5)", &[0, 4, 10]),
        ("call_foreign_function(\"none\", \"\")", &[0, 1, 2, 3, 10]),
        ("set_effective_context(1000)", &[0, 2]),
    ];
    let mut script =
        String::from("on request_headers, request_body, response_headers, response_body, tick, log, done:\n");
    for (call, _) in KNOWN {
        script.push_str(&format!("{call} as status\n"));
    }
    let world = World::new(runtime);
    let handle = world.script(&script);
    let exchange = begin(&handle);
    exchange.context.on_request_headers(false);
    exchange.context.on_request_body(&mut body("abc"), true);
    exchange.respond(&[(":status", "200")]);
    exchange.context.on_response_headers(false);
    exchange.context.on_response_body(&mut body("abc"), true);
    exchange.end();
    let said = world.said();
    let mut seen = 0;
    for line in said.iter().filter(|line| line.contains(" = ")) {
        let (call, status) = line.rsplit_once(" = ").unwrap();
        let status = status.split(' ').next().unwrap();
        let (_, known) = KNOWN.iter().find(|(known, _)| call.contains(known)).unwrap_or_else(|| panic!("{line}"));
        assert!(known.contains(&status.parse().unwrap()), "{line}");
        seen += 1;
    }
    assert!(seen >= 6 * KNOWN.len(), "{seen} of {said:#?}");
}

/// Go replaces with `MaxInt32`, Zig and Rust with `usize::MAX`; both append at such places.
fn the_largest_lengths_mean_all(runtime: &Runtime) {
    for largest in ["0x7fffffff", "0xffffffff"] {
        let world = World::new(runtime);
        let handle = world.script(&format!(
            "on request_body:\n  set_buffer_bytes(0, 0, {largest}, \"new\")\n  set_buffer_bytes(0, {largest}, 0, \"er\")\n  \
             set_buffer_bytes(0, 0, 0, \"a \")\n  get_buffer_bytes(0, 0, {largest})"
        ));
        let exchange = begin(&handle);
        exchange.context.on_request_headers(false);
        exchange.context.on_request_body(&mut body("old and long"), true);
        let said = world.said();
        assert!(said.last().unwrap().ends_with(" = 0 \"a newer\""), "{said:#?}");
    }
}

/// Rust's `get_map` knows nothing but `OK`; Go panics on a map of less than four bytes that is not null.
fn an_absent_map_reads_as_an_empty_one(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle =
        world.script("on configure, request_headers, log:\n  get_header_map_pairs(1)\n  get_header_map_pairs(3)");
    let exchange = begin(&handle);
    exchange.context.on_request_headers(true);
    *exchange.stream.request_trailers.borrow_mut() = Some(headers(&[]));
    exchange.end();
    let said = world.said();
    assert_eq!(said.len(), 4, "{said:#?}");
    assert!(said.iter().all(|line| line.ends_with(" = 0 {}")), "{said:#?}");
}

/// `time.Sleep` of Go spins until the clock has gone on.
fn clocks_go_on_within_a_callback(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(
        "on request_headers:\n  $a = get_current_time_nanoseconds()\n  $b = get_current_time_nanoseconds()\n  \
         if $b >= $a: say \"on\"",
    );
    begin(&handle).context.on_request_headers(true);
    assert!(world.said().iter().any(|line| line == "request_headers: on"));
}
