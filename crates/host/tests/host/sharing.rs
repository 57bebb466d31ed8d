//! What VMs share: data, queues, metrics. And the calls that do not work yet.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::task::{Wake, Waker};

use sandgate_host::{HostLimits, Stat, WorkerHost};

use crate::on_every_engine;
use crate::world::{Runtime, World, begin};

on_every_engine! {
    shared_data_is_per_vm_id
    queues_wake_the_last_registrant
    metrics_belong_to_the_process
    metrics_are_bounded
    callouts_answer_as_without_clusters
    a_grpc_service_that_is_not_there_closes
    a_queue_reaches_another_thread
    logs_are_bounded
}

fn results(said: &[String]) -> Vec<&str> {
    said.iter().map(|line| line.split_once(") = ").map_or(line.as_str(), |(_, result)| result)).collect()
}

fn shared_data_is_per_vm_id(runtime: &Runtime) {
    let world = World::new(runtime);
    let script = "on request_headers:\n  get_shared_data(\"k\")\n  set_shared_data(\"k\", \"a\", 5)\n  get_shared_data(\"k\")\n  set_shared_data(\"k\", \"b\", 9)\n  set_shared_data(\"k\", \"\", 1)\n  get_shared_data(\"k\")";
    let handle = world.script(script);
    begin(&handle).context.on_request_headers(true);
    assert_eq!(results(&world.said()), ["1", "0", "0 \"a\" 1", "8", "0", "0 \"\" 2"]);
    let mut config = world.config("on request_headers:\n  get_shared_data(\"k\")");
    let same_id = world.plugin(config.clone());
    begin(&same_id).context.on_request_headers(true);
    assert_eq!(results(&world.said()), ["0 \"\" 2"]);
    config.vm.vm_id = "other".into();
    let other = world.plugin(config);
    begin(&other).context.on_request_headers(true);
    assert_eq!(results(&world.said()), ["1"]);
}

fn queues_wake_the_last_registrant(runtime: &Runtime) {
    let limits = HostLimits { queue_bytes: 200, ..HostLimits::default() };
    let world = World::with_limits(runtime, limits);
    let reader = world.script(
        "trace\non configure:\n  register_shared_queue(\"q\")\non queue_ready:\n  dequeue_shared_queue($token)\n  dequeue_shared_queue($token)",
    );
    let mut config = world.config(
        "on request_headers:\n  resolve_shared_queue(\"my_vm\", \"q\")\n  resolve_shared_queue(\"\", \"q\")\n  resolve_shared_queue(\"no\", \"q\")\n  \
         enqueue_shared_queue(1, \"one\")\n  enqueue_shared_queue(1, \"two\")\n  enqueue_shared_queue(1, \"three\")\n  enqueue_shared_queue(9, \"x\")\n  dequeue_shared_queue(9)",
    );
    config.vm.vm_id = "writer".into();
    let writer = world.plugin(config);
    begin(&writer).context.on_request_headers(true);
    assert_eq!(results(&world.said()), ["0 1", "1", "1", "0", "0", "10", "1", "1"]);
    world.worker.drain();
    assert_eq!(
        results(&world.said()),
        ["> queue_ready(1, 1)", "0 \"one\"", "0 \"two\"", "> queue_ready(1, 1)", "7", "7"]
    );
    drop(reader);
    world.log.take();
    // The consumer is gone, and the queue with its vm_id.
    begin(&writer).context.on_request_headers(true);
    world.worker.drain();
    assert_eq!(results(&world.said())[3..5], ["1", "1"]);
}

fn metrics_belong_to_the_process(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(
        "on request_headers:\n  $c = define_metric(0, \"c\")\n  $g = define_metric(1, \"g\")\n  $h = define_metric(2, \"h\")\n  define_metric(0, \"c\")\n  define_metric(3, \"x\")\n  \
         increment_metric($c, 2)\n  increment_metric($c, 0)\n  increment_metric($c, -1)\n  record_metric($c, 3)\n  get_metric($c)\n  \
         record_metric($g, 9)\n  increment_metric($g, -4)\n  get_metric($g)\n  \
         record_metric($h, 8)\n  increment_metric($h, 1)\n  get_metric($h)\n  \
         increment_metric(400, 1)\n  record_metric(400, 1)\n  get_metric(400)\n  get_metric(3)\n  record_metric(3, 1)",
    );
    begin(&handle).context.on_request_headers(true);
    assert_eq!(
        results(&world.said()),
        [
            "0 4", "0 5", "0 6", "0 8", "2", // define
            "0", "2", "2", "0", "0 5", // counter
            "0", "0", "0 5", // gauge
            "0", "2", "2", // histogram
            "1", "1", "1", "2", "1", // unknown
        ]
    );
    assert_eq!(world.stat("wasmcustom.c"), Some(Stat::Counter(5)));
    assert_eq!(world.stat("wasmcustom.g"), Some(Stat::Gauge(5)));
    assert!(matches!(world.stat("wasmcustom.h"), Some(Stat::Histogram(h)) if h.count() == 1 && h.count_to(8.0) == 1));
}

