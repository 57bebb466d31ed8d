//! Who wants what.

use std::net::{IpAddr, SocketAddr};

use sandgate_attributes::View;
use sandgate_expression::{Activation, Expression};
use sandgate_filter::{ConnectionInfo, InfoAttributes, StreamInfo};
use sandgate_http::HeaderMap;

/// What rules look at: a request, or a connection without one.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The request's headers; nothing for a connection.
    pub headers: Option<&'a HeaderMap>,
    /// The connection. Its `remote_address` is the client as far as it is believed.
    pub connection: &'a ConnectionInfo,
    /// Of the stream, or of the connection.
    pub info: &'a StreamInfo,
    /// The client of the connection, whatever the request's headers say.
    pub source: Option<SocketAddr>,
}

// === impl Subject ===

impl Subject<'_> {
    pub(crate) fn source_ip(&self) -> Option<IpAddr> {
        self.source.map(|address| address.ip())
    }

    pub(crate) fn direct_remote_ip(&self) -> Option<IpAddr> {
        self.connection.direct_remote_address.map(|address| address.ip())
    }

    pub(crate) fn remote_ip(&self) -> Option<IpAddr> {
        self.connection.remote_address.map(|address| address.ip())
    }

    /// Whether an expression over its attributes is true.
    pub(crate) fn satisfies(&self, condition: &Expression) -> bool {
        let source = InfoAttributes::new(self.info, self.connection).with_headers(self.headers, None, None);
        let view = View { response_headers: false, response_trailers: false, ..View::all(&source) };
        condition.matches(&Activation::stream(view))
    }

    /// The request's path without query and fragment.
    pub(crate) fn url_path(&self) -> Option<&[u8]> {
        let path = self.headers?.get(b":path")?;
        let end = path.iter().position(|&byte| byte == b'?' || byte == b'#').unwrap_or(path.len());
        path.get(..end)
    }
}
