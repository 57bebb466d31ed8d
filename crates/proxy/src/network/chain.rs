//! The filter chains of a listener on one worker.

use std::rc::Rc;
use std::sync::Arc;

use sandgate_filter::ListenerInfo;

use super::NetworkFilterFactory;
use crate::drain::ListenerDrain;
use crate::hcm::Hcm;
use crate::listener_tls::WorkerTls;
use crate::stats::{ListenerStats, ThreadListenerStats};
use crate::tcp_proxy::TcpProxy;

/// A listener on one worker.
pub(crate) struct ActiveListener {
    pub(crate) stats: ListenerStats,
    pub(crate) thread_stats: ThreadListenerStats,
    /// `None` is never drained: the admin interface.
    pub(crate) drain: Option<ListenerDrain>,
    /// In the order of the configuration.
    pub(crate) chains: Vec<Rc<FilterChain>>,
}

/// One filter chain.
pub(crate) struct FilterChain {
    pub(crate) info: Arc<ListenerInfo>,
    /// Nothing for plain text.
    pub(crate) tls: Option<Rc<WorkerTls>>,
    /// What connections pass, in the order of their first event.
    pub(crate) filters: Vec<NetworkFilterFactory>,
    pub(crate) terminal: Terminal,
    /// `per_connection_buffer_limit_bytes`; 0 is no limit.
    pub(crate) buffer_limit: usize,
}

/// What a chain ends in.
pub(crate) enum Terminal {
    Http(Rc<Hcm>),
    TcpProxy(Rc<TcpProxy>),
    /// The last of its filters.
    InChain,
}
