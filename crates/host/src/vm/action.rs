//! What guests ask for that has to wait until no guest is running.

use std::rc::Rc;

use sandgate_http::{Direction, LocalReply};

use super::context::Context;
use crate::grpc::GrpcEvent;

/// Done first-in first-out after the outermost call into the VM; nothing if the target is gone by then.
pub(crate) enum Action {
    /// Lets a stopped stream go on.
    Resume(Rc<Context>, Direction),
    /// Lets a stopped connection go on.
    ContinueReading(Rc<Context>),
    /// Closes a connection, which is told why.
    CloseConnection(Rc<Context>, &'static str),
    /// Resets a stream.
    Close(Rc<Context>),
    /// Answers a stream.
    Reply(Rc<Context>, Box<LocalReply>),
    /// Tells what became of a gRPC call.
    Grpc { root: Rc<Context>, token: u32, event: GrpcEvent },
    /// Takes back what a callback of a gRPC call could read, and ends the call if it was the last.
    AfterGrpc { root: Rc<Context>, token: u32, ends: bool },
    /// Ends a root context: `proxy_on_done`, and `proxy_on_delete` unless the guest wants to be waited for.
    EndRoot(Rc<Context>),
    /// `proxy_on_delete` of a root context that `proxy_done` was called for.
    DeleteRoot(Rc<Context>),
}

/// How many actions may wait, so that a guest cannot fill the memory with them.
pub(crate) const MAX_ACTIONS: usize = 10_000;

/// How many of them may enter the guest, since each such call has a CPU limit of its own.
pub(crate) const MAX_REENTRIES: usize = 100;

impl Action {
    /// Whether the host asked for it, so that it must not be lost.
    pub(crate) fn is_ours(&self) -> bool {
        matches!(self, Self::EndRoot(_) | Self::DeleteRoot(_) | Self::AfterGrpc { .. })
    }

    /// Whether it calls the guest.
    pub(crate) fn enters(&self) -> bool {
        matches!(self, Self::Grpc { .. } | Self::EndRoot(_) | Self::DeleteRoot(_))
    }
}
