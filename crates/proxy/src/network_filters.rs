//! The network filters that are simple, each as it is for one connection.

mod connection_limit;
mod delay;
mod direct_response;
mod echo;
mod rbac;
mod sni_cluster;

pub(crate) use self::{
    connection_limit::{ConnectionCounts, ConnectionLimitFilter},
    direct_response::DirectResponseFilter,
    echo::EchoFilter,
    rbac::NetworkRbacFilter,
    sni_cluster::SniClusterFilter,
};
