//! Connections that are passed on to a cluster's hosts as they are.

mod connection;
mod relay;
mod route;
mod session;
mod timers;

use std::rc::Rc;

use sandgate_config::model;

pub(crate) use connection::{TcpProxyConnection, TcpProxyStart};

use crate::access_log::AccessLogs;
use crate::stats::{StatsStore, TcpProxyStats};
use crate::worker::Worker;

/// The TCP proxy of one filter chain on one worker.
pub(crate) struct TcpProxy {
    config: model::TcpProxy,
    stats: TcpProxyStats,
    access_logs: AccessLogs,
    /// Bytes that may wait for a client; 0 is no limit.
    buffer_limit: usize,
}

// === impl TcpProxy ===

impl TcpProxy {
    pub(crate) fn new(
        config: &model::TcpProxy,
        listener: &model::Listener,
        worker: &Worker,
        store: &StatsStore,
    ) -> Rc<Self> {
        Rc::new(Self {
            config: config.clone(),
            stats: TcpProxyStats::new(store, &config.stat_prefix),
            access_logs: AccessLogs::new(&config.access_logs, config.access_log_options, &worker.logs, &worker.runtime),
            buffer_limit: listener.per_connection_buffer_limit_bytes as usize,
        })
    }
}
