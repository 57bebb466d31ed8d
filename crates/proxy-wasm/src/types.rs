//! The SDK's types: enums of the ABI with their numbers.

use crate::traits::{HttpContext, RootContext, StreamContext};

/// Makes a root context.
pub type NewRootContext = fn(context_id: u32) -> Box<dyn RootContext>;
/// Makes the context of a TCP stream.
pub type NewStreamContext = fn(context_id: u32, root_context_id: u32) -> Box<dyn StreamContext>;
/// Makes the context of an HTTP stream.
pub type NewHttpContext = fn(context_id: u32, root_context_id: u32) -> Box<dyn HttpContext>;
/// Any bytes.
pub type Bytes = Vec<u8>;

macro_rules! numbers {
    ($(#[$meta:meta])* $name:ident { $($variant:ident = $value:literal,)+ }) => {
        $(#[$meta])*
        #[repr(u32)]
        #[derive(Copy, Clone, Eq, PartialEq, Hash, Debug)]
        #[expect(missing_docs, reason = "the spec's names")]
        pub enum $name { $($variant = $value,)+ }
    };
}

numbers!(
    /// How important a log line is.
    LogLevel {
        Trace = 0,
        Debug = 1,
        Info = 2,
        Warn = 3,
        Error = 4,
        Critical = 5,
    }
);
numbers!(
    /// What a callback wants of its stream.
    #[non_exhaustive]
    Action {
        Continue = 0,
        Pause = 1,
    }
);
numbers!(
    /// What hostcalls answer, as far as plugins are to know.
    #[non_exhaustive]
    Status {
        Ok = 0,
        NotFound = 1,
        BadArgument = 2,
        SerializationFailure = 3,
        ParseFailure = 4,
        Empty = 7,
        CasMismatch = 8,
        InternalFailure = 10,
    }
);
numbers!(
    /// What a root context makes for each stream.
    #[non_exhaustive]
    ContextType {
        HttpContext = 0,
        StreamContext = 1,
    }
);
numbers!(
    /// What can be resumed or closed.
    #[non_exhaustive]
    StreamType {
        HttpRequest = 0,
        HttpResponse = 1,
        Downstream = 2,
        Upstream = 3,
    }
);
numbers!(
    /// The byte buffers.
    #[non_exhaustive]
    BufferType {
        HttpRequestBody = 0,
        HttpResponseBody = 1,
        DownstreamData = 2,
        UpstreamData = 3,
        HttpCallResponseBody = 4,
        GrpcReceiveBuffer = 5,
        VmConfiguration = 6,
        PluginConfiguration = 7,
        CallData = 8,
    }
);
numbers!(
    /// The maps of names and values.
    #[non_exhaustive]
    MapType {
        HttpRequestHeaders = 0,
        HttpRequestTrailers = 1,
        HttpResponseHeaders = 2,
        HttpResponseTrailers = 3,
        GrpcReceiveInitialMetadata = 4,
        GrpcReceiveTrailingMetadata = 5,
        HttpCallResponseHeaders = 6,
        HttpCallResponseTrailers = 7,
    }
);
numbers!(
    /// Who closed a connection.
    #[non_exhaustive]
    PeerType {
        Unknown = 0,
        Local = 1,
        Remote = 2,
    }
);
numbers!(
    /// Kinds of metric.
    #[non_exhaustive]
    MetricType {
        Counter = 0,
        Gauge = 1,
        Histogram = 2,
    }
);
numbers!(
    /// The status of a gRPC call.
    #[non_exhaustive]
    GrpcStatusCode {
        Ok = 0,
        Cancelled = 1,
        Unknown = 2,
        InvalidArgument = 3,
        DeadlineExceeded = 4,
        NotFound = 5,
        AlreadyExists = 6,
        PermissionDenied = 7,
        ResourceExhausted = 8,
        FailedPrecondition = 9,
        Aborted = 10,
        OutOfRange = 11,
        Unimplemented = 12,
        Internal = 13,
        Unavailable = 14,
        DataLoss = 15,
        Unauthenticated = 16,
    }
);

// === impl PeerType ===

impl PeerType {
    /// What is none of the others is not known.
    pub(crate) fn from_number(peer: u32) -> Self {
        match peer {
            1 => Self::Local,
            2 => Self::Remote,
            _ => Self::Unknown,
        }
    }
}
