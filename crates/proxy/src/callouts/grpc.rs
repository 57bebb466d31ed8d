//! gRPC calls of plugins: Envoy's gRPC client.

use std::cell::OnceCell;
use std::rc::{Rc, Weak};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sandgate_config::model::{EnvoyGrpc, GrpcService, GrpcTarget};
use sandgate_config::parse_grpc_service;
use sandgate_filter::grpc_status_from_http;
use sandgate_host::{GrpcCall, GrpcEnd, GrpcEvents, GrpcKind, GrpcRefusal, GrpcRequest};
use sandgate_http::{BodyBuffer, HeaderMap, HeaderMapKind};

use super::grpc_frames::{FrameDecoder, FrameError, frame};
use super::{Unsent, authority_hash};
use crate::async_client::{AsyncCallbacks, AsyncOptions, AsyncReply, AsyncStream};
use crate::worker::Worker;

const OK: u32 = 0;
pub(crate) const UNKNOWN: u32 = 2;
pub(crate) const RESOURCE_EXHAUSTED: u32 = 8;
pub(crate) const INTERNAL: u32 = 13;
pub(crate) const UNAVAILABLE: u32 = 14;
/// What Envoy makes of a number that is no status.
const INVALID: u32 = u32::MAX;
const LAST_STATUS: u64 = 16;

/// The sending side of a call.
struct Call(Rc<AsyncStream>);

/// The receiving side.
struct Receiver {
    events: GrpcEvents,
    /// Once the call has begun.
    stream: Rc<OnceCell<Weak<AsyncStream>>>,
    decoder: FrameDecoder,
    /// Of a unary call the last message that has come.
    unary: Option<Option<BodyBuffer>>,
    over: bool,
}

/// Begins a call, if only as one that is not sent. See [`sandgate_host::Callouts::grpc_call`].
pub(super) fn start(
    worker: &Rc<Worker>,
    request: &GrpcRequest<'_>,
    events: GrpcEvents,
    unsent: bool,
) -> Result<Box<dyn GrpcCall>, GrpcRefusal> {
    let service = service(worker, request.target)?;
    let GrpcTarget::Envoy(target) = &service.target else {
        log::warn!(target: "wasm", "a plugin calls a gRPC service that is not one of envoy_grpc: it gets an error");
        return Err(GrpcRefusal::UnusableTarget);
    };
    // Envoy's own code makes these headers; it lets nobody name them.
    if service.initial_metadata.iter().any(|(name, _)| name.starts_with(':') || name.eq_ignore_ascii_case("host")) {
        return Err(GrpcRefusal::UnusableTarget);
    }
    let Some(cluster) = worker.clusters.get(&target.cluster_name) else {
        let message = "Cluster not available".to_owned();
        return Err(GrpcRefusal::Ended(GrpcEnd { trailers: None, status: UNAVAILABLE, message }));
    };
    if unsent {
        return Ok(Box::new(Unsent));
    }
    let (message, timeout_ms) = match request.kind {
        GrpcKind::Unary { message, timeout_ms } => (Some(message), Some(timeout_ms)),
        GrpcKind::Stream => (None, None),
    };
    let own_limit = target.max_receive_message_length as usize;
    let limit = if own_limit == 0 { request.message_limit } else { own_limit.min(request.message_limit) };
    let options = AsyncOptions {
        timeout: timeout_ms.filter(|ms| *ms > 0).map(|ms| Duration::from_millis(ms.into())),
        hash_policies: vec![authority_hash()],
        retry_policy: service.retry_policy.clone(),
        send_internal: !target.skip_envoy_headers,
        send_xff: false,
        ..AsyncOptions::default()
    };
    let begun = Rc::new(OnceCell::new());
    let receiver = Receiver {
        events,
        stream: Rc::clone(&begun),
        decoder: FrameDecoder::with_limit(limit),
        unary: message.map(|_| None),
        over: false,
    };
    let path = [b"/", request.service, b"/", request.method].concat();
    let mut headers = call_headers(target, &service, &path, timeout_ms);
    for (name, value) in request.metadata.iter() {
        headers.add(name, value);
    }
    encode_binary(&mut headers);
    let stream = AsyncStream::start(worker, &cluster, headers, false, options, Box::new(receiver))
        .map_err(|reply| GrpcRefusal::Ended(end_of(*reply)))?;
    let call = Call(Rc::new(stream));
    // Nobody else sets it.
    let _ = begun.set(Rc::downgrade(&call.0));
    if let Some(message) = message {
        call.send(message, true);
    }
    Ok(Box::new(call))
}

fn service(worker: &Worker, target: &[u8]) -> Result<GrpcService, GrpcRefusal> {
    let by_name = || {
        let name = std::str::from_utf8(target).ok().filter(|name| worker.clusters.has(name))?;
        Some(GrpcService::of_cluster(name))
    };
    parse_grpc_service(target).or_else(by_name).ok_or(GrpcRefusal::UnknownTarget)
}

/// What a call begins with, but for metadata of its own; `timeout` is in milliseconds.
pub(crate) fn call_headers(target: &EnvoyGrpc, service: &GrpcService, path: &[u8], timeout: Option<u32>) -> HeaderMap {
    let mut headers = HeaderMap::with_kind(HeaderMapKind::Request);
    let authority = if target.authority.is_empty() { &target.cluster_name } else { &target.authority };
    headers.append(b":method", b"POST");
    headers.append(b":path", path);
    headers.append(b":authority", authority.as_bytes());
    headers.append(b":scheme", b"http");
    headers.append(b"te", b"trailers");
    if let Some(timeout) = timeout {
        headers.append(b"grpc-timeout", timeout_value(timeout).as_bytes());
    }
    headers.append(b"content-type", b"application/grpc");
    for (name, value) in service.initial_metadata.iter().filter(|(_, value)| !value.is_empty()) {
        headers.replace(name.as_bytes(), value.as_bytes());
    }
    headers
}

