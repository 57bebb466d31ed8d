//! Contexts of TCP streams.

use super::Context;
use crate::hostcalls::{self, must};
use crate::types::{Action, BufferType, Bytes, PeerType};

/// A TCP connection in a plugin.
pub trait StreamContext: Context {
    /// The client has connected.
    fn on_new_connection(&mut self) -> Action {
        Action::Continue
    }

    /// So many bytes of the client are there; with the last of them the end.
    fn on_downstream_data(&mut self, _data_size: usize, _end_of_stream: bool) -> Action {
        Action::Continue
    }

    /// Bytes of the client.
    fn get_downstream_data(&self, start: usize, max_size: usize) -> Option<Bytes> {
        must(hostcalls::get_buffer(BufferType::DownstreamData, start, max_size))
    }

    /// Replaces bytes of the client.
    fn set_downstream_data(&self, start: usize, size: usize, value: &[u8]) {
        must(hostcalls::set_buffer(BufferType::DownstreamData, start, size, value));
    }

    /// Goes on with what the client sent.
    fn resume_downstream(&self) {
        must(hostcalls::resume_downstream());
    }

    /// Closes the connection to the client.
    fn close_downstream(&self) {
        must(hostcalls::close_downstream());
    }

    /// The connection to the client is closed.
    fn on_downstream_close(&mut self, _peer_type: PeerType) {}

    /// So many bytes of the server are there; with the last of them the end.
    fn on_upstream_data(&mut self, _data_size: usize, _end_of_stream: bool) -> Action {
        Action::Continue
    }

    /// Bytes of the server.
    fn get_upstream_data(&self, start: usize, max_size: usize) -> Option<Bytes> {
        must(hostcalls::get_buffer(BufferType::UpstreamData, start, max_size))
    }

    /// Replaces bytes of the server.
    fn set_upstream_data(&self, start: usize, size: usize, value: &[u8]) {
        must(hostcalls::set_buffer(BufferType::UpstreamData, start, size, value));
    }

    /// Goes on with what the server sent.
    fn resume_upstream(&self) {
        must(hostcalls::resume_upstream());
    }

    /// Closes the connection to the server.
    fn close_upstream(&self) {
        must(hostcalls::close_upstream());
    }

    /// The connection to the server is closed.
    fn on_upstream_close(&mut self, _peer_type: PeerType) {}

    /// The connection is over.
    fn on_log(&mut self) {}
}
