//! Header maps.

use sandgate_abi::{MapType, Status};
use sandgate_vm::FailedCall;

use super::{Reason, argument, no_stream};
use crate::vm::context::Phase;
use crate::vm::state::VmState;

pub(super) fn map(state: &VmState, call: &FailedCall<'_>, name: &str, status: Status) -> Option<Reason> {
    let map = MapType::from_u32(call.number("map"))?;
    match status {
        Status::NotFound if is_logging(state) => {
            let key = call.bytes("key").escape_ascii().to_string();
            Some((Some("key"), format!("the {} have no \"{key}\", or were not kept for the log", map_name(map))))
        }
        Status::NotFound => argument("key", &format!("the {} have none of this name", map_name(map))),
        Status::BadArgument => {
            let changes = !matches!(name, "get_header_map_pairs" | "get_header_map_value");
            Some((Some("map"), hidden_map(state, map, changes)))
        }
        _ => None,
    }
}

fn hidden_map(state: &VmState, map: MapType, changes: bool) -> String {
    let what = map_name(map);
    let only = match map {
        MapType::HttpRequestHeaders => "proxy_on_request_headers",
        MapType::HttpRequestTrailers => "proxy_on_request_trailers",
        MapType::HttpResponseHeaders => "proxy_on_response_headers",
        MapType::HttpResponseTrailers => "proxy_on_response_trailers",
        MapType::GrpcReceiveInitialMetadata => "proxy_on_grpc_receive_initial_metadata",
        MapType::GrpcReceiveTrailingMetadata => "proxy_on_grpc_receive_trailing_metadata",
        MapType::HttpCallResponseHeaders | MapType::HttpCallResponseTrailers => "proxy_on_http_call_response",
    };
    let of_stream = (map as u32) <= MapType::HttpResponseTrailers as u32;
    if !of_stream {
        return if changes {
            format!("the {what} can be read only")
        } else {
            format!("the {what} are there in {only} alone")
        };
    }
    if let Some(reason) = no_stream(state) {
        return reason;
    }
    if changes && is_logging(state) {
        return "in proxy_on_log maps can be read only, and not be measured".to_owned();
    }
    format!("the {what} are there in {only}, and later only while that callback's stop holds the stream")
}

fn map_name(map: MapType) -> &'static str {
    match map {
        MapType::HttpRequestHeaders => "request headers",
        MapType::HttpRequestTrailers => "request trailers",
        MapType::HttpResponseHeaders => "response headers",
        MapType::HttpResponseTrailers => "response trailers",
        MapType::GrpcReceiveInitialMetadata => "initial metadata of a gRPC callout",
        MapType::GrpcReceiveTrailingMetadata => "trailing metadata of a gRPC callout",
        MapType::HttpCallResponseHeaders => "headers of an answer to a callout",
        MapType::HttpCallResponseTrailers => "trailers of an answer to a callout",
    }
}

fn is_logging(state: &VmState) -> bool {
    state.acting().is_some_and(|context| context.as_stream().is_some_and(|stream| stream.phase.get() == Phase::Log))
}
