//! Header maps: which of them a guest may see and change in its present phase, as observed in Envoy 1.40.

use sandgate_abi::{MapType, Status, pairs};
use sandgate_http::{Direction, HeaderMap};
use sandgate_vm::Output;

use crate::vm::context::{Access, Context, Phase, StreamState};
use crate::vm::grpc::Received;
use crate::vm::state::VmState;
use crate::{HttpStream, StreamMap};

/// What reading a map came to.
enum Read<T> {
    Seen(T),
    /// Not in this phase.
    Hidden,
    /// The log phase has all maps; the stream does not have this one.
    LogHasNone,
}

pub(super) fn size(state: &VmState, map: MapType) -> Result<u32, Status> {
    // Envoy asks for the map as if to change it, so that `proxy_on_log` shows no more than other callbacks.
    let size = with_mut(state, map, |headers| headers.byte_size()).ok_or(Status::BadArgument)?;
    Ok(u32::try_from(size).unwrap_or(u32::MAX))
}

/// A map that is not there reads as an empty one.
pub(super) fn pairs(state: &VmState, map: MapType, out: &mut Output) {
    // A map that is hidden leaves `out` empty.
    let _ = with(state, map, |headers| pairs::encode(headers.iter(), out.bytes_mut()));
}

pub(super) fn value(state: &VmState, map: MapType, key: &[u8], out: &mut Output) -> Result<(), Status> {
    let found = with(state, map, |headers| headers.get(key).map(|value| out.extend(value)).is_some());
    match found {
        Read::Seen(true) => Ok(()),
        // ABI 0.1.0 has no way to tell a missing header from an empty one.
        Read::Seen(false) | Read::LogHasNone if state.is_abi_0_1_0 => Ok(()),
        Read::Seen(false) | Read::LogHasNone => Err(Status::NotFound),
        Read::Hidden => Err(Status::BadArgument),
    }
}

/// Changes a map; what changes request headers may change the route.
pub(super) fn change(state: &VmState, map: MapType, change: impl FnOnce(&mut HeaderMap)) -> Result<(), Status> {
    with_mut(state, map, change).ok_or(Status::BadArgument)?;
    if map == MapType::HttpRequestHeaders {
        super::streams::clear_route_cache(state);
    }
    Ok(())
}

/// Replaces all headers. Malformed pairs count as none, so that the map is then empty (as in Envoy).
pub(super) fn set_pairs(state: &VmState, map: MapType, bytes: &[u8]) -> Result<(), Status> {
    change(state, map, |headers| {
        headers.clear();
        for (name, value) in pairs::decode(bytes).into_iter().flatten() {
            headers.add(name, value);
        }
    })
}

fn access(map: MapType) -> Option<(Access, StreamMap)> {
    Some(match map {
        MapType::HttpRequestHeaders => (Access::REQUEST_HEADERS, StreamMap::RequestHeaders),
        MapType::HttpRequestTrailers => (Access::REQUEST_TRAILERS, StreamMap::RequestTrailers),
        MapType::HttpResponseHeaders => (Access::RESPONSE_HEADERS, StreamMap::ResponseHeaders),
        MapType::HttpResponseTrailers => (Access::RESPONSE_TRAILERS, StreamMap::ResponseTrailers),
        // Of answers to callouts.
        MapType::GrpcReceiveInitialMetadata
        | MapType::GrpcReceiveTrailingMetadata
        | MapType::HttpCallResponseHeaders
        | MapType::HttpCallResponseTrailers => return None,
    })
}

fn with<T>(state: &VmState, map: MapType, read: impl FnOnce(&HeaderMap) -> T) -> Read<T> {
    let Some(context) = state.acting() else { return Read::Hidden };
    let logging = context.is_logging();
    let root = context.root_of().id;
    let of_callout = match map {
        MapType::GrpcReceiveInitialMetadata | MapType::GrpcReceiveTrailingMetadata => {
            with_metadata(state, root, map, read)
        }
        MapType::HttpCallResponseHeaders | MapType::HttpCallResponseTrailers => with_response(state, root, map, read),
        _ => return with_stream(&context, map, read),
    };
    match of_callout {
        Read::Hidden if logging => Read::LogHasNone,
        found => found,
    }
}

