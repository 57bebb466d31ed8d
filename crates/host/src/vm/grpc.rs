//! gRPC calls of one VM, and what is told of them.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use bytes::Bytes;
use sandgate_abi::Callback;
use sandgate_http::{BodyBuffer, HeaderMap};

use super::action::Action;
use super::callouts::CalloutStatus;
use super::context::Context;
use super::instance::Vm;
use crate::GrpcCall;
use crate::grpc::GrpcEvent;

/// Which kind of callout a token is of: its two lowest bits. 0 is an HTTP call.
pub(crate) const KIND_MASK: u32 = 3;
/// A unary gRPC call.
pub(crate) const GRPC_CALL: u32 = 1;
/// A gRPC stream.
pub(crate) const GRPC_STREAM: u32 = 2;

/// gRPC calls by their tokens. Only the root context that has made a call, and its streams, know it.
#[derive(Default)]
pub(crate) struct GrpcTable {
    calls: RefCell<HashMap<u32, Entry>>,
    last_call: Cell<u32>,
    last_stream: Cell<u32>,
    /// What the running callback may read, and the root context that made the call.
    pub(crate) received: RefCell<Option<(u32, Received)>>,
}

/// A call that the guest can name.
struct Entry {
    root: Rc<Context>,
    /// `None` once the service has ended it.
    call: Option<Rc<dyn GrpcCall>>,
    /// The guest has closed its side.
    closed: bool,
}

/// What came last.
#[derive(Debug)]
pub(crate) enum Received {
    InitialMetadata(HeaderMap),
    Message(BodyBuffer),
    TrailingMetadata(HeaderMap),
}

/// What a token names.
pub(crate) enum Named {
    Call(Rc<dyn GrpcCall>),
    /// A stream that its service has ended, and the guest has not closed.
    Ended,
}

// === impl GrpcTable ===

impl GrpcTable {
    /// What the next call of this kind will be known by, if it comes that far.
    pub(crate) fn next(&self, kind: u32) -> u32 {
        let calls = self.calls.borrow();
        let mut number = self.last(kind).get();
        loop {
            number = number.wrapping_add(1);
            let token = number.wrapping_mul(KIND_MASK + 1) | kind;
            if token != kind && !calls.contains_key(&token) {
                return token;
            }
        }
    }

    /// The token is used, whatever becomes of its call.
    pub(crate) fn take(&self, token: u32) {
        self.last(token & KIND_MASK).set(token / (KIND_MASK + 1));
    }

    fn last(&self, kind: u32) -> &Cell<u32> {
        if kind == GRPC_STREAM { &self.last_stream } else { &self.last_call }
    }

    pub(crate) fn insert(&self, token: u32, root: Rc<Context>, call: Box<dyn GrpcCall>) {
        self.calls.borrow_mut().insert(token, Entry { root, call: Some(Rc::from(call)), closed: false });
    }

    /// How many calls there are, with streams that the guest has not closed.
    pub(crate) fn len(&self) -> usize {
        self.calls.borrow().len()
    }

    /// Forgets streams that their services have ended.
    pub(crate) fn forget_ended(&self) {
        self.calls.borrow_mut().retain(|_, entry| entry.call.is_some());
    }

    pub(crate) fn get(&self, root: &Context, token: u32) -> Option<Named> {
        let calls = self.calls.borrow();
        let entry = calls.get(&token).filter(|entry| entry.is_of(root))?;
        Some(entry.call.clone().map_or(Named::Ended, Named::Call))
    }

    /// Forgets a call, and so cancels it. `false` if `root` has none of this token.
    pub(crate) fn cancel(&self, root: &Context, token: u32) -> bool {
        let known = self.get(root, token).is_some();
        if known {
            self.remove(token);
        }
        known
    }

    /// Cancels what a root context has under way.
    pub(crate) fn cancel_all(&self, root: &Context) {
        let gone: Vec<_> = self.calls.borrow_mut().extract_if(|_, entry| entry.is_of(root)).collect();
        drop(gone);
    }

