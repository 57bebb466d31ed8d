//! Requests of our own to a cluster: Envoy's `AsyncClient` of one worker.

mod buffered;
mod stream;

use std::time::Duration;

use bytes::Bytes;
use sandgate_config::model::{HashPolicy, RetryPolicy};
use sandgate_http::{BodyBuffer, HeaderMap};

pub(crate) use buffered::{AsyncFailure, AsyncResponse, BufferedRequest};
pub(crate) use stream::AsyncStream;

/// How a request is sent.
#[derive(Clone, Debug)]
pub(crate) struct AsyncOptions {
    /// From the end of the request to the end of the response; `None` is no limit.
    pub(crate) timeout: Option<Duration>,
    /// What the host is chosen by, if the cluster's load balancing goes by a hash.
    pub(crate) hash_policies: Vec<HashPolicy>,
    /// `None` is no other attempt but what the request's own headers ask for.
    pub(crate) retry_policy: Option<RetryPolicy>,
    /// Bytes of the request that are kept for another attempt; 0 is no limit.
    pub(crate) buffer_limit: usize,
    /// The request says `x-envoy-internal: true`.
    pub(crate) send_internal: bool,
    /// The request's `x-forwarded-for` ends with this machine's address.
    pub(crate) send_xff: bool,
}

/// Who a response comes to, in this order: headers, any number of pieces of body, perhaps trailers, then the end. A reset may come
/// at any time instead and is the last. Nothing comes from inside a call to the stream, nor after the [`AsyncStream`] was dropped.
pub(crate) trait AsyncCallbacks {
    /// Never those of a 1xx response. What stands for a missing response (a timeout is a 504) comes here, too.
    fn on_headers(&mut self, headers: HeaderMap, end_stream: bool);
    fn on_data(&mut self, data: BodyBuffer, end_stream: bool);
    fn on_trailers(&mut self, trailers: HeaderMap);
    /// The response is complete.
    fn on_complete(&mut self);
    /// The response has begun and cannot end.
    fn on_reset(&mut self);
}

/// What a request came to at once, such as that there is no healthy host: the callbacks will hear nothing.
#[derive(Debug)]
pub(crate) struct AsyncReply {
    /// With `:status`; for gRPC requests with `grpc-status`.
    pub(crate) headers: HeaderMap,
    /// Empty if headers are all.
    pub(crate) body: Bytes,
    /// Why, such as `no_healthy_upstream`.
    pub(crate) details: String,
}

impl Default for AsyncOptions {
    /// As Envoy's: no timeout, `x-envoy-internal` and `x-forwarded-for` sent.
    fn default() -> Self {
        Self {
            timeout: None,
            hash_policies: Vec::new(),
            retry_policy: None,
            buffer_limit: 0,
            send_internal: true,
            send_xff: true,
        }
    }
}
