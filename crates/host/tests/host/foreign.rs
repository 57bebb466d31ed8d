//! Foreign functions: an embedder's own, and the limit of `uncompress`. What Envoy's answer is shown by conformance cases.

use sandgate_abi::Status;
use sandgate_host::HostLimits;

use crate::on_every_engine;
use crate::world::{Runtime, World, begin};

on_every_engine! {
    an_embedder_adds_functions
    a_bomb_is_refused_at_the_limit
}

fn results(said: &[String]) -> Vec<&str> {
    said.iter().map(|line| line.split_once(") = ").map_or(line.as_str(), |(_, result)| result)).collect()
}

fn an_embedder_adds_functions(runtime: &Runtime) {
    let world = World::of(runtime, |builder| {
        builder
            .foreign_function("whoami", |call, out| {
                out.extend(call.plugin_name.as_bytes());
                out.extend(b"/");
                out.extend(call.root_id.as_bytes());
                out.extend(if call.stream.is_some() { &b" of a stream: "[..] } else { b" of a root: " });
                out.extend(call.arguments);
                Ok(())
            })
            .foreign_function("refuses", |_, out| {
                out.extend(b"half of it");
                Err(Status::BadArgument)
            })
            .foreign_function("compress", |_, _| Ok(()))
    });
    let handle = world.script(
        "on request_headers:\n  call_foreign_function(\"whoami\", \"b\\x00\")\n  \
         call_foreign_function(\"refuses\", \"\")\n  call_foreign_function(\"compress\", \"x\")\n  call_foreign_function(\"who\", \"\")\n  set_effective_context($root)\n  call_foreign_function(\"whoami\", \"a\")",
    );
    begin(&handle).context.on_request_headers(true);
    let stream = "0 \"my_plugin/my_root of a stream: b\\0\"";
    let root = "0 \"my_plugin/my_root of a root: a\"";
    assert_eq!(results(&world.said()), [stream, "2", "0 \"\"", "1", "0", root]);
}

fn a_bomb_is_refused_at_the_limit(runtime: &Runtime) {
    let limits = HostLimits { uncompressed_bytes: 1 << 20, ..HostLimits::default() };
    let world = World::with_limits(runtime, limits);
    let handle = world.script(
        "on request_headers:\n  $good = call_foreign_function(\"compress\", repeat(\"0\", 1048576)) as status\n  $bomb = call_foreign_function(\"compress\", repeat(\"0\", 1048577)) as status\n  \
         call_foreign_function(\"uncompress\", $good) as len\n  call_foreign_function(\"uncompress\", $bomb)\n  call_foreign_function(\"uncompress\", $bomb)",
    );
    begin(&handle).context.on_request_headers(true);
    let lines = world.log.take();
    let said: Vec<_> = lines.iter().filter(|(_, line)| line.starts_with("wasm log")).map(|(_, l)| l.clone()).collect();
    assert_eq!(results(&said), ["0", "0", "0 1048576 bytes", "10", "10"]);
    let told = lines.iter().filter(|(_, line)| line.contains("has reached the limit uncompressed_bytes of 1048576"));
    assert_eq!(told.count(), 1);
}
