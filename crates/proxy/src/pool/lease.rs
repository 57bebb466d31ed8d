//! A connection as a request has it.

use std::net::SocketAddr;
use std::rc::Rc;

use sandgate_filter::UpstreamInfo;

use super::{HostPool, StreamLease, UpstreamConnection};

/// What a pool gives to one request: a whole connection, or one stream of a shared one.
#[allow(clippy::large_enum_variant, reason = "it is taken apart at once; a box would be an allocation per request")]
pub(crate) enum Lease {
    Http1(UpstreamConnection),
    Http2(StreamLease),
}

// === impl Lease ===

impl Lease {
    pub(crate) fn pool(&self) -> Rc<HostPool> {
        match self {
            Self::Http1(connection) => connection.pool(),
            Self::Http2(stream) => Rc::clone(stream.connection().pool()),
        }
    }

    /// The connection's.
    pub(crate) fn id(&self) -> u64 {
        match self {
            Self::Http1(connection) => connection.id(),
            Self::Http2(stream) => stream.connection().facts().id,
        }
    }

    /// What the stream's info tells of the connection.
    pub(crate) fn note(&self, info: &mut UpstreamInfo) {
        match self {
            Self::Http1(connection) => connection.note(info),
            Self::Http2(stream) => stream.connection().note(info),
        }
    }

    /// A request begins on it.
    pub(crate) fn begin(&mut self) {
        match self {
            Self::Http1(connection) => connection.set_active(true),
            Self::Http2(stream) => stream.begin(),
        }
    }
}

/// What is known of a connection since it was made.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionFacts {
    pub(crate) id: u64,
    pub(crate) local_address: Option<SocketAddr>,
    pub(crate) remote_address: Option<SocketAddr>,
}
