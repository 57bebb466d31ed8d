//! Requests of plugins to other services: what the embedder does, and what it is asked for.

use std::any::Any;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use sandgate_http::{BodyBuffer, HeaderMap};

use crate::{GrpcCall, GrpcEvents, GrpcRefusal, GrpcRequest};

/// Sends what plugins of one thread ask to be sent.
///
/// Called while a guest runs: nothing here may call back into the host, and an answer comes later, when no call into the host
/// is on the stack.
pub trait Callouts {
    /// Whether requests can be sent to a cluster of this name.
    fn has_cluster(&self, name: &[u8]) -> bool;
    /// Whether requests that a stream has caused are to carry its `traceparent` and `tracestate`. Envoy's never do.
    fn propagates_trace_context(&self) -> bool {
        false
    }
    /// Sends a request and gives `done` the response once, unless the result is dropped before: then the request is
    /// cancelled. `None` if it has failed at once; `done` is then forgotten.
    fn http_call(&self, cluster: &[u8], call: HttpCall, done: HttpCallDone) -> Option<Callout>;
    /// Begins a gRPC call, and tells `events` what becomes of it until it has ended or the result is dropped. A unary call's message
    /// is sent with it.
    ///
    /// # Errors
    /// Why there is no call; `events` are then forgotten.
    fn grpc_call(&self, request: &GrpcRequest<'_>, events: GrpcEvents) -> Result<Box<dyn GrpcCall>, GrpcRefusal>;
    /// Looks a host name up, its IPv6 addresses, or, if there are none, those of IPv4, and gives `done` what is found once,
    /// unless the result is dropped before.
    fn resolve_dns(&self, name: &[u8], done: DnsDone) -> Callout;
}

/// A request under way. To drop it cancels it, of which nobody hears; when it is over that does nothing.
pub type Callout = Box<dyn Any>;

/// Who waits for a response. `None` if there is none: it was reset after it had begun, or was too large. That no host could be
/// reached and that it took too long are responses, too.
pub type HttpCallDone = Box<dyn FnOnce(Option<HttpCallResponse>)>;

/// Who waits for the addresses of a name: empty if it has none. `None` if nobody knows.
pub type DnsDone = Box<dyn FnOnce(Option<Vec<DnsAddress>>)>;

/// An address of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DnsAddress {
    /// The address.
    pub ip: IpAddr,
    /// For how many seconds it may be kept; 0 if it did not come from a name server.
    pub ttl_s: u32,
}

/// A request of `proxy_http_call`.
#[derive(Debug)]
pub struct HttpCall {
    /// With `:method`, `:path` and `:authority`, and `content-length` if there is a body.
    pub headers: HeaderMap,
    /// May be empty.
    pub body: Bytes,
    /// Until the end of the response; `None` is no limit.
    pub timeout: Option<Duration>,
}

/// A response as a whole.
#[derive(Debug)]
pub struct HttpCallResponse {
    /// With `:status`.
    pub headers: HeaderMap,
    /// May be empty.
    pub body: BodyBuffer,
    /// Of a response that has some.
    pub trailers: Option<HeaderMap>,
}
