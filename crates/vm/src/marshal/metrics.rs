//! Metrics.

use sandgate_abi::{MetricType, Status};

use super::{Outcome, bytes, check, put_u32, put_u64};
use crate::HostCalls;
use crate::guest::Guest;

/// The type is checked after the name here, as in Envoy.
pub(crate) fn proxy_define_metric<G: Guest>(
    guest: &mut G,
    kind: u32,
    name: u32,
    name_len: u32,
    ret_metric: u32,
) -> Outcome<G> {
    let (memory, state) = guest.split();
    let name = bytes(memory, name, name_len)?;
    let kind = MetricType::from_u32(kind).ok_or(Status::BadArgument)?;
    check::<4>(memory, ret_metric)?;
    let metric = state.host.define_metric(kind, name)?;
    Ok(put_u32(memory, ret_metric, metric)?)
}

pub(crate) fn proxy_increment_metric<G: Guest>(guest: &mut G, metric: u32, delta: u64) -> Outcome<G> {
    Ok(guest.state().host.increment_metric(metric, delta.cast_signed())?)
}

pub(crate) fn proxy_record_metric<G: Guest>(guest: &mut G, metric: u32, value: u64) -> Outcome<G> {
    Ok(guest.state().host.record_metric(metric, value)?)
}

pub(crate) fn proxy_get_metric<G: Guest>(guest: &mut G, metric: u32, ret_value: u32) -> Outcome<G> {
    let (memory, state) = guest.split();
    let value = state.host.get_metric(metric)?;
    Ok(put_u64(memory, ret_value, value)?)
}
