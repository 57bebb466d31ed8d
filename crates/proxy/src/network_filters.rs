//! The network filters that are simple, each as it is for one connection.

mod connection_limit;
mod delay;
mod direct_response;
mod echo;
mod rbac;
mod set_filter_state;
mod sni_cluster;

pub(crate) use self::{
    connection_limit::{ConnectionCounts, ConnectionLimitFilter},
    direct_response::DirectResponseFilter,
    echo::EchoFilter,
    rbac::NetworkRbacFilter,
    set_filter_state::NetworkSetFilterStateFilter,
    sni_cluster::SniClusterFilter,
};
