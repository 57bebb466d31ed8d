//! What looks at a connection before it has a filter chain: listener filters.
//!
//! They peek at the first bytes, which stay in the socket for what serves the connection; only a PROXY header is taken out.

mod client_hello;
mod filters;
mod http_line;
mod proxy_header;
mod run;
mod socket;

pub(crate) use run::ListenerFilters;
pub(crate) use socket::AcceptedSocket;
