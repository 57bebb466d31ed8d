//! Byte buffers: bodies and configurations.

use bytes::{Buf, Bytes, BytesMut};
use sandgate_abi::{BufferType, Status};
use sandgate_http::{BodyBuffer, Direction};
use sandgate_vm::Output;

use crate::NetworkSide;
use crate::limits::Limit;
use crate::vm::context::{Access, StreamState};
use crate::vm::grpc::Received;
use crate::vm::state::VmState;

/// A buffer as the acting context has it now.
enum Buffer<'a, T> {
    Body(T),
    Configuration(&'a Bytes),
    /// Of a connection.
    Data(&'a [u8]),
    /// Reads as empty.
    Empty,
    Missing,
}

/// ABI 0.1.0: the plugin's configuration while it is configured, else the VM's.
pub(super) fn configuration(state: &VmState, out: &mut Output) {
    let context = state.acting();
    let configuring = context.as_ref().filter(|c| c.as_root().is_some_and(|root| root.configuring.get()));
    match configuring {
        Some(context) => out.push_segment(context.plugin.config().configuration.clone()),
        None => out.push_segment(state.base.config.configuration.clone()),
    }
}

pub(super) fn get(state: &VmState, buffer: BufferType, start: u32, max: u32, out: &mut Output) -> Result<(), Status> {
    let (start, max) = (start as usize, max as usize);
    read(state, buffer, |buffer| match buffer {
        Buffer::Body(body) => body.slice(start, max).for_each(|segment| out.push_segment(segment)),
        Buffer::Configuration(bytes) => {
            let end = start.saturating_add(max).min(bytes.len());
            if start < end {
                out.push_segment(bytes.slice(start..end));
            }
        }
        Buffer::Data(bytes) => {
            let end = start.saturating_add(max).min(bytes.len());
            out.extend(bytes.get(start..end).unwrap_or_default());
        }
        Buffer::Empty | Buffer::Missing => {}
    })
}

/// Length and flags; the flags are always 0 (as in Envoy).
pub(super) fn status(state: &VmState, buffer: BufferType) -> Result<(u32, u32), Status> {
    let mut len = 0;
    read(state, buffer, |buffer| {
        len = match buffer {
            Buffer::Body(body) => body.len(),
            Buffer::Configuration(bytes) => bytes.len(),
            Buffer::Data(bytes) => bytes.len(),
            Buffer::Empty | Buffer::Missing => 0,
        };
    })?;
    Ok((u32::try_from(len).unwrap_or(u32::MAX), 0))
}

/// Replaces the start of a body, prepends to it or appends to it; nothing in the middle (as in Envoy).
pub(super) fn set(state: &VmState, buffer: BufferType, start: u32, size: u32, value: &[u8]) -> Result<(), Status> {
    let direction = match buffer {
        BufferType::HttpRequestBody => Direction::Request,
        BufferType::HttpResponseBody => Direction::Response,
        BufferType::DownstreamData | BufferType::UpstreamData => {
            return with_data(state, buffer, |data| write_data(state, data, start, size, value))
                .unwrap_or(Err(Status::BadArgument));
        }
        BufferType::GrpcReceiveBuffer => {
            return with_message(state, |message| write(state, message, start, size, value))
                .unwrap_or(Err(Status::BadArgument));
        }
        BufferType::HttpCallResponseBody if !shows_response(state) => return Err(Status::NotFound),
        BufferType::PluginConfiguration if configuration_of(state, buffer).is_none() => return Err(Status::NotFound),
        _ => return Err(Status::BadArgument),
    };
    let context = state.acting().ok_or(Status::BadArgument)?;
    let stream_state = context.as_stream().ok_or(Status::BadArgument)?;
    with_body_mut(stream_state, direction, |body| write(state, body, start, size, value))
        .unwrap_or(Err(Status::BadArgument))
}

fn write(state: &VmState, body: &mut BodyBuffer, start: u32, size: u32, value: &[u8]) -> Result<(), Status> {
    let (start, size) = (start as usize, size as usize);
    let dropped = if start == 0 { size.min(body.len()) } else { 0 };
    if value.len() > dropped && body.len() - dropped + value.len() > state.limits.body_bytes {
        return Err(state.breach(Limit::Body));
    }
    if start == 0 {
        body.drain(size);
        body.prepend(Bytes::copy_from_slice(value));
        Ok(())
    } else if start >= body.len() {
        body.push(Bytes::copy_from_slice(value));
        Ok(())
    } else {
        Err(Status::BadArgument)
    }
}

/// The same of a connection's data.
fn write_data(state: &VmState, data: &mut BytesMut, start: u32, size: u32, value: &[u8]) -> Result<(), Status> {
    let (start, size) = (start as usize, size as usize);
    let dropped = if start == 0 { size.min(data.len()) } else { 0 };
    if value.len() > dropped && data.len() - dropped + value.len() > state.limits.body_bytes {
        return Err(state.breach(Limit::Body));
    }
    if start == 0 {
        replace_start(data, dropped, value);
    } else if start >= data.len() {
        data.extend_from_slice(value);
    } else {
        return Err(Status::BadArgument);
    }
    Ok(())
}

/// Puts `value` in place of the first `size` bytes.
fn replace_start(data: &mut BytesMut, size: usize, value: &[u8]) {
    if let Some(skipped) = size.checked_sub(value.len()) {
        data.advance(skipped);
        data[..value.len()].copy_from_slice(value);
    } else {
        let mut new = BytesMut::with_capacity(value.len() + data.len() - size);
        new.extend_from_slice(value);
        new.extend_from_slice(&data[size..]);
        *data = new;
    }
}

/// The data of one side of the acting context's connection, if the guest may see it now.
fn with_data<T>(state: &VmState, buffer: BufferType, change: impl FnOnce(&mut BytesMut) -> T) -> Option<T> {
    let context = state.acting()?;
    let side = match buffer {
        BufferType::DownstreamData => NetworkSide::Downstream,
        BufferType::UpstreamData => NetworkSide::Upstream,
        _ => return None,
    };
    context.as_connection()?.with_data(side, change)
}

/// The message of a gRPC call whose callback runs.
fn with_message<T>(state: &VmState, f: impl FnOnce(&mut BodyBuffer) -> T) -> Option<T> {
    let root = state.acting()?.root_of().id;
    match &mut *state.callouts.grpc.received.borrow_mut() {
        Some((of, Received::Message(message))) if *of == root => Some(f(message)),
        _ => None,
    }
}

fn read(state: &VmState, buffer: BufferType, read: impl FnOnce(Buffer<'_, &BodyBuffer>)) -> Result<(), Status> {
    let context = state.acting();
    let direction = match buffer {
        BufferType::HttpRequestBody => Direction::Request,
        BufferType::HttpResponseBody => Direction::Response,
        BufferType::DownstreamData | BufferType::UpstreamData => {
            let mut read = Some(read);
            let mut once = |buffer: Buffer<'_, &BodyBuffer>| {
                if let Some(read) = read.take() {
                    read(buffer);
                }
            };
            let _ = with_data(state, buffer, |data| once(Buffer::Data(data)));
            once(Buffer::Empty);
            return Ok(());
        }
        BufferType::CallData => {
            // As in Envoy, whose root contexts have one buffer for both.
            if let Some(configuration) = configuration_of(state, BufferType::PluginConfiguration) {
                read(Buffer::Configuration(&configuration));
                return Ok(());
            }
            let root = context.as_ref().and_then(|context| context.as_root());
            let data = root.map(|root| root.call_data.borrow().clone());
            read(data.as_ref().map_or(Buffer::Empty, Buffer::Configuration));
            return Ok(());
        }
        BufferType::GrpcReceiveBuffer => {
            // The segments are shared, not copied.
            let message = with_message(state, |message| message.clone());
            read(message.as_ref().map_or(Buffer::Empty, Buffer::Body));
            return Ok(());
        }
        BufferType::HttpCallResponseBody => {
            if !shows_response(state) {
                read(Buffer::Missing);
                return Err(Status::NotFound);
            }
            if let Some((_, response)) = &*state.callouts.response.borrow() {
                read(Buffer::Body(&response.body));
            }
            return Ok(());
        }
        BufferType::VmConfiguration => {
            read(Buffer::Configuration(&state.base.config.configuration));
            return Ok(());
        }
        BufferType::PluginConfiguration => {
            let configuration = configuration_of(state, buffer).ok_or(Status::NotFound)?;
            read(Buffer::Configuration(&configuration));
            return Ok(());
        }
    };
    let Some(stream_state) = context.as_ref().and_then(|c| c.as_stream()) else {
        read(Buffer::Empty);
        return Ok(());
    };
    let mut read = Some(read);
    let mut once = |buffer: Buffer<'_, &BodyBuffer>| {
        if let Some(read) = read.take() {
            read(buffer);
        }
    };
    let _ = with_body_mut(stream_state, direction, |body| once(Buffer::Body(body)));
    once(Buffer::Empty);
    Ok(())
}

/// Whether the callback of an HTTP call runs, and its root is that of the acting context.
fn shows_response(state: &VmState) -> bool {
    let shown = state.callouts.response.borrow().as_ref().map(|(root, _)| *root);
    shown.is_some() && state.acting().map(|context| context.root_of().id) == shown
}

/// The plugin's configuration can be read only while its root context is made or configured.
fn configuration_of(state: &VmState, buffer: BufferType) -> Option<Bytes> {
    let context = state.acting()?;
    let configuring = buffer == BufferType::PluginConfiguration && context.as_root()?.configuring.get();
    configuring.then(|| context.plugin.config().configuration.clone())
}

/// What the filter chain has buffered, while the guest buffers; else the piece it is being shown.
fn with_body_mut<T>(state: &StreamState, direction: Direction, change: impl FnOnce(&mut BodyBuffer) -> T) -> Option<T> {
    if state.buffering(direction).get() {
        let stream = state.stream()?;
        let mut body = stream.buffered_body(direction)?;
        return Some(change(&mut body));
    }
    let shown = state.showing.get() == Some(direction) && state.allows(Access::body(direction));
    shown.then(|| change(&mut state.chunk.borrow_mut()))
}