fn metrics_are_bounded(runtime: &Runtime) {
    let limits = HostLimits { metrics: 2, metric_ids: 3, ..HostLimits::default() };
    let world = World::with_limits(runtime, limits);
    let handle = world.script("on request_headers:\n  times 4: define_metric(0, \"m\") as status\n  define_metric(1, \"n\")\n  define_metric(1, \"o\")");
    begin(&handle).context.on_request_headers(true);
    let lines = world.log.take();
    let said = lines.iter().map(|(_, line)| line.as_str()).filter(|line| line.starts_with("wasm log"));
    let ends: Vec<_> = said.map(|line| line.rsplit_once(" = ").unwrap().1).collect();
    assert_eq!(ends, ["0", "0", "0", "10", "0 5", "10"]);
    // Each limit is told by its own name.
    for limit in ["metric_ids", "metrics"] {
        let told = lines
            .iter()
            .filter(|(_, line)| line.split(|c: char| !(c == '_' || c.is_alphabetic())).any(|word| word == limit));
        assert_eq!(told.count(), 1, "{limit}: {lines:?}");
    }
}

fn callouts_answer_as_without_clusters(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(
        "on request_headers:\n  times 2: http_call(\"c\", {\":path\": \"/\"}, \"\", {}, 100)\n  grpc_call(\"c\", \"s\", \"m\", {}, \"\", 0)\n  grpc_stream(\"c\", \"s\", \"m\", {})\n  grpc_cancel(7)\n  \
         grpc_send(6, \"\", 0)\n  grpc_send(5, \"\", 0)\n  grpc_cancel(4)\n  grpc_close(5)\n  get_status()\n  \
         call_foreign_function(\"clear_route_cache\", \"\")\n  call_foreign_function(\"no\", \"\")",
    );
    let exchange = begin(&handle);
    exchange.context.on_request_headers(true);
    let said = world.said();
    assert_eq!(results(&said), ["2", "2", "4", "4", "2", "1", "2", "2", "1", "0 0 \"\"", "0 \"\"", "1"]);
    assert_eq!(exchange.stream.asked(), [crate::stream::Asked::ClearRouteCache]);
}

fn a_grpc_service_that_is_not_there_closes(runtime: &Runtime) {
    let world = World::new(runtime);
    // A `GrpcService` that names the cluster "nope"; one that names nothing; one cut short.
    let handle = world.script(
        "on request_headers:\n  grpc_call(\"\\x0a\\x06\\x0a\\x04nope\", \"s\", \"m\", {}, \"\", 100)\n  grpc_stream(\"\\x0a\\x06\\x0a\\x04nope\", \"s\", \"m\", {})\n  \
         grpc_call(\"\", \"s\", \"m\", {}, \"\", 100)\n  grpc_call(\"\\x0a\\x06\\x0a\", \"s\", \"m\", {}, \"\", 100)\n\
         on grpc_close:\n  say $token + \" \" + $code\n  get_status()\n\
         on response_headers:\n  get_status()",
    );
    let exchange = begin(&handle);
    exchange.context.on_request_headers(true);
    let unavailable = "0 14 \"Cluster not available\"";
    assert_eq!(
        results(&world.said()),
        ["10", "10", "2", "4", "grpc_close: 5 14", unavailable, "grpc_close: 6 14", unavailable]
    );
    exchange.context.on_response_headers(true);
    assert_eq!(results(&world.said()), ["0 14 \"\""]);
}

struct Ring(Sender<()>);

impl Wake for Ring {
    fn wake(self: Arc<Self>) {
        self.0.send(()).unwrap();
    }
}

fn a_queue_reaches_another_thread(runtime: &Runtime) {
    let world = World::new(runtime);
    let reader =
        world
            .load(world.config(
                "on configure:\n  register_shared_queue(\"q\")\non queue_ready:\n  dequeue_shared_queue($token)",
            ))
            .unwrap();
    let mut config = world.config(
        "on request_headers:\n  $q = resolve_shared_queue(\"my_vm\", \"q\")\n  enqueue_shared_queue($q, \"hello\")",
    );
    config.vm.vm_id = "writer".into();
    let writer = world.plugin(config);
    let (ring, rung) = channel();
    let (ready, is_ready) = channel();
    let host = Arc::clone(&world.host);
    let other = std::thread::spawn(move || {
        let clock = crate::world::Clock { waker: Some(Waker::from(Arc::new(Ring(ring)))), ..Default::default() };
        let worker = WorkerHost::new(host, std::rc::Rc::new(clock));
        let _handle = worker.plugin_handle(&reader).unwrap();
        ready.send(()).unwrap();
        rung.recv().unwrap();
        worker.drain();
    });
    is_ready.recv().unwrap();
    world.log.take();
    begin(&writer).context.on_request_headers(true);
    other.join().unwrap();
    let said = world.said();
    let heard = "queue_ready: dequeue_shared_queue($token) = 0 \"hello\"";
    assert!(said.iter().any(|line| line == heard), "{said:?}");
}

fn logs_are_bounded(runtime: &Runtime) {
    let limits = HostLimits { log_line_bytes: 30, log_bytes_per_second: Some(80), ..HostLimits::default() };
    let world = World::with_limits(runtime, limits);
    let handle = world.script("on request_headers:\n  log(2, repeat(\"x\", 99)) as status\n  times 5: say \"more\"");
    begin(&handle).context.on_request_headers(true);
    let said = world.said();
    // 30 of the first, 30 of its report; one line of 21 fits no more than the budget lets it.
    assert_eq!(said, ["x".repeat(30), "request_headers: log(2, repeat".to_owned()]);
    world.pass(1000);
    begin(&handle).context.on_request_headers(true);
    let lines = world.log.take();
    assert!(lines[0].1.starts_with("5 log lines of vm_id \"my_vm\" dropped"), "{lines:?}");
    assert_eq!(lines[1].1.rsplit_once(' ').unwrap().1, "x".repeat(30));
}
