//! What a network filter is.

use bytes::BytesMut;

use super::NetworkCallbacks;

/// Whether the filters behind are to see what this one saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NetworkStatus {
    Continue,
    /// Not now. Bytes stay where they are and are seen again with the next ones.
    Stop,
}

/// What became of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionEvent {
    /// The handshake of TLS is complete. Connections without TLS do not say so.
    Connected,
    /// The client has closed or reset it.
    RemoteClose,
    /// We have.
    LocalClose,
}

/// How to close a connection: those of Envoy's `ConnectionCloseType` that a filter here asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CloseType {
    /// Once what was written has gone out.
    FlushWrite,
    /// At once; what has not gone out is lost.
    NoFlush,
}

/// A filter of the bytes of one connection. It is never entered while it, or another filter of its connection, is on the stack.
pub(crate) trait NetworkFilter {
    /// The connection is there; with TLS, its handshake is still to come. The filters behind are told once this one continues.
    fn on_new_connection(&mut self) -> NetworkStatus {
        NetworkStatus::Continue
    }

    /// Bytes of the client: all that the connection has read and that no filter has taken. `end_stream` is only ever true
    /// where the end of the chain takes half-closed connections.
    fn on_data(&mut self, _data: &mut BytesMut, _end_stream: bool) -> NetworkStatus {
        NetworkStatus::Continue
    }

    /// Bytes for the client; filters see them in reverse order. Only if [`Self::writes`].
    fn on_write(&mut self, _data: &mut BytesMut, _end_stream: bool) -> NetworkStatus {
        NetworkStatus::Continue
    }

    /// Whether it wants to see what is written. Asked once.
    fn writes(&self) -> bool {
        false
    }

    /// The connection has changed. After a close there is nothing more.
    fn on_event(&mut self, _event: ConnectionEvent) {}
}

/// Makes one filter for each connection.
pub(crate) type NetworkFilterFactory = Box<dyn Fn(NetworkCallbacks) -> Box<dyn NetworkFilter>>;
