//! The scopes and their stats, named as Envoy 1.40 names them.

mod access;
mod cluster;
mod ecds;
mod filesystem;
mod health;
mod http;
mod listener;
mod listener_filters;
mod rds;
mod ssl;
mod tcp;
mod vhost;
mod xds;

use std::borrow::Cow;

pub use access::{
    ConnectionLimitStats, RbacPolicyAllowedStats, RbacPolicyDeniedStats, RbacPolicyShadowAllowedStats,
    RbacPolicyShadowDeniedStats, RbacShadowStats, RbacStats,
};
pub use cluster::{CdsStats, ClusterStats, TransportSocketMatchStats};
pub use ecds::EcdsStats;
pub use filesystem::FilesystemStats;
pub use health::{HealthCheckStats, OutlierDetectionStats};
pub use http::{Http1CodecStats, Http2CodecStats, HttpListenerStats, HttpStats, RouterStats, TracingStats};
pub use listener::{ConfiguredListenerStats, ListenerStats, ThreadListenerStats};
pub use listener_filters::{
    HttpInspectorStats, LegacyProxyProtocolStats, ProxyProtocolStats, ProxyProtocolVersionStats, TlsInspectorStats,
};
pub use rds::RdsStats;
pub(crate) use ssl::SslNamesBlock;
pub use ssl::{SdsStats, SslNames, SslSocketFactoryStats, SslStats};
pub use tcp::TcpProxyStats;
pub use vhost::VirtualClusterStats;
pub use xds::{ControlPlaneStats, SubscriptionStats};

/// Defines a scope: a type with one method for each stat, which is also the last part of the stat's name. `zeros` are stats
/// that Envoy shows and that nothing here can make anything but zero. `verbatim` scopes keep what others replace in their
/// names.
macro_rules! scope {
    ($(#[$meta:meta])* $name:ident $($verbatim:ident)?, $prefix:literal,
        counters { $($(#[$cmeta:meta])* $counter:ident,)* }
        gauges { $($(#[$gmeta:meta])* $gauge:ident,)* }
        histograms { $($(#[$hmeta:meta])* $histogram:ident: $unit:ident,)* }
        $(zeros { counters { $($zero_counter:ident,)* } gauges { $($zero_gauge:ident,)* } })?) => {
        $(#[$meta])*
        pub struct $name(
            #[allow(dead_code, reason = "a scope may have nothing but zeros")] $crate::block::Writer,
        );

        const _: () = {
            #[allow(non_camel_case_types, unused, reason = "named as the stats are, and some scopes have none of a kind")]
            enum CounterIndex { $($counter,)* }
            #[allow(non_camel_case_types, unused, reason = "as above")]
            enum GaugeIndex { $($gauge,)* }
            #[allow(non_camel_case_types, unused, reason = "as above")]
            enum HistogramIndex { $($histogram,)* }

            static NAMES: $crate::block::Names = $crate::block::Names {
                counters: &[$(stringify!($counter),)*],
                gauges: &[$(stringify!($gauge),)*],
                histograms: &[$((stringify!($histogram), $crate::Unit::$unit),)*],
                zero_counters: &[$($(stringify!($zero_counter),)*)?],
                zero_gauges: &[$($(stringify!($zero_gauge),)*)?],
            };

            impl $name {
                fn prefix(name: &str) -> String {
                    let verbatim: &[&str] = &[$(stringify!($verbatim))?];
                    let name = if verbatim.is_empty() { $crate::names::scope_name(name) } else { name.into() };
                    format!($prefix, name)
                }

                /// This worker's values of the scope with this name, registered in `store`.
                #[must_use]
                pub fn new(store: &$crate::StatsStore, name: &str) -> Self {
                    Self($crate::block::Writer::new(store, Self::prefix(name), &NAMES, false))
                }

                /// As `new`, but nothing is shown before [`show`](Self::show): Envoy makes some scopes when they are
                /// first used.
                #[must_use]
                pub fn hidden(store: &$crate::StatsStore, name: &str) -> Self {
                    Self($crate::block::Writer::new(store, Self::prefix(name), &NAMES, true))
                }

                /// Shows the scope from now on.
                pub fn show(&self) {
                    self.0.show();
                }

                $($(#[$cmeta])*
                #[must_use]
                pub fn $counter(&self) -> $crate::Counter<'_> {
                    self.0.counter(CounterIndex::$counter as usize)
                })*

                $($(#[$gmeta])*
                #[must_use]
                pub fn $gauge(&self) -> $crate::Gauge<'_> {
                    self.0.gauge(GaugeIndex::$gauge as usize)
                })*

                $($(#[$hmeta])*
                #[must_use]
                pub fn $histogram(&self) -> $crate::Histogram<'_> {
                    self.0.histogram(HistogramIndex::$histogram as usize)
                })*
            }
        };
    };
}
use scope;

/// A name as Envoy has it in stats: colons would make trouble in StatsD.
#[must_use]
pub fn scope_name(name: &str) -> Cow<'_, str> {
    if name.contains(':') { name.replace("://", "_").replace(":/", "_").replace(':', "_").into() } else { name.into() }
}
