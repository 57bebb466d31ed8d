//! Why an upstream request ended without a response, and what Envoy says then.

use sandgate_filter::response_flag;

/// The upstream's fault, or the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ResetReason {
    /// No connection; why, in Envoy's words, if that is known.
    ConnectionFailure(String),
    /// No connection within `connect_timeout`.
    ConnectionTimeout,
    /// The host closed or reset the connection.
    ConnectionTermination,
    /// The host reset the stream of HTTP/2.
    RemoteReset,
    /// The host has not even begun with the request: it may be tried again without risk.
    RemoteRefusedStream,
    /// The response breaks the protocol.
    ProtocolError,
    /// A circuit breaker is open.
    Overflow,
    /// We gave it up.
    LocalReset,
    /// The cluster's `max_stream_duration` has passed.
    MaxStreamDuration,
}

impl ResetReason {
    /// As in the reply's body, observed in Envoy 1.40.
    pub(crate) fn text(&self) -> &'static str {
        match self {
            Self::ConnectionFailure(_) => "remote connection failure",
            Self::ConnectionTimeout => "connection timeout",
            Self::ConnectionTermination => "connection termination",
            Self::RemoteReset => "remote reset",
            Self::RemoteRefusedStream => "remote refused stream reset",
            Self::ProtocolError => "protocol error",
            Self::Overflow => "overflow",
            Self::LocalReset | Self::MaxStreamDuration => "local reset",
        }
    }

    /// As in `%RESPONSE_CODE_DETAILS%`.
    pub(crate) fn details(&self) -> String {
        let text = self.text().replace(' ', "_");
        match self {
            Self::ConnectionFailure(why) if why.is_empty() => text,
            Self::ConnectionFailure(why) => format!("{text}|{}", why.replace(' ', "_")),
            _ => text,
        }
    }

    /// The code of the reply.
    pub(crate) fn status(&self) -> u32 {
        match self {
            Self::ProtocolError => 502,
            Self::MaxStreamDuration => 504,
            _ => 503,
        }
    }

    /// The response flag.
    pub(crate) fn flag(&self) -> u64 {
        match self {
            Self::ConnectionFailure(_) | Self::ConnectionTimeout => response_flag::UPSTREAM_CONNECTION_FAILURE,
            Self::ConnectionTermination => response_flag::UPSTREAM_CONNECTION_TERMINATION,
            Self::RemoteReset | Self::RemoteRefusedStream => response_flag::UPSTREAM_REMOTE_RESET,
            Self::ProtocolError => response_flag::UPSTREAM_PROTOCOL_ERROR,
            Self::Overflow => response_flag::UPSTREAM_OVERFLOW,
            Self::LocalReset => response_flag::LOCAL_RESET,
            Self::MaxStreamDuration => response_flag::UPSTREAM_MAX_STREAM_DURATION_REACHED,
        }
    }

    /// Headers of the reply.
    pub(crate) fn headers(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        match self {
            Self::Overflow => vec![(b"x-envoy-overloaded".to_vec(), b"true".to_vec())],
            _ => Vec::new(),
        }
    }
}
