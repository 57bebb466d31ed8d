//! An upstream request gets its connection.

use std::sync::Arc;
use std::time::Instant;

use sandgate_filter::AttemptedHost;
use sandgate_load_balancing::OutlierResult;

use super::exchange::{ActiveRequest, Exchange};
use super::http1::Http1Exchange;
use super::http2::Http2Exchange;
use super::tcp::TcpExchange;
use super::{State, UpstreamRequest};
use crate::pool::{Lease, PoolProtocol};

impl UpstreamRequest {
    /// Goes on with this connection, if a circuit breaker leaves room for the request.
    pub(super) fn open(&mut self, mut lease: Lease, now: Instant) {
        let Some(slot) = lease.pool().resources(&self.cluster).requests.acquire() else {
            self.cluster.stats.upstream_rq_active_overflow().inc();
            self.overflow = true;
            self.state = State::Done;
            let pool = lease.pool();
            pool.give_back(lease, now);
            return;
        };
        lease.begin();
        let waited = now.saturating_duration_since(self.began);
        self.with_info(|info| {
            lease.note(info);
            info.pool_ready = Some(waited);
        });
        {
            let mut info = self.stream.info_mut();
            let host = self.pool.host();
            info.connection_ids_attempted.push(lease.id());
            info.hosts_attempted.push(AttemptedHost { address: host.address(), name: Arc::clone(&host.hostname) });
        }
        if self.request_complete {
            self.arm_per_try(now);
        }
        self.deadline = self.per_try.max_duration.map(|max| now + max);
        self.host().outlier().put_result(OutlierResult::LocalOriginConnectSuccess, None);
        self.scopes.iter().for_each(|scope| scope.stats.upstream_rq_total().inc());
        let active = ActiveRequest::new(&self.cluster, &lease.pool().host(), slot);
        let http = &self.cluster.config.http;
        self.state = State::Open(match lease {
            Lease::Http1(connection) if connection.pool().key().protocol == PoolProtocol::Tcp => {
                Exchange::Tcp(Box::new(TcpExchange::new(connection, active)))
            }
            Lease::Http1(connection) => {
                Exchange::Http1(Box::new(Http1Exchange::new(connection, http.http1.enable_trailers, active)))
            }
            Lease::Http2(stream) => Exchange::Http2(Box::new(Http2Exchange::new(stream, &self.cluster, active))),
        });
    }
}
