//! What the host needs of a TCP connection. The embedder implements it; the host keeps it behind an `Rc`.

use std::cell::RefMut;

use bytes::{Bytes, BytesMut};
use sandgate_attributes::{AttributeSource, Declaration, LifeSpan, StateRefusal};

/// Whose data it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkSide {
    /// What the client has sent.
    Downstream,
    /// What is written to the client.
    Upstream,
}

/// One connection, as a network filter of it sees it.
///
/// Called while a guest runs and holds no borrow across guest code. Nothing here may call back into the host: what
/// moves the connection (`continue_reading`, `close`) is recorded and done by the embedder after the callback has
/// returned; on a connection that is over it is a no-op.
pub trait NetworkStream: AttributeSource {
    /// What the filter stopped of this side and the connection keeps. Asked for outside the side's own callback alone.
    fn stopped_data(&self, side: NetworkSide) -> Option<RefMut<'_, BytesMut>>;
    /// Goes on with the filter behind this one (Envoy's `continueReading`); harmless if nothing was stopped.
    fn continue_reading(&self);
    /// Writes what is waiting, then closes; `details` says by whom.
    fn close(&self, details: &str);
    /// Sets the filter state object of the connection that a property is (`wasm.<path>`), as
    /// [`crate::HttpStream::set_property`].
    fn set_property(&self, key: &[u8], value: Bytes, declared: &Declaration) -> bool;
    /// Sets a filter state object of the proxy's own (`set_envoy_filter_state`).
    ///
    /// # Errors
    /// Why it was not set. By default there are no such objects.
    fn set_envoy_filter_state(&self, _key: &str, _value: &str, _life_span: LifeSpan) -> Result<(), StateRefusal> {
        Err(StateRefusal::Unknown)
    }
}
