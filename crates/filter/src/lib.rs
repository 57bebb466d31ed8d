//! One HTTP stream and its filter chain as a synchronous state machine, without I/O.
//!
//! [`Stream`] holds what is known of one exchange: headers, trailers, buffered bodies, [`StreamInfo`]. [`FilterManager`]
//! owns the [`HttpFilter`]s and walks events through them as Envoy 1.40 does: requests in the order of the chain,
//! responses in reverse. What comes out at the far ends are [`DecodeEvent`]s for the router and [`EncodeEvent`]s for the
//! codec; the owner (a pump) takes them when its sinks can take more.
//!
//! A filter never runs while another one, or itself, is on the stack: what a filter asks for through
//! [`FilterCallbacks`] is recorded and done after its callback has returned.
#![forbid(unsafe_code)]

mod action;
mod attributes;
mod callbacks;
mod connection_attributes;
pub mod dynamic_metadata;
mod event;
mod filter;
mod filter_state;
mod grpc;
mod held;
mod local_reply;
mod manager;
pub mod response_flag;
mod state_factory;
mod stream;
mod stream_info;
mod stream_route;
mod tls_info;
mod upstream_info;

pub use attributes::InfoAttributes;
pub use callbacks::FilterCallbacks;
pub use connection_attributes::ConnectionAttributes;
pub use event::{DecodeEvent, EncodeEvent};
pub use filter::{HttpFilter, Informational};
pub use filter_state::{FilterState, SharedFilterState};
pub use grpc::{grpc_status_from_http, is_grpc_request};
pub use local_reply::{
    LocalReplyContent, LocalReplyHeaders, LocalReplyRewriter, PreparedLocalReply, RequestKind, prepare_local_reply,
};
pub use manager::FilterManager;
pub use state_factory::{state_factory_exists, state_object};
pub use stream::{Stream, StreamOptions};
pub use stream_info::{ConnectionInfo, ListenerInfo, StreamInfo};
pub use stream_route::{RouteChooser, StreamRoute};
pub use tls_info::{CertificateInfo, TlsInfo};
pub use upstream_info::{AttemptedHost, ByteMeter, UpstreamInfo};
