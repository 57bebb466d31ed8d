//! The filter chains of a listener on one worker.

use std::rc::Rc;
use std::sync::Arc;

use sandgate_config::model::FilterChainTree;
use sandgate_filter::ListenerInfo;

use super::{DiscoveredNetworkFilter, NetworkFilterFactory};
use crate::chain_drain::ChainDrain;
use crate::drain::ListenerDrain;
use crate::global_connections::ConnectionGate;
use crate::hcm::Hcm;
use crate::listener_filters::{AcceptedSocket, ListenerFilters};
use crate::listener_tls::WorkerTls;
use crate::stats::{ConfiguredListenerStats, ListenerStats, ThreadListenerStats};
use crate::tcp_proxy::TcpProxy;

/// A listener on one worker.
pub(crate) struct ActiveListener {
    pub(crate) stats: ListenerStats,
    /// The admin interface has none.
    pub(crate) configured_stats: Option<ConfiguredListenerStats>,
    pub(crate) thread_stats: ThreadListenerStats,
    /// Which connections may come at all.
    pub(crate) gate: ConnectionGate,
    /// `None` is never drained: the admin interface.
    pub(crate) drain: Option<ListenerDrain>,
    /// What looks at connections before they have a chain.
    pub(crate) listener_filters: ListenerFilters,
    /// In the order of the configuration.
    pub(crate) chains: Vec<Rc<FilterChain>>,
    /// How one of them is chosen; nothing if there is one for all connections.
    pub(crate) chain_tree: Option<FilterChainTree>,
    /// The chain for what no other is for.
    pub(crate) default_chain: Option<usize>,
}

/// One filter chain.
pub(crate) struct FilterChain {
    /// Begins when an update has replaced or removed the chain.
    pub(crate) drain: Rc<ChainDrain>,
    pub(crate) info: Arc<ListenerInfo>,
    /// Nothing for plain text.
    pub(crate) tls: Option<Rc<WorkerTls>>,
    /// What connections pass, in the order of their first event.
    pub(crate) filters: Vec<NetworkFilterFactory>,
    /// Those of them whose configurations come from elsewhere.
    pub(crate) discovered: Vec<Rc<DiscoveredNetworkFilter>>,
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

// === impl FilterChain ===

impl FilterChain {
    /// Whether nobody has said yet what one of its network filters is.
    pub(crate) fn lacks_configuration(&self) -> bool {
        self.discovered.iter().any(|filter| filter.is_missing())
    }
}

// === impl ActiveListener ===

impl ActiveListener {
    /// The chain for a connection, if there is one.
    pub(crate) fn find_chain(&self, socket: &AcceptedSocket) -> Option<&Rc<FilterChain>> {
        let Some(tree) = &self.chain_tree else { return self.chains.first() };
        self.chains.get(tree.find(&socket.facts()).or(self.default_chain)?)
    }
}
