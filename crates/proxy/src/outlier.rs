//! Outlier detection: hosts that answer badly are left out for a while. Threads count, the main thread decides.

mod detector;
mod event_log;
mod monitor;
mod rates;

pub(crate) use detector::{Detector, What};
pub(crate) use event_log::Line;
pub(crate) use monitor::{HostMonitor, Sign};
pub(crate) use rates::ClusterRates;
