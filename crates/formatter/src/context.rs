//! What a format is rendered from.

use std::time::{Duration, Instant, SystemTime};

use sandgate_attributes::View;
use sandgate_expression::Activation;
use sandgate_filter::{ConnectionInfo, InfoAttributes, StreamInfo};
use sandgate_http::HeaderMap;

use crate::AccessLogType;

/// What is known of a stream at the moment of rendering. What is absent renders as `-`, or as nothing where a format omits
/// empty values.
#[derive(Clone, Copy, Debug)]
pub struct FormatContext<'a> {
    /// Request headers as they are now.
    pub request_headers: Option<&'a HeaderMap>,
    /// Response headers as they are now.
    pub response_headers: Option<&'a HeaderMap>,
    /// Response trailers, if any have come.
    pub response_trailers: Option<&'a HeaderMap>,
    /// The stream.
    pub info: &'a StreamInfo,
    /// Its connection.
    pub connection: &'a ConnectionInfo,
    /// For `%LOCAL_REPLY_BODY%`.
    pub local_reply_body: &'a [u8],
    /// For `%ACCESS_LOG_TYPE%`.
    pub log_type: AccessLogType,
    /// The present moment.
    pub now: Instant,
}

// === impl FormatContext ===

impl<'a> FormatContext<'a> {
    /// A context without headers.
    #[must_use]
    pub fn new(info: &'a StreamInfo, connection: &'a ConnectionInfo, now: Instant) -> Self {
        Self {
            request_headers: None,
            response_headers: None,
            response_trailers: None,
            info,
            connection,
            local_reply_body: b"",
            log_type: AccessLogType::NotSet,
            now,
        }
    }

    /// Lets an expression be evaluated over what is known.
    pub fn with_activation<T>(&self, evaluate: impl FnOnce(&Activation<'_>) -> T) -> T {
        let source = InfoAttributes::new(self.info, self.connection).with_headers(
            self.request_headers,
            self.response_headers,
            self.response_trailers,
        );
        let view = View::all(&source);
        evaluate(&Activation::stream(view))
    }

    /// From the first byte of the request to the stream's end, or to now if it is not over.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.info.end.unwrap_or(self.now).saturating_duration_since(self.info.start)
    }

    /// The present moment on the world's clock.
    pub(crate) fn system_now(&self) -> SystemTime {
        self.info.start_time + self.now.saturating_duration_since(self.info.start)
    }
}
