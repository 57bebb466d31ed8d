//! One VM: the guest, the host's side of it, and the gate between them.

pub(crate) mod action;
pub(crate) mod base;
pub(crate) mod callouts;
pub(crate) mod connection;
pub(crate) mod context;
pub(crate) mod dns;
pub(crate) mod expressions;
pub(crate) mod grpc;
pub(crate) mod image;
pub(crate) mod instance;
mod quotas;
pub(crate) mod spares;
pub(crate) mod state;
pub(crate) mod timers;
