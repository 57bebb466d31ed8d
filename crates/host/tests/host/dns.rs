//! Names that plugins look up, with an embedder that answers when the test says so.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use sandgate_host::{
    Callout, Callouts, DnsAddress, DnsDone, GrpcCall, GrpcEvents, GrpcRefusal, GrpcRequest, HostLimits, HttpCall,
    HttpCallDone,
};

use crate::on_every_engine;
use crate::world::{Runtime, World, begin};

on_every_engine! {
    addresses_are_laid_out_as_in_envoy
    what_nobody_knows_has_no_bytes
    a_stream_asks_for_its_root
    names_are_forgotten_with_their_root
    names_are_forgotten_with_their_vm
    look_ups_are_bounded
}

/// What was asked for, and who waits.
#[derive(Default)]
struct Names {
    asked: RefCell<Vec<(Vec<u8>, Option<DnsDone>)>>,
    dropped: Rc<Cell<usize>>,
}

struct Guard(Rc<Cell<usize>>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

impl Callouts for Names {
    fn has_cluster(&self, _: &[u8]) -> bool {
        false
    }

    fn http_call(&self, _: &[u8], _: HttpCall, _: HttpCallDone) -> Option<Callout> {
        None
    }

    fn grpc_call(&self, _: &GrpcRequest<'_>, _: GrpcEvents) -> Result<Box<dyn GrpcCall>, GrpcRefusal> {
        Err(GrpcRefusal::UnknownTarget)
    }

    fn resolve_dns(&self, name: &[u8], done: DnsDone) -> Callout {
        self.asked.borrow_mut().push((name.to_vec(), Some(done)));
        Box::new(Guard(Rc::clone(&self.dropped)))
    }
}

impl Names {
    fn answer(&self, index: usize, addresses: Option<&[(&str, u32)]>) {
        let done = self.asked.borrow_mut()[index].1.take().unwrap();
        let address = |&(ip, ttl_s): &(&str, u32)| DnsAddress { ip: ip.parse().unwrap(), ttl_s };
        done(addresses.map(|addresses| addresses.iter().map(address).collect()));
    }
}

fn world(runtime: &Runtime, limits: HostLimits) -> (World, Rc<Names>) {
    let world = World::with_limits(runtime, limits);
    let names = Rc::<Names>::default();
    *world.clock.callouts.borrow_mut() = Some(Rc::clone(&names) as _);
    (world, names)
}

const ANSWERED: &str =
    "on resolve_dns:\n  say $context + \" \" + $token + \" \" + $size\n  get_buffer_bytes(8, 0, 99)\n";

fn addresses_are_laid_out_as_in_envoy(runtime: &Runtime) {
    let (world, names) = world(runtime, HostLimits::default());
    let script = format!(
        "on tick:\n  set_tick_period_milliseconds(0)\n  envoy_resolve_dns(\"a.b\")\n  envoy_resolve_dns(\"c\")\non configure:\n  quiet \
         set_tick_period_milliseconds(1)\n{ANSWERED}  get_buffer_status(8)\n  get_buffer_bytes(8, 4, 1)\n  set_buffer_bytes(8, 0, 1, \"x\")"
    );
    let _handle = world.script(&script);
    world.log.take();
    world.worker.run_due(u64::MAX);
    let said = world.said();
    assert!(said[1].ends_with("\"a.b\") = 0 2") && said[2].ends_with("\"c\") = 0 3"), "{said:?}");
    names.answer(1, Some(&[("10.0.0.1", 30), ("2001:db8::5", 7)]));
    let said = world.said();
    assert_eq!(said[0], "resolve_dns: 1 3 39");
    let bytes = "\\x02\\0\\0\\0\\x1e\\0\\0\\0\\x07\\0\\0\\010.0.0.1:0\\0[2001:db8::5]:0\\0";
    assert!(said[1].ends_with(&format!("= 0 \"{bytes}\"")), "{said:?}");
    assert!(
        said[2].ends_with("= 0 39 0") && said[3].ends_with("= 0 \"\\x1e\"") && said[4].ends_with("= 2"),
        "{said:?}"
    );
    assert_eq!(names.asked.borrow()[0].0, b"a.b");
    assert_eq!(names.dropped.get(), 1);
}

fn what_nobody_knows_has_no_bytes(runtime: &Runtime) {
    let (world, names) = world(runtime, HostLimits::default());
    let handle = world.script(&format!("on request_headers:\n  times 2: quiet envoy_resolve_dns(\"a\")\n{ANSWERED}"));
    begin(&handle).context.on_request_headers(true);
    world.log.take();
    names.answer(0, Some(&[]));
    names.answer(1, None);
    let said = world.said();
    assert_eq!((&*said[0], &*said[2]), ("resolve_dns: 1 2 4", "resolve_dns: 1 3 0"));
    assert!(said[1].ends_with("= 0 \"\\0\\0\\0\\0\"") && said[3].ends_with("= 0 \"\""), "{said:?}");
}

fn a_stream_asks_for_its_root(runtime: &Runtime) {
    let (world, names) = world(runtime, HostLimits::default());
    let script = "on request_headers:\n  envoy_resolve_dns(\"a\")\non response_headers:\n  get_buffer_bytes(8, 0, 9)\n";
    let handle = world.script(&format!("{script}{ANSWERED}"));
    let exchange = begin(&handle);
    exchange.context.on_request_headers(true);
    names.answer(0, Some(&[]));
    world.log.take();
    exchange.respond(&[(":status", "200")]);
    exchange.context.on_response_headers(true);
    // What the root was given is not the stream's.
    assert!(world.said()[0].ends_with("= 0 \"\""));
    exchange.end();
    drop(exchange);
    assert_eq!(world.worker.context_count(), 1);
}

fn names_are_forgotten_with_their_root(runtime: &Runtime) {
    let (world, names) = world(runtime, HostLimits::default());
    let handle = world.script(&format!("on request_headers:\n  envoy_resolve_dns(\"a\")\n{ANSWERED}"));
    let exchange = begin(&handle);
    exchange.context.on_request_headers(true);
    exchange.end();
    drop((exchange, handle));
    assert_eq!(names.dropped.get(), 1);
    world.log.take();
    names.answer(0, None);
    assert_eq!(world.said(), [""; 0]);
}

fn names_are_forgotten_with_their_vm(runtime: &Runtime) {
    let (world, names) = world(runtime, HostLimits::default());
    let script = "on request_headers:\n  times 2: envoy_resolve_dns(\"a\")\non resolve_dns:\n  trap unreachable\n";
    let handle = world.script(script);
    begin(&handle).context.on_request_headers(true);
    names.answer(0, None);
    assert!(!handle.is_alive());
    assert_eq!(names.dropped.get(), 2);
    world.log.take();
    names.answer(1, None);
    assert_eq!(world.log.take(), []);
}

fn look_ups_are_bounded(runtime: &Runtime) {
    let (world, names) = world(runtime, HostLimits { callouts: 2, ..HostLimits::default() });
    let handle = world.script("on request_headers:\n  times 3: envoy_resolve_dns(\"a\")");
    begin(&handle).context.on_request_headers(true);
    let said = world.said();
    assert!(said[0].ends_with("= 0 2") && said[1].ends_with("= 0 3") && said[2].ends_with("= 10"), "{said:?}");
    assert_eq!(names.asked.borrow().len(), 2);
}
