//! What both protocols have in common.

use std::time::Instant;

use bytes::Bytes;
use prost::DecodeError;

use crate::{Names, ResourceType, Update};

/// Somebody who watches resources, on one [`Mux`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchId {
    /// Of what.
    pub kind: ResourceType,
    pub(crate) serial: u64,
}

/// One stream after the other to a control plane, with any number of types.
///
/// Requests are made when they are asked for: whoever sends calls [`next_request`](Self::next_request) until there is none, after
/// anything else that it has called.
pub trait Mux {
    /// Watches resources.
    fn subscribe(&mut self, kind: ResourceType, names: Names) -> WatchId;
    /// Watches others.
    fn set_names(&mut self, watch: WatchId, names: Names);
    /// Watches no more.
    fn unsubscribe(&mut self, watch: WatchId);
    /// Makes requests of that type wait, acknowledgements too.
    fn pause(&mut self, kind: ResourceType);
    /// They need not wait any more, if this was the last that wanted it. Call once for each pause.
    fn resume(&mut self, kind: ResourceType);
    /// A stream has begun.
    fn opened(&mut self);
    /// It has ended: there are no requests until another has begun.
    fn closed(&mut self);
    /// Whether there is a request to send.
    fn has_request(&self) -> bool;
    /// The next request to send, encoded.
    fn next_request(&mut self) -> Option<Bytes>;
    /// How many requests Envoy would count as pending (`pending_requests`).
    fn queued(&self) -> usize;
    /// Takes a message. If it is a response, it is to be [finished](Self::finish) once everybody has been told.
    ///
    /// # Errors
    /// It is none: the stream has to end.
    fn receive(&mut self, message: Bytes) -> Result<Received, DecodeError>;
    /// The response was taken, or it was refused and that is why.
    fn finish(&mut self, response: Response, result: Result<(), String>, now: Instant);
    /// Everybody who watches resources of a type.
    fn watches(&self, kind: ResourceType) -> Vec<WatchId>;
    /// Everybody.
    fn all_watches(&self) -> Vec<WatchId>;
    /// When [`expire`](Self::expire) has something to do.
    fn next_expiry(&self) -> Option<Instant>;
    /// Drops resources whose time is over.
    fn expire(&mut self, now: Instant) -> Vec<Delivery>;
}

/// What a message was.
#[derive(Debug)]
pub struct Received {
    /// Who sent it, if it says so.
    pub control_plane: Option<String>,
    /// Nothing if nobody here has asked for such resources, which is no error.
    pub response: Option<Response>,
}

/// A response that has come and is not answered.
#[derive(Debug)]
pub struct Response {
    /// Of its resources.
    pub kind: ResourceType,
    /// What is to be told to whom, in this order.
    pub deliveries: Vec<Delivery>,
    /// Why it cannot be taken whatever the subscribers say; there are no deliveries then.
    pub refused: Option<String>,
    pub(crate) nonce: String,
    /// Of a type that is told as a whole, or of the system.
    pub version: String,
    /// Names and versions of what has come.
    pub(crate) taken: Vec<Taken>,
    pub(crate) removed: Vec<String>,
}

/// What is remembered of a resource.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) ttl: Option<std::time::Duration>,
}

/// An update for one watch.
#[derive(Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Whose.
    pub watch: WatchId,
    /// What there is to tell.
    pub update: Update,
}

/// The longest text of an error that Envoy sends.
const DETAIL_LIMIT: usize = 4096;
/// `INTERNAL`.
const NACK_CODE: i32 = 13;

/// The error of a request that refuses a response.
pub(crate) fn nack(mut detail: String) -> crate::Status {
    if detail.len() > DETAIL_LIMIT {
        let end = (0..=DETAIL_LIMIT).rev().find(|&at| detail.is_char_boundary(at)).unwrap_or_default();
        detail.truncate(end);
        detail.push_str("...(truncated)");
    }
    crate::Status { code: NACK_CODE, message: detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_errors_are_cut() {
        assert_eq!(nack("x".repeat(4096)).message.len(), 4096);
        assert_eq!(nack("x".repeat(4097)).message, "x".repeat(4096) + "...(truncated)");
        assert_eq!(nack("\u{e9}".repeat(4097)).message, "\u{e9}".repeat(2048) + "...(truncated)");
        assert_eq!(nack("x\u{e9}".repeat(4097)).code, 13);
    }
}
