//! Properties.

use bytes::Bytes;

use crate::on_every_engine;
use crate::world::{Runtime, World, begin};

on_every_engine! {
    attributes_of_a_request
    attributes_of_a_response
    attributes_of_a_root
    what_plugins_keep_with_a_stream
    what_plugins_keep_is_bounded
    metadata_is_walked_into
    names_of_old
}

/// The results of reading each path in `callback`.
fn read(world: &World, callback: &str, paths: &[&str]) -> Vec<String> {
    let reads: String = paths.iter().map(|path| format!("\n  get_property({path})")).collect();
    let handle = world.script(&format!("on {callback}:{reads}"));
    let exchange = begin(&handle);
    exchange.context.on_request_headers(true);
    exchange.respond(&[(":status", "200"), ("x", "y"), ("grpc-status", "3")]);
    exchange.context.on_response_headers(true);
    exchange.end();
    world.said().iter().map(|line| line.split_once(") = ").unwrap().1.to_owned()).collect()
}

fn attributes_of_a_request(runtime: &Runtime) {
    let world = World::new(runtime);
    let paths = [
        "[\"request\", \"path\"]",
        "[\"request\", \"url_path\"]",
        "[\"request\", \"query\"]",
        "[\"request\", \"host\"]",
        "[\"request\", \"method\"]",
        "[\"request\", \"headers\", \"X-A\"]",
        "[\"request\", \"headers\", \"no\"]",
        "[\"request\", \"time\"] as int",
        "[\"request\", \"size\"] as int",
        "[\"request\", \"total_size\"] as int",
        "[\"request\", \"protocol\"]",
        "[\"request\"]",
        "[\"request\", \"path\", \"deeper\"]",
        "[\"request\", \"nope\"]",
        "\"request\\0path\\0\"",
        "\"\\0request\"",
        "\"\"",
        "[\"source\", \"address\"]",
        "[\"source\", \"port\"] as int",
        "[\"destination\", \"address\"]",
        "[\"connection\", \"id\"] as int",
        "[\"connection\", \"mtls\"] as int",
        "[\"connection_id\"] as int",
        "[\"plugin_name\"]",
        "[\"plugin_root_id\"]",
        "\"plugin_vm_id\\0\"",
        "[\"plugin_name\", \"x\"]",
        "[\"xds\", \"route_name\"]",
        "[\"xds\", \"listener_direction\"] as int",
        "[\"xds\", \"cluster_name\"]",
        "[\"metadata\"]",
        "[\"node\"]",
        "[\"response\", \"code\"] as int",
        "[\"response\", \"flags\"] as int",
    ];
    // `as` stands behind the parenthesis.
    let paths: Vec<_> = paths.iter().map(|path| path.split_once(" as ").map_or(*path, |(path, _)| path)).collect();
    let word = |n: u8| format!("0 \"\\x{n:02x}\\0\\0\\0\\0\\0\\0\\0\"");
    let expected = [
        "0 \"/a?q=1\"".to_owned(),
        "0 \"/a\"".into(),
        "0 \"q=1\"".into(),
        "0 \"h.com\"".into(),
        "0 \"GET\"".into(),
        "0 \"1,2\"".into(),
        "1".into(),
        "0 \"\\xd2\\x04\\0\\0\\0\\0\\0\\0\"".into(),
        word(5),
        "0 \"<\\0\\0\\0\\0\\0\\0\\0\"".into(),
        "0 \"HTTP/1.1\"".into(),
        "3".into(),
        "1".into(),
        "1".into(),
        "0 \"/a?q=1\"".into(),
        "1".into(),
        "3".into(),
        "0 \"10.0.0.1:4321\"".into(),
        "0 \"\\xe1\\x10\\0\\0\\0\\0\\0\\0\"".into(),
        "0 \"[::1]:80\"".into(),
        word(7),
        "0 \"\\0\"".into(),
        word(7),
        "0 \"my_plugin\"".into(),
        "0 \"my_root\"".into(),
        "0 \"my_vm\"".into(),
        "1".into(),
        "0 \"my_route\"".into(),
        word(1),
        "1".into(),
        "0 \"\"".into(),
        "1".into(),
        "1".into(),
        word(4),
    ];
    let found = read(&world, "request_headers", &paths);
    for ((path, expected), found) in paths.iter().zip(&expected).zip(&found) {
        assert_eq!(found, expected, "{path}");
    }
    assert_eq!(found.len(), expected.len());
}

