//! Active health checks: hosts are asked how they are, on the main thread.

mod checker;
mod connector;
mod event_log;
mod grpc_probe;
mod http2_client;
mod http_probe;
mod payload;
mod schedule;
mod session;
mod tcp_probe;

pub(crate) use checker::{CheckResult, Checker, CheckerParts};
pub(crate) use connector::Connector;
pub(crate) use event_log::EventLog;
pub(crate) use session::{Event, Failure, Outcome, Session, Thresholds, Transition};

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// As it must be; `degraded` if the host says that it is.
    Passed { degraded: bool },
    /// It was not.
    Failed(Failure),
}
