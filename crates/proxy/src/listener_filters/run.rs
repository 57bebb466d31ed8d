//! The listener filters of a connection, one after the other.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use sandgate_config::model;

use super::filters::{ListenerFilter, Verdict};
use super::socket::AcceptedSocket;
use crate::stats::{ListenerStats, StatsStore};
use crate::worker::{ConnectionSlot, Worker};

/// The listener filters of one listener on one worker.
#[derive(Default)]
pub(crate) struct ListenerFilters {
    filters: Vec<ListenerFilter>,
    /// For all of them together; `None` is no limit.
    timeout: Option<Duration>,
    continue_on_timeout: bool,
}

/// Why a connection goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// A filter did not want it.
    Closed,
    /// The client has gone.
    Remote,
    /// It could not be read.
    Failed,
}

// === impl ListenerFilters ===

impl ListenerFilters {
    pub(crate) fn new(listener: &model::Listener, store: &StatsStore) -> Self {
        Self {
            filters: listener.listener_filters.iter().map(|filter| ListenerFilter::new(filter, store)).collect(),
            timeout: listener.listener_filters_timeout,
            continue_on_timeout: listener.continue_on_listener_filters_timeout,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.filters.is_empty()
    }

    /// Shows a connection to all filters; nothing if it goes no further.
    pub(crate) async fn run(
        &self,
        mut socket: AcceptedSocket,
        stats: &ListenerStats,
        worker: &Rc<Worker>,
    ) -> Option<AcceptedSocket> {
        let _active = Active::new(stats);
        let timeout = async {
            match self.timeout {
                Some(timeout) => tokio::time::sleep(timeout).await,
                None => std::future::pending().await,
            }
        };
        let end = tokio::select! {
            biased;
            end = self.inspect(&mut socket) => end,
            () = timeout => {
                stats.downstream_pre_cx_timeout().inc();
                if self.continue_on_timeout { Ok(()) } else { Err(End::Closed) }
            }
            () = drained(worker) => Err(End::Closed),
        };
        match end {
            Ok(()) => return Some(socket),
            Err(End::Closed) => {}
            Err(End::Remote) => stats.downstream_listener_filter_remote_close().inc(),
            Err(End::Failed) => stats.downstream_listener_filter_error().inc(),
        }
        log::debug!(target: "conn_handler", "closing connection from {}: {end:?}", socket.remote);
        None
    }

    async fn inspect(&self, socket: &mut AcceptedSocket) -> Result<(), End> {
        let mut seen = Vec::new();
        for filter in &self.filters {
            let Some(mut limit) = filter.on_accept(socket) else { continue };
            let mut known = 0;
            loop {
                known = peek_more(socket, &mut seen, known, limit).await?;
                match filter.on_data(seen.get(..known).unwrap_or_default(), limit, socket) {
                    Verdict::More => {}
                    Verdict::UpTo(more) => limit = more,
                    Verdict::Continue(taken) => {
                        socket.tcp.discard(taken).map_err(|_| End::Failed)?;
                        break;
                    }
                    Verdict::Close => return Err(End::Closed),
                }
            }
        }
        Ok(())
    }
}

/// Looks at what has come, up to `limit` bytes, once it is more than is `known`.
async fn peek_more(socket: &mut AcceptedSocket, seen: &mut Vec<u8>, known: usize, limit: usize) -> Result<usize, End> {
    if seen.len() < limit {
        seen.resize(limit, 0);
    }
    let room = seen.get_mut(..limit).unwrap_or_default();
    match socket.tcp.peek_more(room, known).await {
        Ok(0) => Err(End::Remote),
        Ok(count) => Ok(count),
        Err(_) => Err(End::Failed),
    }
}

/// Returns when the worker ends its connections.
async fn drained(worker: &Rc<Worker>) {
    let slot = ConnectionSlot::new(worker);
    poll_fn(|cx| {
        slot.register(cx.waker());
        if worker.is_draining() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// A connection that has no filter chain yet.
struct Active<'a>(&'a ListenerStats);

impl<'a> Active<'a> {
    fn new(stats: &'a ListenerStats) -> Self {
        stats.downstream_pre_cx_active().inc();
        Self(stats)
    }
}

impl Drop for Active<'_> {
    fn drop(&mut self) {
        self.0.downstream_pre_cx_active().dec();
    }
}
