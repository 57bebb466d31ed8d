//! Options of HTTP/2.

use super::Context;
use crate::{
    model::{Http2Options, Keepalive},
    proto::envoy::config::core::v3::{Http2ProtocolOptions, KeepaliveSettings},
};

/// Converts the options.
pub(super) fn http2(context: &mut Context<'_>, message: Http2ProtocolOptions) -> Http2Options {
    let default = Http2Options::default();
    Http2Options {
        hpack_table_size: message.hpack_table_size.unwrap_or(default.hpack_table_size),
        max_concurrent_streams: message.max_concurrent_streams.unwrap_or(default.max_concurrent_streams),
        initial_stream_window_size: message.initial_stream_window_size.unwrap_or(default.initial_stream_window_size),
        initial_connection_window_size: message
            .initial_connection_window_size
            .unwrap_or(default.initial_connection_window_size),
        allow_connect: message.allow_connect,
        max_consecutive_inbound_frames_with_empty_payload: message
            .max_consecutive_inbound_frames_with_empty_payload
            .unwrap_or(default.max_consecutive_inbound_frames_with_empty_payload),
        max_inbound_priority_frames_per_stream: message
            .max_inbound_priority_frames_per_stream
            .unwrap_or(default.max_inbound_priority_frames_per_stream),
        max_inbound_window_update_frames_per_data_frame_sent: message
            .max_inbound_window_update_frames_per_data_frame_sent
            .unwrap_or(default.max_inbound_window_update_frames_per_data_frame_sent),
        max_outbound_control_frames: message.max_outbound_control_frames.unwrap_or(default.max_outbound_control_frames),
        stream_error_on_invalid_http_message: message
            .override_stream_error_on_invalid_http_message
            .unwrap_or(default.stream_error_on_invalid_http_message),
        max_header_field_size_kb: message.max_header_field_size_kb,
        disallow_obs_text: message.disallow_obs_text.unwrap_or(default.disallow_obs_text),
        stream_reset_burst: message.stream_reset_burst.unwrap_or(default.stream_reset_burst),
        stream_reset_rate: message.stream_reset_rate.unwrap_or(default.stream_reset_rate),
        connection_keepalive: message
            .connection_keepalive
            .and_then(|settings| context.field("connection_keepalive", |context| keepalive(context, &settings))),
    }
}

fn keepalive(context: &mut Context<'_>, settings: &KeepaliveSettings) -> Option<Keepalive> {
    let timeout = context.duration("timeout", settings.timeout);
    Some(Keepalive {
        interval: context.duration("interval", settings.interval),
        timeout: context.required("timeout", timeout)?,
        interval_jitter: settings.interval_jitter.as_ref().map_or(15.0, |percent| percent.value),
        connection_idle_interval: context.duration("connection_idle_interval", settings.connection_idle_interval),
    })
}
