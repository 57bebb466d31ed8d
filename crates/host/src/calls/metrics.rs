//! Metrics by the ids that one VM was given.

use std::sync::Arc;

use sandgate_abi::{MetricType, Status};

use crate::limits::Limit;
use crate::shared::metrics::Metric;
use crate::vm::state::VmState;

/// The kind is the two lowest bits of an id; the rest counts from 1 for each kind.
const KIND_BITS: u32 = 2;
const KIND_MASK: u32 = 3;

/// A new id, even for a metric that has one already (as in Envoy).
pub(super) fn define(state: &VmState, kind: MetricType, name: &[u8]) -> Result<u32, Status> {
    let limits = &*state.limits;
    let metric = state.host.metrics().define(kind, name, limits).map_err(|status| match status {
        Status::InternalFailure if name.len() > limits.metric_name_bytes => state.breach(Limit::MetricName),
        Status::InternalFailure => state.breach(Limit::Metrics),
        status => status,
    })?;
    let mut by_kind = state.metrics.borrow_mut();
    let metrics = by_kind.get_mut(kind as usize).ok_or(Status::BadArgument)?;
    if metrics.len() >= limits.metric_ids {
        return Err(state.breach(Limit::MetricIds));
    }
    metrics.push(metric);
    let number = u32::try_from(metrics.len()).map_err(|_| Status::InternalFailure)?;
    Ok(number << KIND_BITS | kind as u32)
}

pub(super) fn increment(state: &VmState, id: u32, delta: i64) -> Result<(), Status> {
    // Envoy looks at the kind before it looks for the metric.
    if id & KIND_MASK >= MetricType::Histogram as u32 {
        return Err(Status::BadArgument);
    }
    find(state, id)?.increment(delta)
}

pub(super) fn record(state: &VmState, id: u32, value: u64) -> Result<(), Status> {
    find(state, id)?.record(value);
    Ok(())
}

pub(super) fn get(state: &VmState, id: u32) -> Result<u64, Status> {
    if id & KIND_MASK >= MetricType::Histogram as u32 {
        return Err(Status::BadArgument);
    }
    find(state, id)?.get()
}

fn find(state: &VmState, id: u32) -> Result<Arc<Metric>, Status> {
    let index = (id >> KIND_BITS).checked_sub(1).and_then(|n| usize::try_from(n).ok()).ok_or(Status::NotFound)?;
    let by_kind = state.metrics.borrow();
    let metrics = by_kind.get((id & KIND_MASK) as usize).ok_or(Status::NotFound)?;
    metrics.get(index).cloned().ok_or(Status::NotFound)
}
