//! What a connection passes between its socket and what serves it: the network filters of its chain.
//!
//! Filters in front of the end of a chain stand in a [`Filtered`] transport, so that whatever serves the connection reads and
//! writes through them and need not know of them. A chain without any has a plain transport.

mod chain;
mod discovered;
mod driver;
mod filter;
mod filtered;
mod handle;
mod manager;

pub(crate) use chain::{ActiveListener, FilterChain, Terminal};
pub(crate) use discovered::{DiscoveredNetwork, DiscoveredNetworkFilter};
pub(crate) use driver::FilterDriver;
pub(crate) use filter::{CloseType, ConnectionEvent, NetworkFilter, NetworkFilterFactory, NetworkStatus};
pub(crate) use filtered::Filtered;
pub(crate) use handle::{ConnectionHandle, NetworkCallbacks};
pub(crate) use manager::FilterManager;
