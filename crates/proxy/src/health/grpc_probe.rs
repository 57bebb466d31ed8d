//! One host asked by `grpc.health.v1.Health/Check`.

use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use sandgate_config::model::GrpcHealthCheck;
use sandgate_http::{HeaderMap, HeaderMapKind};
use sandgate_load_balancing::Host;

use super::http2_client::{Http2Client, Http2Response};
use super::{Answer, Connector, Failure};
use crate::http2::headers::encode_request;

/// What is looked at of an answer: a message of one number is much smaller.
const ANSWER_LIMIT: usize = 64 * 1024;
/// `HealthCheckResponse.ServingStatus.SERVING`.
const SERVING: u64 = 1;
/// A message's length and whether it is compressed.
const FRAME: usize = 5;

/// What all probes of a cluster share.
pub(super) struct GrpcSpec {
    config: GrpcHealthCheck,
    cluster: String,
    /// `grpc-timeout`.
    timeout: String,
    /// The request's message, in its frame.
    message: Bytes,
}

/// Asks one host.
pub(super) struct GrpcProbe {
    connection: Option<Http2Client>,
}

// === impl GrpcSpec ===

impl GrpcSpec {
    pub(super) fn new(config: &GrpcHealthCheck, timeout: Duration, cluster: &str) -> Self {
        Self {
            message: message(&config.service_name),
            timeout: format!("{}m", timeout.as_millis()),
            config: config.clone(),
            cluster: cluster.to_owned(),
        }
    }

    fn request(&self, host: &Host) -> Option<http::Request<()>> {
        let candidates = [&host.health_check.hostname, &self.config.authority];
        let authority = candidates.into_iter().find(|name| !name.is_empty()).unwrap_or(&self.cluster);
        let mut headers = HeaderMap::with_kind(HeaderMapKind::Request);
        for (name, value) in [
            (":method", "POST"),
            (":path", "/grpc.health.v1.Health/Check"),
            (":authority", authority.as_str()),
            (":scheme", "http"),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            ("user-agent", "Envoy/HC"),
            ("grpc-timeout", &self.timeout),
        ] {
            headers.append(name.as_bytes(), value.as_bytes());
        }
        encode_request(&headers)
            .inspect_err(|error| log::debug!(target: "hc", "the check cannot be sent: {error}"))
            .ok()
    }
}

// === impl GrpcProbe ===

impl GrpcProbe {
    pub(super) fn new() -> Self {
        Self { connection: None }
    }

    /// Asks once. Whoever gives up waiting may ask again.
    pub(super) async fn check(&mut self, spec: &GrpcSpec, connector: &Connector, host: &Host, reuse: bool) -> Answer {
        let answer = self.ask(spec, connector, host).await;
        if !reuse || answer.is_none() {
            self.connection = None;
        }
        match answer {
            None => Answer::Failed(Failure::Network),
            Some(true) => Answer::Passed { degraded: false },
            Some(false) => Answer::Failed(Failure::Active { status: 0, retriable: false }),
        }
    }

    /// The check was given up.
    pub(super) fn timed_out(&mut self, reuse: bool) {
        // The connection is none the worse for it: the stream was reset.
        if !reuse {
            self.connection = None;
        }
    }

    /// Whether the host serves; nothing if it did not answer.
    async fn ask(&mut self, spec: &GrpcSpec, connector: &Connector, host: &Host) -> Option<bool> {
        let request = spec.request(host)?;
        let connection = match self.connection.take() {
            Some(connection) if connection.is_usable() => connection,
            _ => Http2Client::open(connector, host).await.ok()?,
        };
        let connection = self.connection.insert(connection);
        match connection.ask(request, Some(spec.message.clone()), ANSWER_LIMIT).await {
            Ok(response) => Some(serves(&response)),
            Err(error) => {
                log::debug!(target: "hc", "{}: {error}", host.health_check_address());
                None
            }
        }
    }
}

/// `HealthCheckRequest` with the name of a service, in its frame.
fn message(service: &str) -> Bytes {
    let mut message = BytesMut::new();
    if !service.is_empty() {
        // Field 1, bytes.
        message.put_u8(0x0a);
        let mut length = service.len();
        while length >= 0x80 {
            message.put_u8(u8::try_from(length & 0x7f).unwrap_or_default() | 0x80);
            length >>= 7;
        }
        message.put_u8(u8::try_from(length).unwrap_or_default());
        message.put_slice(service.as_bytes());
    }
    let mut frame = BytesMut::with_capacity(FRAME + message.len());
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    frame.put(message);
    frame.freeze()
}

/// Whether the answer is `SERVING`, with the status of success.
fn serves(response: &Http2Response) -> bool {
    let of = |headers: &HeaderMap| headers.get(b"grpc-status").map(<[u8]>::to_vec);
    let status = response.trailers.as_ref().and_then(of).or_else(|| of(&response.headers));
    let is_grpc = response.headers.get(b"content-type").is_some_and(|kind| kind.starts_with(b"application/grpc"));
    response.status == 200
        && is_grpc
        && status.as_deref() == Some(b"0")
        && serving_status(&response.body) == Some(SERVING)
}

/// Field 1 of the one message that there must be.
fn serving_status(body: &[u8]) -> Option<u64> {
    let (head, message) = body.split_first_chunk::<FRAME>()?;
    let [0, length @ ..] = *head else { return None };
    if message.len() != u32::from_be_bytes(length) as usize {
        return None;
    }
    match message {
        // Not set: UNKNOWN.
        [] => Some(0),
        // Field 1, a number below 128, which all statuses are.
        [0x08, status @ 0..0x80] => Some((*status).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_name_their_service() {
        assert_eq!(&message("")[..], [0, 0, 0, 0, 0]);
        assert_eq!(&message("ab")[..], [0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']);
        let long = message(&"x".repeat(300));
        assert_eq!(long.get(..8), Some(&[0, 0, 0, 1, 47, 0x0a, 0xac, 2][..]));
    }

    #[test]
    fn answers_are_read_with_care() {
        assert_eq!(serving_status(&[0, 0, 0, 0, 2, 8, 1]), Some(1));
        assert_eq!(serving_status(&[0, 0, 0, 0, 2, 8, 2]), Some(2));
        assert_eq!(serving_status(&[0, 0, 0, 0, 0]), Some(0));
        for broken in
            [&[][..], &[0, 0, 0, 0, 2, 8], &[1, 0, 0, 0, 2, 8, 1], &[0, 0, 0, 0, 2, 8, 0x81], &[0, 0, 0, 0, 2, 8, 1, 0]]
        {
            assert_eq!(serving_status(broken), None, "{broken:?}");
        }
    }
}
