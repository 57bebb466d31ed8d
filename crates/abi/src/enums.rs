//! The small enums of the ABI, with their numbers (spec sections of the same names).

macro_rules! abi_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $value:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u32)]
        pub enum $name { $($(#[$vmeta])* $variant = $value,)+ }

        impl $name {
            /// The value with this number, if the ABI has one.
            #[must_use]
            pub const fn from_u32(value: u32) -> Option<Self> {
                match value { $($value => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

abi_enum!(
    /// How important a log line is.
    LogLevel {
        /// Every detail.
        Trace = 0,
        /// For developers.
        Debug = 1,
        /// Normal operation.
        Info = 2,
        /// Something odd.
        Warn = 3,
        /// Something failed.
        Error = 4,
        /// The process or plugin is in danger.
        Critical = 5,
    }
);
abi_enum!(
    /// The byte buffers a guest can ask for.
    BufferType {
        /// The request body chunk, or the buffered request body.
        HttpRequestBody = 0,
        /// The response body chunk, or the buffered response body.
        HttpResponseBody = 1,
        /// Bytes from the client of a TCP connection.
        DownstreamData = 2,
        /// Bytes from the server of a TCP connection.
        UpstreamData = 3,
        /// The body that answered a callout.
        HttpCallResponseBody = 4,
        /// A message from a gRPC callout.
        GrpcReceiveBuffer = 5,
        /// `vm_config.configuration`.
        VmConfiguration = 6,
        /// The plugin's `configuration`.
        PluginConfiguration = 7,
        /// Arguments of a foreign function or Envoy-only callback.
        CallData = 8,
    }
);
abi_enum!(
    /// The header maps a guest can ask for.
    MapType {
        /// Request headers.
        HttpRequestHeaders = 0,
        /// Request trailers.
        HttpRequestTrailers = 1,
        /// Response headers.
        HttpResponseHeaders = 2,
        /// Response trailers.
        HttpResponseTrailers = 3,
        /// Initial metadata of a gRPC callout.
        GrpcReceiveInitialMetadata = 4,
        /// Trailing metadata of a gRPC callout.
        GrpcReceiveTrailingMetadata = 5,
        /// Headers that answered a callout.
        HttpCallResponseHeaders = 6,
        /// Trailers that answered a callout.
        HttpCallResponseTrailers = 7,
    }
);
abi_enum!(
    /// The direction that `proxy_continue_stream` and `proxy_close_stream` name.
    StreamType {
        /// HTTP request.
        Request = 0,
        /// HTTP response.
        Response = 1,
        /// TCP, from the client.
        Downstream = 2,
        /// TCP, from the server.
        Upstream = 3,
    }
);
abi_enum!(
    /// Kinds of metric; also the low two bits of a metric id.
    MetricType {
        /// Only grows.
        Counter = 0,
        /// Goes up and down.
        Gauge = 1,
        /// A distribution.
        Histogram = 2,
    }
);
abi_enum!(
    /// Who closed a TCP connection.
    PeerType {
        /// Not known.
        Unknown = 0,
        /// The proxy.
        Local = 1,
        /// The peer.
        Remote = 2,
    }
);
