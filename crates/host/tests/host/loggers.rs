//! Root contexts that hear of finished streams (access logs), and of stats.

use std::rc::Rc;

use sandgate_host::{FailurePolicy, UpdatedStat};

use crate::on_every_engine;
use crate::stream::{MockStream, headers};
use crate::world::{Runtime, World};

on_every_engine! {
    a_logger_reads_and_changes_nothing
    a_logger_forgets_the_stream
    a_logger_that_traps_is_silent
    a_logger_is_made_anew
    stats_are_shown_to_their_root
}

fn finished(path: &str) -> Rc<MockStream> {
    let stream = MockStream::get(path);
    *stream.response_headers.borrow_mut() = Some(headers(&[(":status", "200")]));
    Rc::new(stream)
}

fn a_logger_reads_and_changes_nothing(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(
        "on log:\n  say $context\n  get_header_map_value(0, \":path\")\n  get_header_map_value(2, \":status\")\n  get_header_map_value(3, \"a\")\n  \
         add_header_map_value(0, \"a\", \"b\")\n  get_property([\"request\", \"path\"])\n  get_property([\"connection_id\"])\n  \
         set_property([\"a\"], \"b\")\n  send_local_response(403, \"\", \"\", {}, -1)\n  close_stream(0)\n",
    );
    let stream = finished("/a");
    handle.log(Rc::clone(&stream) as _);
    let said = world.said();
    assert_eq!(said[0], "log: 1");
    for (line, end) in
        said[1..].iter().zip(["= 0 \"/a\"", "= 0 \"200\"", "= 1", "= 2", "= 0 \"/a\"", "= 1", "= 1", "= 0", "= 0"])
    {
        assert!(line.ends_with(end), "{line}");
    }
    assert_eq!(said.len(), 10);
    assert!(stream.asked.borrow().is_empty());
}

fn a_logger_forgets_the_stream(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(
        "on configure:\n  quiet set_tick_period_milliseconds(1)\non tick:\n  get_header_map_value(0, \":path\")\n  get_property([\"request\", \"path\"])\n",
    );
    let stream = finished("/a");
    handle.log(Rc::clone(&stream) as _);
    assert_eq!(Rc::strong_count(&stream), 1);
    world.worker.run_due(u64::MAX);
    let said = world.said();
    assert!(said[0].ends_with("= 2") && said[1].ends_with("= 1"), "{said:?}");
    assert_eq!(world.worker.context_count(), 1);
}

fn a_logger_that_traps_is_silent(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script("on log:\n  say \"logs\"\n  trap unreachable\n");
    let stream = finished("/a");
    handle.log(Rc::clone(&stream) as _);
    handle.log(Rc::clone(&stream) as _);
    assert_eq!(world.said(), ["log: logs"]);
    assert_eq!(Rc::strong_count(&stream), 1);
    handle.stats_update(&[]);
    assert!(!handle.is_alive());
}

fn a_logger_is_made_anew(runtime: &Runtime) {
    let world = World::new(runtime);
    let mut config = world.config("on log:\n  say \"logs\"\n  trap unreachable\n");
    config.failure_policy = FailurePolicy::FailReload;
    let handle = world.plugin(config);
    let stream = finished("/a");
    for seconds in [0, 0, 10] {
        world.pass(seconds * 1000);
        handle.log(Rc::clone(&stream) as _);
    }
    assert_eq!(world.said(), ["log: logs", "log: logs"]);
}

fn stats_are_shown_to_their_root(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(
        "on stats_update:\n  say $context + \" \" + $size\n  get_buffer_bytes(8, 0, 99)\n  set_buffer_bytes(8, 0, 1, \"x\")\n  \
         get_buffer_status(8)\n",
    );
    handle.stats_update(&[UpdatedStat::Counter { name: "c", value: 3, delta: 2 }]);
    let said = world.said();
    assert_eq!(said[0], "stats_update: 1 52");
    let bytes = "(\\0\\0\\0\\x01\\0\\0\\0\\x01\\0\\0\\0\\x01\\0\\0\\0c\\0\\0\\0\\0\\0\\0\\0\\x03\\0\\0\\0\\0\\0\\0\\0\\x02\\0\\0\\0\\0\\0\\0\\0\
                 \\x0c\\0\\0\\0\\x02\\0\\0\\0\\0\\0\\0\\0";
    assert!(said[1].ends_with(&format!("= 0 \"{bytes}\"")), "{}", said[1]);
    assert!(said[2].ends_with("= 2") && said[3].ends_with("= 0 52 0"), "{said:?}");
}
