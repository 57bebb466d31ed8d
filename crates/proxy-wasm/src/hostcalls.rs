//! The hostcalls, as functions that act on the VM whose code runs.
//!
//! A status that a function's signature does not account for is a panic. Sizes are cut to the ABI's 32 bits, so that `usize::MAX` is
//! all, as it is in Wasm.

mod callouts;
mod headers;
mod streams;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sandgate_abi as abi;
use sandgate_vm::{HostCalls, Output};

pub use self::callouts::{
    cancel_grpc_call, cancel_grpc_stream, close_grpc_stream, dispatch_grpc_call, dispatch_http_call, get_grpc_status,
    open_grpc_stream, send_grpc_stream_message,
};
pub use self::headers::{
    add_map_value, add_map_value_bytes, get_map, get_map_bytes, get_map_value, get_map_value_bytes, remove_map_value,
    set_map, set_map_bytes, set_map_value, set_map_value_bytes,
};
pub use self::streams::{
    close_downstream, close_upstream, reset_http_request, reset_http_response, resume_downstream, resume_http_request,
    resume_http_response, resume_upstream, send_grpc_response, send_http_response,
};
use crate::instance::{self, fail};
use crate::map;
use crate::types::{BufferType, Bytes, LogLevel, MetricType, Status};

// --- How they are made -------------------------------------------------------------------------------------------------------------

/// Asks the host. Of what is not OK, `known` comes back.
fn ask<T>(
    function: &str,
    known: &[Status],
    call: impl FnOnce(&dyn HostCalls) -> Result<T, abi::Status>,
) -> Result<T, Status> {
    instance::with(function, |instance| call(&*instance.host)).map_err(|status| {
        let code = status.code();
        // Outside of `with`, so that a panic is the plugin's.
        known.iter().copied().find(|known| *known as u32 == code).unwrap_or_else(|| unexpected(code))
    })
}

/// The same for what has a value beside its result. No bytes are no value.
fn ask_for<T>(
    function: &str,
    known: &[Status],
    call: impl FnOnce(&dyn HostCalls, &mut Output) -> Result<T, abi::Status>,
) -> Result<(T, Option<Bytes>), Status> {
    ask(function, known, |host| {
        let mut out = Output::default();
        let result = call(host, &mut out)?;
        Ok((result, Some(out.into_vec()).filter(|bytes| !bytes.is_empty())))
    })
}

/// A result that the SDK's signature has and that cannot be anything but OK, or one that a trait's method does not hand on.
pub(crate) fn must<T>(result: Result<T, Status>) -> T {
    result.unwrap_or_else(|status| unexpected(status as u32))
}

fn unexpected(code: u32) -> ! {
    fail(format_args!("unexpected status: {code}"))
}

/// `NOT_FOUND`, or another that means that there is nothing.
fn or_none<T>(result: Result<T, Status>, nothing: Status) -> Result<Option<T>, Status> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(status) if status == nothing => Ok(None),
        Err(status) => Err(status),
    }
}

fn text(bytes: Bytes) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| fail(error))
}

