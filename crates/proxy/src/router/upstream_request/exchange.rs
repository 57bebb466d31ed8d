//! Request and response on one upstream connection.

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use sandgate_filter::ByteMeter;
use sandgate_http::h1::BodyEncoder;

use super::response::ResponseReader;
use crate::cluster::{Host, HostStats, ResourceGuard, WorkerCluster};
use crate::pool::UpstreamConnection;

/// Request and response on one connection.
pub(super) struct Exchange {
    pub(super) connection: UpstreamConnection,
    pub(super) encoder: Option<BodyEncoder>,
    pub(super) reader: ResponseReader,
    /// Writing failed: the response may still be there to read.
    pub(super) write_failed: bool,
    pub(super) request_written: bool,
    pub(super) bytes: ByteMeter,
    pub(super) _active: ActiveRequest,
}

/// How the request ends, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RequestEnd {
    NotYet,
    /// After the body.
    Body,
    /// After the trailers that are in the stream.
    Trailers,
    /// Handed to the encoder.
    Encoded,
}

/// Counts a request in flight.
pub(super) struct ActiveRequest {
    cluster: Rc<WorkerCluster>,
    host: Arc<Host>,
    _slot: ResourceGuard,
}

impl ActiveRequest {
    pub(super) fn new(cluster: &Rc<WorkerCluster>, host: &Arc<Host>, slot: ResourceGuard) -> Self {
        cluster.stats.upstream_rq_total().inc();
        cluster.stats.upstream_rq_active().inc();
        HostStats::inc(&host.stats.rq_total);
        HostStats::inc(&host.stats.rq_active);
        Self { cluster: Rc::clone(cluster), host: Arc::clone(host), _slot: slot }
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        self.cluster.stats.upstream_rq_active().dec();
        HostStats::dec(&self.host.stats.rq_active);
    }
}

impl Exchange {
    /// Writes what is encoded; whether that was the last of the request.
    pub(super) fn write(&mut self, cx: &mut Context<'_>, encoded: bool) -> bool {
        if self.write_failed || self.request_written {
            return false;
        }
        let connection = &mut self.connection;
        let before = connection.output.len();
        let result = connection.socket.poll_write(cx, &mut connection.output);
        connection.count_sent(before - connection.output.len());
        match result {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => self.request_written = encoded,
            Poll::Ready(Err(error)) => {
                log::debug!(target: "upstream", "writing to the upstream failed: {error}");
                connection.output.clear();
                self.write_failed = true;
            }
        }
        self.request_written
    }
}
