//! What a filter answers to the filter chain. Envoy's names (`envoy/http/filter.h`).

/// Which half of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The request: decoding.
    Request,
    /// The response: encoding.
    Response,
}

/// Answer to headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadersStatus {
    /// Go on to the next filter.
    Continue,
    /// Do not call further filters with headers; data and trailers still come to this filter.
    StopIteration,
    /// Stop everything; data is buffered, beyond the limit the stream fails (413 or 500).
    StopAllIterationAndBuffer,
    /// Stop everything; data is buffered, beyond the limit the source is not read.
    StopAllIterationAndWatermark,
}

/// Answer to a piece of body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataStatus {
    /// Pass it on (and, if headers were stopped here, those first).
    Continue,
    /// Keep it; beyond the limit the stream fails (413 or 500).
    StopIterationAndBuffer,
    /// Keep it; beyond the limit the source is not read.
    StopIterationAndWatermark,
    /// Neither pass nor keep: the filter has taken it.
    StopIterationNoBuffer,
}

/// Answer to trailers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrailersStatus {
    /// Go on to the next filter.
    Continue,
    /// Hold them.
    StopIteration,
}

/// A response made by the proxy or a filter instead of the upstream's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalReply {
    /// Not checked: Envoy sends whatever a plugin gives.
    pub status: u32,
    /// Sent with `content-type: text/plain` unless `headers` has one.
    pub body: Vec<u8>,
    /// Appended to the response headers, in order.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// For gRPC requests; derived from `status` if not given.
    pub grpc_status: Option<u32>,
    /// `%RESPONSE_CODE_DETAILS%`; white space becomes `_`.
    pub details: String,
}