/// At most eight digits.
fn timeout_value(ms: u32) -> String {
    if ms < 100_000_000 { format!("{ms}m") } else { format!("{}S", ms / 1000) }
}

/// Binary metadata goes as base64. Of several of one name Envoy keeps the first.
pub(crate) fn encode_binary(headers: &mut HeaderMap) {
    let mut binary: Vec<(Vec<u8>, String)> = Vec::new();
    for (name, value) in headers.iter().filter(|(name, _)| name.ends_with(b"-bin")) {
        if binary.iter().all(|(known, _)| known != name) {
            binary.push((name.to_vec(), BASE64.encode(value)));
        }
    }
    for (name, value) in binary {
        headers.replace(&name, value.as_bytes());
    }
}

/// What a stream is told that was answered at once.
pub(crate) fn end_of(AsyncReply { headers, details, .. }: AsyncReply) -> GrpcEnd {
    let http = http_status(&headers);
    let status = status_of(&headers).unwrap_or(if http == 200 { UNKNOWN } else { grpc_status_from_http(http) });
    GrpcEnd { status, message: full_message(&headers, &details), trailers: Some(headers) }
}

/// The message, and in braces how the request went.
pub(crate) fn full_message(trailers: &HeaderMap, details: &str) -> String {
    let message = String::from_utf8_lossy(trailers.get(b"grpc-message").unwrap_or_default());
    match (message.is_empty(), details.is_empty()) {
        (true, _) => details.to_owned(),
        (false, true) => message.into_owned(),
        (false, false) => format!("{message}{{{details}}}"),
    }
}

pub(crate) fn http_status(headers: &HeaderMap) -> u32 {
    let status = headers.get(b":status").and_then(|status| std::str::from_utf8(status).ok());
    status.and_then(|status| status.parse().ok()).unwrap_or(0)
}

/// `None` if there is no status; what is none is [`INVALID`].
pub(crate) fn status_of(headers: &HeaderMap) -> Option<u32> {
    let status = headers.get(b"grpc-status").filter(|status| !status.is_empty())?;
    let number: Option<u64> = std::str::from_utf8(status).ok().and_then(|status| status.trim().parse().ok());
    let known = number.filter(|number| *number <= LAST_STATUS).and_then(|number| u32::try_from(number).ok());
    Some(known.unwrap_or(INVALID))
}

// === impl Call ===

impl GrpcCall for Call {
    fn send(&self, message: &[u8], end: bool) {
        let mut data = BodyBuffer::new();
        data.push(frame(message));
        self.0.send_data(data, end);
    }

    fn half_close(&self) {
        self.0.send_data(BodyBuffer::new(), true);
    }

    fn queued_bytes(&self) -> usize {
        self.0.queued_bytes()
    }
}

// === impl Receiver ===

impl Receiver {
    fn details(&self) -> String {
        self.stream.get().and_then(Weak::upgrade).map(|stream| stream.details()).unwrap_or_default()
    }

    fn initial_metadata(&self, metadata: HeaderMap) {
        if self.unary.is_none() {
            self.events.initial_metadata(metadata);
        }
    }

    /// The call has failed without a status of its own.
    fn fail(&mut self, status: u32) {
        self.end(HeaderMap::new(), status);
    }

    fn end(&mut self, trailers: HeaderMap, status: u32) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        let message = full_message(&trailers, &self.details());
        match self.unary.take() {
            None => {
                self.events.trailing_metadata(trailers);
                self.events.close(status, message);
            }
            Some(Some(answer)) if status == OK => self.events.message(answer),
            Some(None) if status == OK => self.events.close(INTERNAL, String::new()),
            Some(_) => self.events.close(status, message),
        }
    }
}

impl AsyncCallbacks for Receiver {
    fn on_headers(&mut self, headers: HeaderMap, end_stream: bool) {
        let (http, status) = (http_status(&headers), status_of(&headers));
        if http != 200 && (!end_stream || status.is_none()) {
            self.initial_metadata(HeaderMap::new());
            return self.fail(grpc_status_from_http(http));
        }
        if end_stream {
            self.initial_metadata(HeaderMap::new());
            return self.end(headers, status.unwrap_or(UNKNOWN));
        }
        self.initial_metadata(headers);
    }

    fn on_data(&mut self, data: BodyBuffer, end_stream: bool) {
        if self.over {
            return;
        }
        let messages = match self.decoder.decode(data) {
            Ok(messages) => messages,
            Err(FrameError::Flag) => return self.fail(INTERNAL),
            Err(FrameError::TooLong) => return self.fail(RESOURCE_EXHAUSTED),
        };
        for message in messages {
            if message.compressed && !message.data.is_empty() {
                return self.fail(INTERNAL);
            }
            if !self.events.is_wanted() {
                self.over = true;
                return;
            }
            match &mut self.unary {
                Some(answer) => *answer = Some(message.data),
                None => self.events.message(message.data),
            }
        }
        if end_stream {
            self.fail(UNKNOWN);
        }
    }

    fn on_trailers(&mut self, trailers: HeaderMap) {
        let status = status_of(&trailers).unwrap_or(UNKNOWN);
        self.end(trailers, status);
    }

    fn on_complete(&mut self) {}

    fn on_reset(&mut self) {
        self.fail(INTERNAL);
    }
}
