//! Streams that ask for another protocol.

use std::time::Instant;

use sandgate_filter::response_flag;
use sandgate_formatter::AccessLogType;
use sandgate_http::Direction;
use sandgate_http::h1::is_upgrade;

use super::{ActiveStream, reply};
use crate::upgrade::is_connect;

impl ActiveStream {
    /// Whether the request was granted another protocol, should the host agree.
    pub(crate) fn is_upgraded(&self) -> bool {
        self.upgraded == Some(true)
    }

    /// Whether another protocol was asked for and refused.
    pub(crate) fn refuses_upgrade(&self) -> bool {
        self.upgraded == Some(false) && self.route.is_some()
    }

    /// Whether the host has closed the connection that carried another protocol.
    pub(crate) fn has_lost_tunnel(&self) -> bool {
        self.upgraded == Some(true)
            && self.stream.info().has_response_flag(response_flag::UPSTREAM_CONNECTION_TERMINATION)
    }

    /// Whether what follows the response's headers is not HTTP any more.
    pub(crate) fn switches_protocol(&self) -> bool {
        let (Some(true), Some(response)) = (self.upgraded, self.response_headers()) else { return false };
        let connected = || self.stream.headers(Direction::Request).is_some_and(|headers| is_connect(&headers));
        is_upgrade(&response) || self.response_code() == Some(200) && connected()
    }

    /// The stream goes on as an upgrade, if it was granted one.
    pub(super) fn begin_upgrade(&mut self) {
        if self.upgraded == Some(true) {
            self.hcm.stats.downstream_cx_upgrades_total().inc();
            self.hcm.stats.downstream_cx_upgrades_active().inc();
            self.terminal.allow_upgrade();
        }
    }

    /// Answers a request whose wish is not granted; whether it is one. Without a route the router answers.
    pub(super) fn answer_refused_upgrade(&mut self) -> bool {
        if !self.refuses_upgrade() {
            return false;
        }
        self.hcm.stats.downstream_rq_ws_on_non_ws_route().inc();
        self.manager.local_reply(reply(403, "", "upgrade_failed"));
        true
    }

    /// The response's headers are on their way.
    pub(super) fn note_tunnel(&mut self, now: Instant) {
        if !self.switches_protocol() {
            return;
        }
        // The request, as such, has come.
        self.timers.request_complete();
        if self.hcm.access_logs.on_tunnel() {
            let kind = AccessLogType::DownstreamTunnelSuccessfullyEstablished;
            self.hcm.access_logs.log(&self.stream, kind, now);
        }
    }

    /// The stream is over.
    pub(super) fn end_upgrade(&mut self) {
        if self.upgraded.take() == Some(true) {
            self.hcm.stats.downstream_cx_upgrades_active().dec();
        }
    }
}
