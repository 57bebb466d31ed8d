//! Role based access control as Envoy's RBAC filters have it: rules made of policies are run over what is known of a request
//! or of a connection.
#![forbid(unsafe_code)]

mod engine;
mod rule;
mod subject;
#[cfg(test)]
mod testing;

pub use self::{
    engine::{Decision, Engine, denial_details},
    subject::Subject,
};
