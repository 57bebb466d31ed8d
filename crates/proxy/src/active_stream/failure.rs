//! Streams that end otherwise than by an answer of the upstream or the filters.

use std::time::Instant;

use sandgate_filter::response_flag;

use super::{ActiveStream, StreamTimeout, reply};

impl ActiveStream {
    /// The client broke the protocol: answers, unless a response has begun.
    pub(crate) fn codec_error(&mut self, status: u16, body: &str, details: &str) {
        self.stream.info_mut().set_response_flag(response_flag::DOWNSTREAM_PROTOCOL_ERROR);
        self.manager.local_reply(reply(status.into(), body, details));
    }

    /// Something ended the stream that is neither an answer nor the filters' doing: with a response flag and its details.
    pub(crate) fn failed(&mut self, flag: u64, details: &str) {
        let mut info = self.stream.info_mut();
        info.set_response_flag(flag);
        info.response_code_details = Some(details.to_owned());
    }

    /// The client is gone.
    pub(crate) fn disconnected(&mut self) {
        let mut info = self.stream.info_mut();
        info.set_response_flag(response_flag::DOWNSTREAM_CONNECTION_TERMINATION);
        info.response_code_details = Some("downstream_remote_disconnect".to_owned());
    }

    /// Ends the stream for a timeout: a reply, or a reset if the response had begun.
    pub(crate) fn time_out(&mut self, timeout: StreamTimeout, now: Instant) {
        self.timers.answered(now);
        timeout.count(&self.hcm.stats);
        if timeout == StreamTimeout::Idle {
            self.stream.info_mut().set_response_flag(response_flag::STREAM_IDLE_TIMEOUT);
        }
        let late = timeout.is_the_clients_fault() || !self.request_complete;
        let status = if late { 408 } else { 504 };
        log::debug!(target: "http", "{}", timeout.body());
        let mut reply = reply(status, timeout.body(), timeout.details());
        // gRPC's DEADLINE_EXCEEDED, where the HTTP status would stand for another one.
        reply.grpc_status = (timeout == StreamTimeout::MaxDuration).then_some(4);
        self.manager.local_reply(reply);
    }
}
