//! What made an entry.

/// Envoy's `AccessLogType`, which `%ACCESS_LOG_TYPE%` shows and the log type filter matches: those of HTTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccessLogType {
    /// Not a log entry.
    #[default]
    NotSet,
    /// A request has begun (`flush_access_log_on_new_request`).
    DownstreamStart,
    /// A request goes on (`access_log_flush_interval`).
    DownstreamPeriodic,
    /// A request is over.
    DownstreamEnd,
    /// A request has a connection (`upstream_log_options.flush_upstream_log_on_upstream_stream`).
    UpstreamPoolReady,
    /// A request to an upstream goes on (`upstream_log_flush_interval`).
    UpstreamPeriodic,
    /// A request to an upstream is over.
    UpstreamEnd,
    /// What follows the response's headers is not HTTP any more (`flush_log_on_tunnel_successfully_established`).
    DownstreamTunnelSuccessfullyEstablished,
    /// A TCP proxy has a connection to a host (`flush_access_log_on_connected`).
    TcpUpstreamConnected,
    /// A connection goes on (`access_log_flush_interval`).
    TcpPeriodic,
    /// A connection is over.
    TcpConnectionEnd,
    /// A connection has begun (`flush_access_log_on_start`).
    TcpConnectionStart,
}

// === impl AccessLogType ===

impl AccessLogType {
    /// The name of the enum's value in Envoy's API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NotSet => "NotSet",
            Self::DownstreamStart => "DownstreamStart",
            Self::DownstreamPeriodic => "DownstreamPeriodic",
            Self::DownstreamEnd => "DownstreamEnd",
            Self::UpstreamPoolReady => "UpstreamPoolReady",
            Self::UpstreamPeriodic => "UpstreamPeriodic",
            Self::UpstreamEnd => "UpstreamEnd",
            Self::DownstreamTunnelSuccessfullyEstablished => "DownstreamTunnelSuccessfullyEstablished",
            Self::TcpUpstreamConnected => "TcpUpstreamConnected",
            Self::TcpPeriodic => "TcpPeriodic",
            Self::TcpConnectionEnd => "TcpConnectionEnd",
            Self::TcpConnectionStart => "TcpConnectionStart",
        }
    }

    /// The number of the enum's value in Envoy's API.
    #[must_use]
    pub fn number(self) -> i32 {
        match self {
            Self::NotSet => 0,
            Self::DownstreamStart => 4,
            Self::DownstreamPeriodic => 5,
            Self::DownstreamEnd => 6,
            Self::UpstreamPoolReady => 7,
            Self::UpstreamPeriodic => 8,
            Self::UpstreamEnd => 9,
            Self::DownstreamTunnelSuccessfullyEstablished => 10,
            Self::TcpUpstreamConnected => 1,
            Self::TcpPeriodic => 2,
            Self::TcpConnectionEnd => 3,
            Self::TcpConnectionStart => 14,
        }
    }
}
