//! A plugin that never came to be.

use std::rc::Rc;

use sandgate_filter::{FilterCallbacks, HttpFilter};
use sandgate_host::fail_stream_reply;
use sandgate_http::HeadersStatus;

/// Ends every request as a plugin does whose VM has failed: its code did not come, or is none.
pub(crate) struct FailedPlugin(pub(crate) Rc<str>);

impl HttpFilter for FailedPlugin {
    fn name(&self) -> &str {
        &self.0
    }

    fn decode_headers(&mut self, callbacks: &FilterCallbacks, _end_stream: bool) -> HeadersStatus {
        callbacks.send_local_reply(fail_stream_reply());
        HeadersStatus::StopAllIterationAndWatermark
    }
}