fn size(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

/// Cut as a cast does it, which is what the SDK makes of long periods.
fn milliseconds(duration: Duration) -> u32 {
    (duration.as_millis() & u128::from(u32::MAX)).try_into().unwrap_or(u32::MAX)
}

fn buffer(buffer: BufferType) -> Result<abi::BufferType, abi::Status> {
    abi::BufferType::from_u32(buffer as u32).ok_or(abi::Status::BadArgument)
}

// --- General -----------------------------------------------------------------------------------------------------------------------

/// Writes a line to the proxy's log.
///
/// # Errors
/// None.
pub fn log(level: LogLevel, message: &str) -> Result<(), Status> {
    ask("log", &[], |host| {
        host.log(abi::LogLevel::from_u32(level as u32).ok_or(abi::Status::BadArgument)?, message.as_bytes())
    })
}

/// The least level that the proxy writes; critical also if it writes none.
///
/// # Errors
/// None.
pub fn get_log_level() -> Result<LogLevel, Status> {
    let level = ask("get_log_level", &[], HostCalls::get_log_level)?;
    Ok(match level {
        0 => LogLevel::Trace,
        1 => LogLevel::Debug,
        2 => LogLevel::Info,
        3 => LogLevel::Warn,
        4 => LogLevel::Error,
        _ => LogLevel::Critical,
    })
}

/// What time it is.
///
/// # Errors
/// None.
pub fn get_current_time() -> Result<SystemTime, Status> {
    let nanoseconds = ask("get_current_time", &[], |host| Ok(host.get_current_time_nanoseconds()))?;
    Ok(UNIX_EPOCH + Duration::from_nanos(nanoseconds))
}

/// How often `on_tick` comes; never if zero.
///
/// # Errors
/// None.
pub fn set_tick_period(period: Duration) -> Result<(), Status> {
    ask("set_tick_period", &[], |host| host.set_tick_period_milliseconds(milliseconds(period)))
}

/// Part of a buffer; `None` for none of its bytes, and for a buffer that is not there now.
///
/// # Errors
/// None.
pub fn get_buffer(buffer_type: BufferType, start: usize, max_size: usize) -> Result<Option<Bytes>, Status> {
    let result = ask_for("get_buffer", &[Status::NotFound], |host, out| {
        host.get_buffer_bytes(buffer(buffer_type)?, size(start), size(max_size), out)
    });
    Ok(or_none(result, Status::NotFound)?.and_then(|((), bytes)| bytes))
}

/// Replaces part of a buffer.
///
/// # Errors
/// None.
pub fn set_buffer(buffer_type: BufferType, start: usize, length: usize, value: &[u8]) -> Result<(), Status> {
    ask("set_buffer", &[], |host| host.set_buffer_bytes(buffer(buffer_type)?, size(start), size(length), value))
}

/// A property's bytes; `None` for one that is not there or empty.
///
/// # Errors
/// `SerializationFailure` for one without a byte form, `InternalFailure`.
pub fn get_property(path: Vec<&str>) -> Result<Option<Bytes>, Status> {
    let known = [Status::NotFound, Status::SerializationFailure, Status::InternalFailure];
    let path = map::path(&path);
    let result = ask_for("get_property", &known, |host, out| host.get_property(&path, out));
    Ok(or_none(result, Status::NotFound)?.and_then(|((), bytes)| bytes))
}

/// Sets a property.
///
/// # Errors
/// None.
pub fn set_property(path: Vec<&str>, value: Option<&[u8]>) -> Result<(), Status> {
    let path = map::path(&path);
    ask("set_property", &[], |host| host.set_property(&path, value.unwrap_or_default()))
}

/// Makes this context the one that hostcalls act on.
///
/// # Errors
/// `BadArgument` if there is none of this id.
pub fn set_effective_context(context_id: u32) -> Result<(), Status> {
    ask("set_effective_context", &[Status::BadArgument], |host| host.set_effective_context(context_id))
}

/// Ends a context whose `on_done` said that it was not done.
///
/// # Errors
/// None.
pub fn done() -> Result<(), Status> {
    ask("done", &[], HostCalls::done)
}

/// Calls a function of the proxy's own.
///
/// # Errors
/// `NotFound` if there is none of that name, `BadArgument`, `SerializationFailure` and `InternalFailure` as it pleases.
pub fn call_foreign_function(function_name: &str, arguments: Option<&[u8]>) -> Result<Option<Bytes>, Status> {
    let known = [Status::NotFound, Status::BadArgument, Status::SerializationFailure, Status::InternalFailure];
    let ((), result) = ask_for("call_foreign_function", &known, |host, out| {
        host.call_foreign_function(function_name.as_bytes(), arguments.unwrap_or_default(), out)
    })?;
    Ok(result)
}

// --- Shared data and queues --------------------------------------------------------------------------------------------------------

/// A value that the VMs of this id share, and its version for [`set_shared_data`].
///
/// # Errors
/// None.
pub fn get_shared_data(key: &str) -> Result<(Option<Bytes>, Option<u32>), Status> {
    let result = ask_for("get_shared_data", &[Status::NotFound], |host, out| host.get_shared_data(key.as_bytes(), out));
    Ok(match or_none(result, Status::NotFound)? {
        Some((cas, value)) => (value, Some(cas).filter(|cas| *cas != 0)),
        None => (None, None),
    })
}

/// Sets a shared value; with `cas` only if it still has that version.
///
/// # Errors
/// `CasMismatch` if it has another.
pub fn set_shared_data(key: &str, value: Option<&[u8]>, cas: Option<u32>) -> Result<(), Status> {
    ask("set_shared_data", &[Status::CasMismatch], |host| {
        host.set_shared_data(key.as_bytes(), value.unwrap_or_default(), cas.unwrap_or(0))
    })
}

/// Makes a queue, if there is none of the name yet, of which this VM is told when something is in it.
///
/// # Errors
/// None.
pub fn register_shared_queue(name: &str) -> Result<u32, Status> {
    ask("register_shared_queue", &[], |host| host.register_shared_queue(name.as_bytes()))
}

/// The queue of that name that a VM of that id has made.
///
/// # Errors
/// None.
pub fn resolve_shared_queue(vm_id: &str, name: &str) -> Result<Option<u32>, Status> {
    let result = ask("resolve_shared_queue", &[Status::NotFound], |host| {
        host.resolve_shared_queue(vm_id.as_bytes(), name.as_bytes())
    });
    or_none(result, Status::NotFound)
}

/// Takes the first of a queue; `None` if it is empty, and for an empty one.
///
/// # Errors
/// `NotFound` if there is no such queue.
pub fn dequeue_shared_queue(queue_id: u32) -> Result<Option<Bytes>, Status> {
    let result = ask_for("dequeue_shared_queue", &[Status::Empty, Status::NotFound], |host, out| {
        host.dequeue_shared_queue(queue_id, out)
    });
    Ok(or_none(result, Status::Empty)?.and_then(|((), bytes)| bytes))
}

/// Appends to a queue.
///
/// # Errors
/// `NotFound` if there is no such queue.
pub fn enqueue_shared_queue(queue_id: u32, value: Option<&[u8]>) -> Result<(), Status> {
    ask("enqueue_shared_queue", &[Status::NotFound], |host| {
        host.enqueue_shared_queue(queue_id, value.unwrap_or_default())
    })
}

// --- Metrics -----------------------------------------------------------------------------------------------------------------------

/// The id of a metric, which is made if there is none of the name.
///
/// # Errors
/// None.
pub fn define_metric(metric_type: MetricType, name: &str) -> Result<u32, Status> {
    ask("define_metric", &[], |host| {
        let kind = abi::MetricType::from_u32(metric_type as u32).ok_or(abi::Status::BadArgument)?;
        host.define_metric(kind, name.as_bytes())
    })
}

/// A metric's value.
///
/// # Errors
/// `NotFound` for an id that is none, `BadArgument` for a histogram.
pub fn get_metric(metric_id: u32) -> Result<u64, Status> {
    ask("get_metric", &[Status::NotFound, Status::BadArgument], |host| host.get_metric(metric_id))
}

/// Sets a gauge, adds to a histogram.
///
/// # Errors
/// `NotFound` for an id that is none.
pub fn record_metric(metric_id: u32, value: u64) -> Result<(), Status> {
    ask("record_metric", &[Status::NotFound], |host| host.record_metric(metric_id, value))
}

/// Moves a counter or gauge.
///
/// # Errors
/// `NotFound` for an id that is none, `BadArgument` for what cannot move so.
pub fn increment_metric(metric_id: u32, offset: i64) -> Result<(), Status> {
    ask("increment_metric", &[Status::NotFound, Status::BadArgument], |host| host.increment_metric(metric_id, offset))
}
