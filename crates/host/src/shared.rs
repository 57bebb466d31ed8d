//! What VMs share across threads.

pub(crate) mod metrics;
pub(crate) mod queue;
pub(crate) mod space;
