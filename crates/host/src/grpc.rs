//! gRPC calls of plugins: what the embedder does, and what it tells.

use std::fmt;
use std::rc::{Rc, Weak};

use sandgate_http::{BodyBuffer, HeaderMap};

use crate::vm::action::Action;
use crate::vm::context::Context;
use crate::vm::instance::Vm;

/// A call that has begun. Dropped before its end, it is cancelled.
pub trait GrpcCall {
    /// Sends a message of a stream, framed; nothing after the last one.
    fn send(&self, message: &[u8], end: bool);
    /// Ends the sending side of a stream.
    fn half_close(&self);
    /// Bytes of messages that the service has not taken yet.
    fn queued_bytes(&self) -> usize;
}

/// What a plugin calls.
#[derive(Clone, Copy, Debug)]
pub struct GrpcRequest<'a> {
    /// A serialized `envoy.config.core.v3.GrpcService`, or else the name of a cluster.
    pub target: &'a [u8],
    /// Full name of the service.
    pub service: &'a [u8],
    /// Name of the method.
    pub method: &'a [u8],
    /// Initial metadata.
    pub metadata: &'a HeaderMap,
    /// What kind of call it is.
    pub kind: GrpcKind<'a>,
    /// The longest message that is received, in bytes, if the target has no lower limit of its own.
    pub message_limit: usize,
}

/// The kinds of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrpcKind<'a> {
    /// One message each way.
    Unary {
        /// The message that is sent.
        message: &'a [u8],
        /// Milliseconds until the whole answer must have come; 0 is no limit.
        timeout_ms: u32,
    },
    /// Any number of messages each way.
    Stream,
}

/// Why a call did not begin.
#[derive(Debug)]
pub enum GrpcRefusal {
    /// The target is neither a message nor the name of a cluster.
    UnknownTarget,
    /// The target's message cannot be used.
    UnusableTarget,
    /// The call is over already: there is no such cluster, or it has no host. The plugin is told by
    /// `proxy_on_grpc_close` once its callback has returned.
    Ended(GrpcEnd),
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrpcEnd {
    /// What a stream is told before the end; `None` if it never began.
    pub trailers: Option<HeaderMap>,
    /// The status; `u32::MAX` for a number that is none.
    pub status: u32,
    /// The message as it was sent, and in braces how the request went (as in Envoy).
    pub message: String,
}

/// Tells the plugin of one call what becomes of it. Once the plugin, its VM or the call is gone, nothing happens.
///
/// Of a unary call only its message or a close with a failure is told, and it is the last thing.
pub struct GrpcEvents {
    pub(crate) vm: Weak<Vm>,
    pub(crate) root: Weak<Context>,
    pub(crate) token: u32,
}

/// Something that happened to a call.
#[derive(Debug)]
pub(crate) enum GrpcEvent {
    InitialMetadata(HeaderMap),
    Message(BodyBuffer),
    TrailingMetadata(HeaderMap),
    Close { status: u32, message: String },
}

// === impl GrpcEvents ===

impl GrpcEvents {
    /// `proxy_on_grpc_receive_initial_metadata` of a stream.
    pub fn initial_metadata(&self, metadata: HeaderMap) {
        self.tell(GrpcEvent::InitialMetadata(metadata));
    }

    /// `proxy_on_grpc_receive`.
    pub fn message(&self, message: BodyBuffer) {
        self.tell(GrpcEvent::Message(message));
    }

    /// `proxy_on_grpc_receive_trailing_metadata` of a stream.
    pub fn trailing_metadata(&self, metadata: HeaderMap) {
        self.tell(GrpcEvent::TrailingMetadata(metadata));
    }

    /// `proxy_on_grpc_close`, after which there is nothing more to tell.
    pub fn close(&self, status: u32, message: String) {
        self.tell(GrpcEvent::Close { status, message });
    }

    /// Whether there is still anybody to tell: a plugin that has cancelled its call hears no more of it.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.target().is_some()
    }

    fn target(&self) -> Option<(Rc<Vm>, Rc<Context>)> {
        let (vm, root) = (self.vm.upgrade()?, self.root.upgrade()?);
        let known = vm.state.knows(&root) && vm.state.callouts.grpc.get(&root, self.token).is_some();
        known.then_some((vm, root))
    }

    fn tell(&self, event: GrpcEvent) {
        let Some((vm, root)) = self.target() else { return };
        if vm.is_running() {
            vm.state.later(Action::Grpc { root, token: self.token, event });
        } else {
            vm.tell_grpc(&root, self.token, event);
        }
    }
}

impl fmt::Debug for GrpcEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrpcEvents").field("token", &self.token).finish_non_exhaustive()
    }
}
