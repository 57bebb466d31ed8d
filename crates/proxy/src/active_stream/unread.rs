//! Requests of which not even the head came whole.

use std::rc::Rc;
use std::time::Instant;

use sandgate_filter::{ByteMeter, ConnectionInfo, Stream, StreamOptions, response_flag};
use sandgate_formatter::AccessLogType;

use super::RequestStart;
use crate::hcm::Hcm;

/// Logs a request of which not even the head came whole.
pub(crate) fn log_unread(
    hcm: &Hcm,
    connection: &Rc<ConnectionInfo>,
    start: RequestStart,
    bytes: ByteMeter,
    client_left: bool,
    now: Instant,
) {
    if hcm.access_logs.is_empty() {
        return;
    }
    let options =
        StreamOptions { buffer_limit: 0, protocol: Some("HTTP/1.1"), start_time: start.time, start: start.instant };
    let stream = Stream::new(Rc::clone(connection), &options);
    {
        let mut info = stream.info_mut();
        info.bytes = bytes;
        info.end = Some(now);
        if client_left {
            info.set_response_flag(response_flag::DOWNSTREAM_CONNECTION_TERMINATION);
            info.response_code_details = Some("downstream_remote_disconnect".to_owned());
        }
    }
    hcm.access_logs.log(&stream, AccessLogType::DownstreamEnd, now);
}
