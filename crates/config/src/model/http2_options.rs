//! Options of HTTP/2, which listeners and clusters have alike.

use std::time::Duration;

/// Envoy's `envoy.config.core.v3.Http2ProtocolOptions`.
#[derive(Clone, Debug, PartialEq)]
pub struct Http2Options {
    /// The largest table a peer may use to compress headers it sends, in bytes.
    pub hpack_table_size: u32,
    /// Streams a peer may have open at once.
    pub max_concurrent_streams: u32,
    /// Bytes of a stream's body that a peer may send before they were taken.
    pub initial_stream_window_size: u32,
    /// The same of all streams of a connection together.
    pub initial_connection_window_size: u32,
    /// Announce and accept extended CONNECT (RFC 8441).
    pub allow_connect: bool,
    /// DATA, HEADERS and CONTINUATION frames in a row with neither content nor end.
    pub max_consecutive_inbound_frames_with_empty_payload: u32,
    /// PRIORITY frames for each stream that was opened.
    pub max_inbound_priority_frames_per_stream: u32,
    /// WINDOW_UPDATE frames for each DATA frame that was sent.
    pub max_inbound_window_update_frames_per_data_frame_sent: u32,
    /// Answers to PING and SETTINGS, and resets, that may wait to be written to a client.
    pub max_outbound_control_frames: u32,
    /// An invalid message ends its stream, not the connection.
    pub stream_error_on_invalid_http_message: bool,
    /// KiB that one header field may have.
    pub max_header_field_size_kb: Option<u32>,
    /// Refuse header values with bytes above 0x7f.
    pub disallow_obs_text: bool,
    /// Streams a peer may reset at once, before the rate below matters.
    pub stream_reset_burst: u64,
    /// Streams a peer may reset each second.
    pub stream_reset_rate: u64,
    /// PINGs to see whether a peer is still there.
    pub connection_keepalive: Option<Keepalive>,
}

/// Envoy's `envoy.config.core.v3.KeepaliveSettings`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Keepalive {
    /// Between two PINGs; `None` sends none but those of `connection_idle_interval`.
    pub interval: Option<Duration>,
    /// How long an answer may take before the connection is closed.
    pub timeout: Duration,
    /// Percent of the interval that is added at random.
    pub interval_jitter: f64,
    /// A connection on which nothing came for so long gets a PING with the next request. Of upstreams only.
    pub connection_idle_interval: Option<Duration>,
}

impl Default for Http2Options {
    fn default() -> Self {
        Self {
            hpack_table_size: 4096,
            max_concurrent_streams: 1024,
            initial_stream_window_size: 16 << 20,
            initial_connection_window_size: 24 << 20,
            allow_connect: false,
            max_consecutive_inbound_frames_with_empty_payload: 1,
            max_inbound_priority_frames_per_stream: 100,
            max_inbound_window_update_frames_per_data_frame_sent: 10,
            max_outbound_control_frames: 1000,
            stream_error_on_invalid_http_message: false,
            max_header_field_size_kb: None,
            disallow_obs_text: false,
            stream_reset_burst: 1000,
            stream_reset_rate: 33,
            connection_keepalive: None,
        }
    }
}