fn attributes_of_a_response(runtime: &Runtime) {
    let world = World::new(runtime);
    let paths = [
        "[\"request\", \"path\"]",
        "[\"request\", \"headers\", \"x-a\"]",
        "[\"request\", \"protocol\"]",
        "[\"response\", \"code\"]",
        "[\"response\", \"headers\", \"x\"]",
        "[\"response\", \"grpc_status\"]",
        "[\"response\"]",
    ];
    let response = [
        "1",
        "1",
        "0 \"HTTP/1.1\"",
        "0 \"\\xc8\\0\\0\\0\\0\\0\\0\\0\"",
        "0 \"y\"",
        "0 \"\\x03\\0\\0\\0\\0\\0\\0\\0\"",
        "3",
    ];
    assert_eq!(read(&world, "response_headers", &paths), response);
    let log = ["0 \"/a?q=1\"", "0 \"1,2\"", response[2], response[3], response[4], response[5], "3"];
    assert_eq!(read(&world, "log", &paths), log);
}

fn attributes_of_a_root(runtime: &Runtime) {
    let world = World::new(runtime);
    // Node { id: "me", cluster: "here" }
    *world.clock.node.borrow_mut() = Some(Bytes::from_static(b"\x0a\x02me\x12\x04here"));
    let paths = [
        "[\"plugin_root_id\"]",
        "[\"xds\", \"node\", \"cluster\"]",
        "[\"xds\", \"node\", \"id\"]",
        "[\"xds\", \"route_name\"]",
        "[\"request\"]",
        "[\"connection_id\"]",
        "[\"filter_state\"]",
        "\"\"",
    ];
    let reads: String = paths.iter().map(|path| format!("\n  get_property({path})")).collect();
    let mut config = world.config("");
    config.vm.configuration = format!("on context_create, vm_start when $context == $root:{reads}").into();
    let plugin = world.load(config).unwrap();
    world.log.take();
    let _handle = world.worker.plugin_handle(&plugin).unwrap();
    let said = world.said();
    let found: Vec<_> = said.iter().map(|line| line.split_once(") = ").unwrap().1).collect();
    let each = ["0 \"my_root\"", "0 \"here\"", "0 \"me\"", "1", "1", "1", "1", "3"];
    assert_eq!(found, [each, each].concat());
}

fn what_plugins_keep_with_a_stream(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(
        "on request_headers:\n  get_property([\"mine\"])\n  set_property(\"mine\", \"v\\0w\")\n  get_property([\"mine\"])\n  get_property([\"filter_state\", \"wasm.mine\"])\n  \
         get_property([\"mine\", \"x\"])\n  set_property([\"a\", \"b\"], \"c\")\n  get_property([\"a\", \"b\"])\n  set_property([\"request\", \"path\"], \"x\")\n  get_property([\"request\", \"path\"])\n  \
         set_property(\"locked\", \"x\")\n  quiet set_effective_context($root)\n  set_property(\"k\", \"v\")\n\
         on response_headers:\n  get_property([\"mine\"])",
    );
    let exchange = begin(&handle);
    exchange.context.on_request_headers(true);
    exchange.context.on_response_headers(true);
    let said = world.said();
    let results: Vec<_> = said.iter().map(|line| line.split_once(") = ").unwrap().1).collect();
    assert_eq!(
        results,
        ["1", "0", "0 \"v\\0w\"", "0 \"v\\0w\"", "1", "0", "1", "0", "0 \"/a?q=1\"", "2", "1", "0 \"v\\0w\""]
    );
    assert_eq!(exchange.stream.state.borrow().get(&b"wasm.a\0b"[..]), Some(&Bytes::from_static(b"c")));
}

