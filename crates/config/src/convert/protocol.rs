//! Options of HTTP that both sides have.

use std::time::Duration;

use super::Context;
use crate::{
    model::{HeadersWithUnderscoresAction, Http1Options},
    proto::envoy::config::core::v3::{
        Http1ProtocolOptions, HttpProtocolOptions, http_protocol_options::HeadersWithUnderscoresAction as Action,
    },
};

/// `common_http_protocol_options` with its defaults, which are the same on both sides.
pub(super) struct Common {
    pub(super) idle_timeout: Option<Duration>,
    pub(super) max_connection_duration: Option<Duration>,
    pub(super) max_stream_duration: Option<Duration>,
    pub(super) max_requests_per_connection: Option<u32>,
    pub(super) headers_with_underscores_action: HeadersWithUnderscoresAction,
    pub(super) max_headers_count: u32,
    pub(super) max_response_headers_kb: u32,
}

/// Converts the options of any version of HTTP.
pub(super) fn common(context: &mut Context<'_>, message: &HttpProtocolOptions) -> Common {
    Common {
        idle_timeout: context.limit("idle_timeout", message.idle_timeout, Some(Duration::from_secs(3600))),
        max_connection_duration: context.limit("max_connection_duration", message.max_connection_duration, None),
        max_stream_duration: context.limit("max_stream_duration", message.max_stream_duration, None),
        max_requests_per_connection: message.max_requests_per_connection.filter(|max| *max > 0),
        headers_with_underscores_action: match Action::try_from(message.headers_with_underscores_action) {
            Ok(Action::RejectRequest) => HeadersWithUnderscoresAction::RejectRequest,
            Ok(Action::DropHeader) => HeadersWithUnderscoresAction::DropHeader,
            Ok(Action::Allow) | Err(_) => HeadersWithUnderscoresAction::Allow,
        },
        max_headers_count: message.max_headers_count.unwrap_or(100),
        max_response_headers_kb: message.max_response_headers_kb.unwrap_or(80),
    }
}

/// Converts the options of HTTP/1.
pub(super) fn http1(message: Http1ProtocolOptions) -> Http1Options {
    Http1Options {
        accept_http_10: message.accept_http_10,
        default_host_for_http_10: message.default_host_for_http_10,
        enable_trailers: message.enable_trailers,
        allow_chunked_length: message.allow_chunked_length,
    }
}
