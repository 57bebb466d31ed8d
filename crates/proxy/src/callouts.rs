//! Requests of plugins to clusters, as their host asks for them.

pub(crate) mod grpc;
pub(crate) mod grpc_frames;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use sandgate_config::model::{DnsLookupFamily, HashPolicy, HashSpecifier};
use sandgate_host::{
    Callout, Callouts, DnsDone, GrpcCall, GrpcEvents, GrpcRefusal, GrpcRequest, HttpCall, HttpCallDone,
    HttpCallResponse,
};
use sandgate_http::BodyBuffer;
use tokio::task::AbortHandle;

use crate::async_client::{AsyncFailure, AsyncOptions, AsyncReply, AsyncResponse, BufferedRequest};
use crate::worker::{Worker, guarded};

/// The callouts of one worker's plugins.
pub(crate) struct WorkerCallouts {
    worker: Rc<Worker>,
    ended: Cell<bool>,
}

/// A request that nobody sends any more.
struct Unsent;

/// A name that is being looked up.
struct LookUp(AbortHandle);

/// The runtime's switch for [`Callouts::propagates_trace_context`]; Envoy has none.
const PROPAGATE_TRACE_CONTEXT: &str = "sandgate.callouts.propagate_trace_context";

impl WorkerCallouts {
    pub(crate) fn new(worker: &Rc<Worker>) -> Rc<Self> {
        Rc::new(Self { worker: Rc::clone(worker), ended: Cell::new(false) })
    }

    /// The event loop ends: what plugins send from now on is not sent, of which they are told nothing.
    pub(crate) fn end(&self) {
        self.ended.set(true);
    }
}

impl Callouts for WorkerCallouts {
    fn has_cluster(&self, name: &[u8]) -> bool {
        std::str::from_utf8(name).is_ok_and(|name| self.worker.clusters.has(name))
    }

    fn propagates_trace_context(&self) -> bool {
        self.worker.runtime.boolean(PROPAGATE_TRACE_CONTEXT, false)
    }

    fn http_call(&self, cluster: &[u8], call: HttpCall, done: HttpCallDone) -> Option<Callout> {
        let cluster = self.worker.clusters.get(std::str::from_utf8(cluster).ok()?)?;
        if self.ended.get() {
            return Some(Box::new(Unsent));
        }
        let mut body = BodyBuffer::new();
        body.push(call.body);
        let options = AsyncOptions {
            timeout: call.timeout,
            hash_policies: vec![authority_hash()],
            send_xff: false,
            ..AsyncOptions::default()
        };
        let request = BufferedRequest { headers: call.headers, body, options };
        let done = move |result: Result<AsyncResponse, AsyncFailure>| {
            let response = result.ok();
            done(response.map(|AsyncResponse { headers, body, trailers }| HttpCallResponse {
                headers,
                body,
                trailers,
            }));
        };
        // An answer that is there at once is lost, as in Envoy.
        let stream = request.send(&self.worker, &cluster, done).map_err(|reply| {
            let AsyncReply { headers, body, details } = *reply;
            let status = String::from_utf8_lossy(headers.get(b":status").unwrap_or_default()).into_owned();
            let body = String::from_utf8_lossy(&body);
            let cluster = &cluster.config.name;
            log::debug!(target: "wasm", "a callout to {cluster} failed at once: {status} {details} {body}");
        });
        let stream = stream.ok()?;
        Some(Box::new(stream))
    }

    fn grpc_call(&self, request: &GrpcRequest<'_>, events: GrpcEvents) -> Result<Box<dyn GrpcCall>, GrpcRefusal> {
        grpc::start(&self.worker, request, events, self.ended.get())
    }

    fn resolve_dns(&self, name: &[u8], done: DnsDone) -> Callout {
        if self.ended.get() {
            return Box::new(Unsent);
        }
        let (name, dns) = (String::from_utf8_lossy(name).into_owned(), Arc::clone(&self.worker.dns));
        let look_up = async move {
            let found = dns.resolve(&name, DnsLookupFamily::Auto).await;
            let found = found.inspect_err(|error| log::debug!(target: "dns", "look-up of {name:?}: {error}"));
            done(found.ok());
        };
        Box::new(LookUp(tokio::task::spawn_local(guarded("DNS look-up", look_up)).abort_handle()))
    }
}

impl Drop for LookUp {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl GrpcCall for Unsent {
    fn send(&self, _message: &[u8], _end: bool) {}

    fn half_close(&self) {}

    fn queued_bytes(&self) -> usize {
        0
    }
}

/// Requests to one host name go to one host.
fn authority_hash() -> HashPolicy {
    HashPolicy { specifier: HashSpecifier::Header { name: ":authority".to_owned(), rewrite: None }, terminal: false }
}
