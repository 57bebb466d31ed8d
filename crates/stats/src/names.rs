//! The scopes and their stats, named as Envoy 1.40 names them.

mod cluster;
mod http;
mod listener;

pub use cluster::ClusterStats;
pub use http::{HttpListenerStats, HttpStats};
pub use listener::ListenerStats;

/// Defines a scope: a type with one method for each stat, which is also the last part of the stat's name.
macro_rules! scope {
    ($(#[$meta:meta])* $name:ident, $prefix:literal,
        counters { $($(#[$cmeta:meta])* $counter:ident,)* }
        gauges { $($(#[$gmeta:meta])* $gauge:ident,)* }
        histograms { $($(#[$hmeta:meta])* $histogram:ident: $unit:ident,)* }) => {
        $(#[$meta])*
        pub struct $name($crate::block::Writer);

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
            };

            impl $name {
                /// This worker's values of the scope with this name, registered in `store`.
                #[must_use]
                pub fn new(store: &$crate::StatsStore, name: &str) -> Self {
                    Self($crate::block::Writer::new(store, format!($prefix, name), &NAMES))
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
