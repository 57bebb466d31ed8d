//! The protocol of a control plane: discovery messages and what one stream of them remembers. No I/O and no clock.
//!
//! A [`Mux`] knows who watches which resources, says what is to be sent, and turns what has come into [`Delivery`]s. There are two
//! of them, [`SotwMux`] for the state of the world and [`DeltaMux`] for differences; their requests come in the order and with
//! the contents of Envoy 1.40's.
#![forbid(unsafe_code)]

mod deliveries;
mod delta;
mod delta_interest;
mod heartbeat;
mod messages;
mod mux;
mod node;
mod pauses;
mod resource;
mod resource_type;
mod sotw;
#[cfg(test)]
mod testing;
mod watches;

pub use delta::DeltaMux;
pub use messages::{
    Any, ControlPlane, DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse, Lifetime,
    ResourceWrapper, Status,
};
pub use mux::{Delivery, Mux, Received, Response, WatchId};
pub use node::NodePolicy;
pub use resource::{Resource, Update};
pub use resource_type::ResourceType;
pub use sotw::{SotwMux, read_resource};
pub use watches::Names;
