//! How sockets to endpoints are set up.

use std::time::Duration;

use super::{Context, address::source_address};
use crate::{
    model::{TcpKeepalive, UpstreamSocket},
    proto::envoy::config::{
        cluster::v3::UpstreamConnectionOptions,
        core::v3::{self as core, BindConfig},
    },
};

/// Converts what a cluster says of its sockets.
pub(super) fn upstream_socket(
    context: &mut Context<'_>,
    options: Option<UpstreamConnectionOptions>,
    bind: Option<BindConfig>,
) -> UpstreamSocket {
    let address = bind.and_then(|bind| bind.source_address);
    UpstreamSocket {
        keepalive: options.and_then(|options| options.tcp_keepalive).and_then(keepalive),
        source_address: address.and_then(|address| {
            context.field("upstream_bind_config", |context| {
                context.field("source_address", |context| source_address(context, &address))
            })
        }),
    }
}

/// A zero anywhere turns probes off, as Envoy's documentation says.
fn keepalive(message: core::TcpKeepalive) -> Option<TcpKeepalive> {
    let values = [message.keepalive_probes, message.keepalive_time, message.keepalive_interval];
    if values.contains(&Some(0)) {
        return None;
    }
    let seconds = |value: Option<u32>| value.map(|value| Duration::from_secs(value.into()));
    Some(TcpKeepalive {
        probes: message.keepalive_probes,
        time: seconds(message.keepalive_time),
        interval: seconds(message.keepalive_interval),
    })
}
