//! Requests of which not even the head came whole.

use std::rc::Rc;
use std::time::Instant;

use sandgate_filter::{ByteMeter, ConnectionInfo, Stream, StreamOptions};
use sandgate_formatter::AccessLogType;

use super::RequestStart;
use crate::hcm::Hcm;

/// Logs a request of which not even the head came whole, or that made no sense; `failure` is the response flag and the details.
pub(crate) fn log_unread(
    hcm: &Hcm,
    connection: &Rc<ConnectionInfo>,
    start: RequestStart,
    (protocol, bytes): (&'static str, ByteMeter),
    failure: Option<(u64, &str)>,
    now: Instant,
) {
    if hcm.access_logs.is_empty() {
        return;
    }
    let options =
        StreamOptions { buffer_limit: 0, protocol: Some(protocol), start_time: start.time, start: start.instant };
    let stream = Stream::new(Rc::clone(connection), &options);
    {
        let mut info = stream.info_mut();
        info.bytes = bytes;
        info.end = Some(now);
        if let Some((flag, details)) = failure {
            info.set_response_flag(flag);
            info.response_code_details = Some(details.to_owned());
        }
    }
    hcm.access_logs.log(&stream, AccessLogType::DownstreamEnd, now);
}