fn with_stream<T>(context: &Context, map: MapType, read: impl FnOnce(&HeaderMap) -> T) -> Read<T> {
    if let Some(logged) = context.logged() {
        let headers = match map {
            MapType::HttpRequestHeaders => logged.request_headers(),
            MapType::HttpResponseHeaders => logged.response_headers(),
            MapType::HttpResponseTrailers => logged.response_trailers(),
            _ => None,
        };
        return headers.map_or(Read::LogHasNone, |headers| Read::Seen(read(&headers)));
    }
    let (Some(stream_state), Some((access, map))) = (context.as_stream(), access(map)) else { return Read::Hidden };
    let logging = stream_state.phase.get() == Phase::Log;
    if !logging && !stream_state.allows(access) {
        return Read::Hidden;
    }
    // Envoy hands request trailers to no access log.
    if logging && map == StreamMap::RequestTrailers {
        return Read::LogHasNone;
    }
    let Some(stream) = stream_state.stream() else { return Read::Hidden };
    match stream.map(map) {
        Some(headers) => Read::Seen(read(&headers)),
        None if logging => Read::LogHasNone,
        None => Read::Hidden,
    }
}

/// The response to an HTTP call, while its callback runs: seen by all contexts of the root that made the call.
fn with_response<T>(state: &VmState, root: u32, map: MapType, read: impl FnOnce(&HeaderMap) -> T) -> Read<T> {
    let response = state.callouts.response.borrow();
    let Some((_, response)) = response.as_ref().filter(|(of, _)| *of == root) else { return Read::Hidden };
    let map = match map {
        MapType::HttpCallResponseHeaders => Some(&response.headers),
        _ => response.trailers.as_ref(),
    };
    map.map_or(Read::Hidden, |map| Read::Seen(read(map)))
}

/// Metadata of a gRPC call, while its callback runs.
fn with_metadata<T>(state: &VmState, root: u32, map: MapType, read: impl FnOnce(&HeaderMap) -> T) -> Read<T> {
    match (&*state.callouts.grpc.received.borrow(), map) {
        (Some((of, Received::InitialMetadata(metadata))), MapType::GrpcReceiveInitialMetadata)
        | (Some((of, Received::TrailingMetadata(metadata))), MapType::GrpcReceiveTrailingMetadata)
            if *of == root =>
        {
            Read::Seen(read(metadata))
        }
        _ => Read::Hidden,
    }
}

fn with_mut<T>(state: &VmState, map: MapType, change: impl FnOnce(&mut HeaderMap) -> T) -> Option<T> {
    let context = state.acting()?;
    let stream_state = context.as_stream()?;
    let (access, map) = access(map)?;
    let stream = stream_state.stream()?;
    if !stream_state.allows(access) && !make_trailers(stream_state, &*stream, map) {
        return None;
    }
    let mut headers = stream.map_mut(map)?;
    Some(change(&mut headers))
}

/// In the last piece of body a guest may make trailers by writing to them.
fn make_trailers(state: &StreamState, stream: &dyn HttpStream, map: StreamMap) -> bool {
    let (body, trailers, direction) = match map {
        StreamMap::RequestTrailers => (Access::REQUEST_BODY, Access::REQUEST_TRAILERS, Direction::Request),
        StreamMap::ResponseTrailers => (Access::RESPONSE_BODY, Access::RESPONSE_TRAILERS, Direction::Response),
        StreamMap::RequestHeaders | StreamMap::ResponseHeaders => return false,
    };
    let made = state.allows(body) && state.end_of_stream.get() && stream.add_trailers(direction);
    if made {
        state.allow(trailers);
    }
    made
}