fn what_plugins_keep_is_bounded(runtime: &Runtime) {
    let limits = sandgate_host::HostLimits { property_bytes: 10, ..Default::default() };
    let world = World::with_limits(runtime, limits);
    let handle = world.script(
        "on request_headers:\n  set_property(\"k\", repeat(\"x\", 9))\n  set_property(\"k\", repeat(\"y\", 9))\n  set_property(\"l\", \"\")\n  set_property(\"k\", \"\")\n  set_property(\"l\", \"\")",
    );
    begin(&handle).context.on_request_headers(true);
    let said = world.said();
    let results: Vec<_> = said.iter().map(|line| line.split_once(") = ").unwrap().1).collect();
    assert_eq!(results, ["0", "0", "10", "0", "0"]);
}

fn metadata_is_walked_into(runtime: &Runtime) {
    let world = World::new(runtime);
    let at = |rest: &str| format!("[\"xds\", \"route_metadata\"{rest}]");
    let paths = [
        at(", \"filter_metadata\", \"ns\", \"k\""),
        at(", \"filter_metadata\", \"ns\", \"n\""),
        at(", \"filter_metadata\", \"ns\", \"none\""),
        at(", \"filter_metadata\", \"other\", \"k\""),
        at(", \"filter_metadata\""),
        at(", \"filter_metadata\", \"ns\""),
        at(", \"typed_filter_metadata\""),
        at(", \"filter_metadata\", \"ns\", \"k\", \"deeper\""),
    ];
    let paths: Vec<_> = paths.iter().map(String::as_str).collect();
    let found = read(&world, "request_headers", &paths);
    let namespace = r"\x02\0\0\0\x01\0\0\0\x03\0\0\0\x01\0\0\0\x08\0\0\0k\0abc\0n\0\0\0\0\0\0\0\xf8?\0";
    let whole = format!(r#"0 "\x01\0\0\0\x02\0\0\0%\0\0\0ns\0{namespace}\0""#);
    let namespace = format!("0 \"{namespace}\"");
    let number = r#"0 "\0\0\0\0\0\0\xf8?""#;
    assert_eq!(found, ["0 \"abc\"", number, "1", "1", &whole, &namespace, r#"0 "\0\0\0\0""#, "1"]);
}

fn names_of_old(runtime: &Runtime) {
    let script = "on request_headers:\n  get_property([\"route_name\"])\n  get_property([\"xds\", \"route_name\"])\n  \
                  get_property([\"route_name\", \"x\"])\n  get_property([\"listener_direction\"])\n  get_property([\"node\", \"nope\"])\n  \
                  quiet $token = call_foreign_function(\"expr_create\", \"route_name\")\n  \
                  call_foreign_function(\"expr_evaluate\", $token)\n  quiet set_effective_context($root)\n  \
                  get_property([\"node\", \"id\"])\n  get_property([\"route_name\"])";
    let answers = |on: bool| {
        let world = World::of(runtime, |builder| builder.old_attributes(on));
        let exchange = begin(&world.script(script));
        exchange.context.on_request_headers(true);
        let said = world.said();
        said.iter().map(|line| line.rsplit_once(" = ").unwrap().1.to_owned()).collect::<Vec<_>>()
    };
    let direction = "0 \"\\x01\\0\\0\\0\\0\\0\\0\\0\"";
    let name = "0 \"my_route\"";
    assert_eq!(answers(true), [name, name, "1", direction, "1", name, "0 \"\"", "1"]);
    assert_eq!(answers(false), ["1", name, "1", "1", "1", "10", "1", "1"]);
}