    /// The guest closes its side of a stream. `false` if `root` has none of this token.
    pub(crate) fn close(&self, root: &Context, token: u32) -> bool {
        match self.get(root, token) {
            Some(Named::Call(call)) => {
                call.half_close();
                if let Some(entry) = self.calls.borrow_mut().get_mut(&token) {
                    entry.closed = true;
                }
                true
            }
            Some(Named::Ended) => {
                self.remove(token);
                true
            }
            None => false,
        }
    }

    /// The service has ended a call, of which the guest has not heard yet.
    fn end(&self, token: u32) {
        let call = self.calls.borrow_mut().get_mut(&token).and_then(|entry| entry.call.take());
        drop(call);
    }

    /// The guest has heard of the end. A stream that it has not closed keeps its token until then (as in Envoy).
    fn finish(&self, token: u32) {
        let closed = self.calls.borrow().get(&token).is_some_and(|entry| entry.closed);
        if closed || token & KIND_MASK == GRPC_CALL {
            self.remove(token);
        }
    }

    fn remove(&self, token: u32) {
        // The call is dropped when the table is free again.
        let entry = self.calls.borrow_mut().remove(&token);
        drop(entry);
    }
}

impl Entry {
    fn is_of(&self, root: &Context) -> bool {
        std::ptr::eq(&raw const *self.root, root)
    }
}

// === impl Vm ===

impl Vm {
    /// Tells the guest what happened to a call of `root`, which lives.
    pub(crate) fn tell_grpc(&self, root: &Rc<Context>, token: u32, event: GrpcEvent) {
        let grpc = &self.state.callouts.grpc;
        let count = |headers: &HeaderMap| u32::try_from(headers.len()).unwrap_or(u32::MAX);
        let id = root.id;
        let (received, callback) = match event {
            GrpcEvent::InitialMetadata(metadata) => {
                let callback = Callback::GrpcReceiveInitialMetadata { root: id, token, count: count(&metadata) };
                (Some(Received::InitialMetadata(metadata)), callback)
            }
            GrpcEvent::Message(message) => {
                let size = u32::try_from(message.len()).unwrap_or(u32::MAX);
                (Some(Received::Message(message)), Callback::GrpcReceive { root: id, token, size })
            }
            GrpcEvent::TrailingMetadata(metadata) => {
                let callback = Callback::GrpcReceiveTrailingMetadata { root: id, token, count: count(&metadata) };
                (Some(Received::TrailingMetadata(metadata)), callback)
            }
            GrpcEvent::Close { status, message } => {
                set_status(root, CalloutStatus { code: status, message: message.into() });
                (None, Callback::GrpcClose { root: id, token, status })
            }
        };
        // A unary call has no other event than its last.
        let ends = received.is_none() || token & KIND_MASK == GRPC_CALL;
        if ends {
            grpc.end(token);
        }
        grpc.received.replace(received.map(|received| (id, received)));
        if self.exports(&callback) {
            // Before anything that the guest asks to be done afterwards.
            self.state.later(Action::AfterGrpc { root: Rc::clone(root), token, ends });
            // A call that kills the VM is reported there.
            let _ = self.call(root, callback);
        } else {
            self.after_grpc(root, token, ends);
        }
    }

    /// What a callback could read is gone, and so is a call that has ended.
    pub(crate) fn after_grpc(&self, root: &Context, token: u32, ends: bool) {
        let grpc = &self.state.callouts.grpc;
        grpc.received.replace(None);
        if ends {
            if let Some(state) = root.as_root() {
                state.callout_status.borrow_mut().message = Bytes::new();
            }
            grpc.finish(token);
        }
    }
}

fn set_status(root: &Context, status: CalloutStatus) {
    if let Some(state) = root.as_root() {
        state.callout_status.replace(status);
    }
}
