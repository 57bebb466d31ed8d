//! What the host needs of an HTTP stream. The embedder implements it; the host keeps it behind an `Rc`.

use std::cell::{Ref, RefMut};

use bytes::Bytes;
use sandgate_attributes::{AttributeSource, Declaration, LifeSpan, StateRefusal};
use sandgate_http::{BodyBuffer, Direction, HeaderMap, LocalReply};

/// The four header maps of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum StreamMap {
    RequestHeaders,
    RequestTrailers,
    ResponseHeaders,
    ResponseTrailers,
}

/// One HTTP stream, as a filter of it sees it.
///
/// Called while a guest runs and holds no borrow across guest code. Nothing here may call back into the host:
/// what moves the stream (`resume`, `close`, `send_local_reply`) is recorded and done by the embedder after the
/// callback has returned; on a stream that is over it is a no-op. In which phase a plugin may see which map is
/// decided by the host, not here.
pub trait HttpStream: AttributeSource {
    /// The map, if the stream has it by now.
    fn map(&self, map: StreamMap) -> Option<Ref<'_, HeaderMap>>;
    /// The map, to change it.
    fn map_mut(&self, map: StreamMap) -> Option<RefMut<'_, HeaderMap>>;
    /// Makes empty trailers at the end of a body that has none, so that a plugin can add to them; `false` if it is too late.
    fn add_trailers(&self, direction: Direction) -> bool;
    /// Moves `data` behind what the filter chain buffers for this direction (Envoy's `addDecodedData` with
    /// `streaming` false). `false` if that ended the stream (413, 500, reset): the guest must not be called then.
    fn buffer_body(&self, direction: Direction, data: &mut BodyBuffer) -> bool;
    /// What the filter chain buffers for this direction (Envoy's `modifyDecodingBuffer`).
    fn buffered_body(&self, direction: Direction) -> Option<RefMut<'_, BodyBuffer>>;
    /// Goes on after a stop (`continueDecoding`, `continueEncoding`); harmless if nothing was stopped.
    fn resume(&self, direction: Direction);
    /// Resets the stream; `details` becomes the response code details if there are none.
    fn close(&self, details: &str);
    /// Answers instead of the upstream.
    fn send_local_reply(&self, reply: LocalReply);
    /// The request's headers changed in a way that may change its route.
    fn clear_route_cache(&self);
    /// Sets the filter state object that a property is (`wasm.<path>`). What it was declared to be counts when it is
    /// set for the first time. `false` if it cannot be changed.
    fn set_property(&self, key: &[u8], value: Bytes, declared: &Declaration) -> bool;
    /// Sets a filter state object of the proxy's own (`set_envoy_filter_state`).
    ///
    /// # Errors
    /// Why it was not set. By default there are no such objects.
    fn set_envoy_filter_state(&self, _key: &str, _value: &str, _life_span: LifeSpan) -> Result<(), StateRefusal> {
        Err(StateRefusal::Unknown)
    }
    /// Bytes of names and values that are kept with the stream's connection.
    fn connection_state_bytes(&self) -> usize {
        0
    }
}
