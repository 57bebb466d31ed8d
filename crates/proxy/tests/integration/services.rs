//! Plugins beside the listeners.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;

use bytes::Bytes;
use sandgate_abi::{Callback, CallbackKind};
use sandgate_config::model::{CodeSource, HttpFilterKind, WasmPlugin, WasmService};
use sandgate_host::{Host, HostCalls, NativeEngine, Output};

use crate::support::{Lines, Proxy, bootstrap, direct, eventually, hcm};
use crate::wasm::plugin;

const CLIENTS: usize = 24;
const REQUESTS: usize = 250;

/// What came back to a filter, how often, and on which threads.
type Drained = Arc<Mutex<HashMap<Vec<u8>, Vec<ThreadId>>>>;

fn native(name: &'static str) -> WasmPlugin {
    let HttpFilterKind::Wasm(wasm) = plugin("none", "").kind else { panic!("no plugin") };
    let mut wasm = *wasm;
    wasm.name = name.into();
    wasm.vm.runtime = NativeEngine::NAME.into();
    wasm.vm.code = CodeSource::Inline(Bytes::from_static(name.as_bytes()));
    wasm
}

fn take(host: &dyn HostCalls, queue: u32) -> Option<Vec<u8>> {
    let mut out = Output::default();
    host.dequeue_shared_queue(queue, &mut out).ok()?;
    Some(out.chunks().collect::<Vec<_>>().concat())
}

/// Sends back whatever comes.
fn service() -> impl FnMut(&dyn HostCalls, Callback) -> Option<u32> {
    let mut back = 0;
    move |host, callback| {
        match callback {
            Callback::Configure { .. } => {
                back = host.resolve_shared_queue(b"", b"done").ok()?;
                host.register_shared_queue(b"work").ok()?;
            }
            Callback::QueueReady { queue, .. } => {
                while let Some(element) = take(host, queue) {
                    host.enqueue_shared_queue(back, &element).ok()?;
                }
            }
            _ => {}
        }
        Some(1)
    }
}

/// Sends the path of every request to the service, and takes what has come back by then; between requests the worker that
/// registered last takes it.
fn filter(drained: &Drained) -> impl FnMut(&dyn HostCalls, Callback) -> Option<u32> + use<> {
    let drained = Arc::clone(drained);
    let (mut work, mut done) = (None, 0);
    let drain = move |host: &dyn HostCalls, queue| {
        while let Some(element) = take(host, queue) {
            drained.lock().unwrap().entry(element).or_default().push(std::thread::current().id());
        }
    };
    move |host, callback| {
        match callback {
            Callback::Configure { .. } => {
                done = host.register_shared_queue(b"done").ok()?;
                return Some(1);
            }
            Callback::RequestHeaders { .. } => {
                let queue = work.or_else(|| host.resolve_shared_queue(b"", b"work").ok());
                work = queue;
                let mut path = Output::default();
                host.get_header_map_value(sandgate_abi::MapType::HttpRequestHeaders, b":path", &mut path).ok()?;
                let value = path.chunks().collect::<Vec<_>>().concat();
                host.enqueue_shared_queue(queue?, &value).ok()?;
                drain(host, done);
            }
            Callback::QueueReady { queue, .. } => drain(host, queue),
            _ => {}
        }
        Some(0)
    }
}

#[test]
fn a_service_and_the_filters_of_all_workers_lose_nothing_to_each_other() {
    let mut hcm = hcm(vec![direct("/", 200, "on")]);
    let mut entry = plugin("none", "");
    entry.kind = HttpFilterKind::Wasm(Box::new(native("filter")));
    hcm.http_filters.insert(0, entry);
    let mut config = bootstrap(hcm, Vec::new());
    config.services.push(WasmService { plugin: native("service"), singleton: true });
    let drained = Drained::default();
    let of_filter = Arc::clone(&drained);
    let of_service = [CallbackKind::Configure, CallbackKind::QueueReady].into_iter().collect();
    let callbacks =
        [CallbackKind::Configure, CallbackKind::QueueReady, CallbackKind::RequestHeaders].into_iter().collect();
    let engine =
        NativeEngine::new()
            .with_plugin("service", of_service, service)
            .with_plugin("filter", callbacks, move || filter(&of_filter));
    let host = Host::builder(Arc::<Lines>::default()).engine(Arc::new(engine)).build();
    let proxy = Proxy::start(config, |options| {
        options.host = host;
        options.concurrency = 4;
    });

    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let proxy = &proxy;
            scope.spawn(move || {
                let mut connection = proxy.client();
                for request in 0..REQUESTS {
                    assert_eq!(connection.get(&format!("/{client}/{request}")).status(), 200);
                }
            });
        }
    });
    eventually("everything has come back", || drained.lock().unwrap().len() == CLIENTS * REQUESTS);
    let drained = drained.lock().unwrap();
    assert!(drained.values().all(|times| times.len() == 1), "something came twice");
    let threads: std::collections::HashSet<_> = drained.values().flatten().collect();
    assert!(threads.len() > 1, "one worker drained everything");
}
