//! One host asked over HTTP/1 or HTTP/2.
//!
//! With the proxy's own codecs: what it writes and refuses is what Envoy's checks write and refuse, and a check that is
//! served by the same codec as requests does not call a host well that no request can reach.

use std::io;
use std::sync::Arc;
use std::task::{Context, Waker};

use bytes::{Bytes, BytesMut};
use sandgate_config::model::HttpHealthCheck;
use sandgate_http::h1::{Event, RequestEncodeOptions, ResponseDecoder, ResponseHead, ResponseOptions, encode_request};
use sandgate_http::{HeaderMap, HeaderMapKind, WriteBuffer};
use sandgate_load_balancing::{HealthFlag, Host};
use sandgate_matcher::StringMatcher;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::http2_client::{Http2Client, Http2Response};
use super::payload;
use super::{Answer, Connector, Failure};
use crate::http2::headers::encode_request as encode_http2;
use crate::runtime::Runtime;
use crate::stats::HealthCheckStats;
use crate::transport::Transport;

/// What all probes of a cluster share.
pub(super) struct HttpSpec {
    config: HttpHealthCheck,
    service_name: Option<StringMatcher>,
    options: ResponseOptions,
    cluster: String,
    runtime: Arc<Runtime>,
}

/// Asks one host.
pub(super) struct HttpProbe {
    connection: Option<Connection>,
    http2: Option<Http2Client>,
}

struct Connection {
    stream: Transport,
    decoder: ResponseDecoder,
    input: BytesMut,
}

/// A response, with as much of its body as is looked at.
struct Response {
    status: u16,
    headers: HeaderMap,
    keep_alive: bool,
    body: BytesMut,
}

// === impl HttpSpec ===

impl HttpSpec {
    pub(super) fn new(
        config: &HttpHealthCheck,
        options: ResponseOptions,
        cluster: &str,
        runtime: &Arc<Runtime>,
    ) -> Self {
        Self {
            service_name: config.service_name_matcher.as_ref().map(StringMatcher::new),
            config: config.clone(),
            options,
            cluster: cluster.to_owned(),
            runtime: Arc::clone(runtime),
        }
    }

    /// The `host` header: the endpoint's for checks, else the check's, else the cluster's name.
    fn authority<'a>(&'a self, host: &'a Host) -> &'a str {
        let candidates = [&host.health_check.hostname, &self.config.host];
        candidates.into_iter().find(|name| !name.is_empty()).unwrap_or(&self.cluster)
    }

    fn headers(&self, host: &Host) -> HeaderMap {
        let mut headers = HeaderMap::with_kind(HeaderMapKind::Request);
        for (name, value) in [
            (":method", self.config.method),
            (":authority", self.authority(host)),
            (":path", &self.config.path),
            ("user-agent", "Envoy/HC"),
            (":scheme", "http"),
        ] {
            headers.append(name.as_bytes(), value.as_bytes());
        }
        if let Some(body) = &self.config.send {
            headers.set(b"content-length", body.len().to_string().as_bytes());
        }
        headers
    }

    /// Bytes of a response's body that are looked at.
    fn body_limit(&self) -> usize {
        if self.config.receive.is_empty() {
            return 0;
        }
        match self.config.response_buffer_size {
            0 => usize::MAX,
            limit => usize::try_from(limit).unwrap_or(usize::MAX),
        }
    }

    fn request(&self, host: &Host) -> Option<WriteBuffer> {
        let headers = self.headers(host);
        let mut out = WriteBuffer::new();
        let options =
            RequestEncodeOptions { end_stream: self.config.send.is_none(), ..RequestEncodeOptions::default() };
        let mut encoder = match encode_request(&headers, options, &mut out) {
            Ok(encoder) => encoder,
            Err(error) => {
                log::debug!(target: "hc", "the check cannot be sent: {error}");
                return None;
            }
        };
        if let Some(body) = &self.config.send {
            encoder.data(body.clone(), &mut out);
            encoder.end(&mut out);
        }
        Some(out)
    }

    fn judge(&self, host: &Host, response: &Response, stats: &HealthCheckStats) -> Answer {
        let (config, headers, status) = (&self.config, &response.headers, response.status);
        let failed = |retriable| Answer::Failed(Failure::Active { status, retriable });
        let expected = payload::matches(&config.receive, &response.body);
        if !expected || !config.is_expected(status) {
            // The host asks for it itself; as in Envoy, with a failure alone.
            if headers.contains(b"x-envoy-immediate-health-check-fail") {
                host.flags.set(HealthFlag::ExcludedViaImmediateHcFail);
            }
            return failed(expected && config.is_retriable(status));
        }
        if let Some(matcher) = &self.service_name
            && self.runtime.integer("health_check.verify_cluster", 100).min(100) > fastrand::u64(..100)
        {
            stats.verify_cluster().inc();
            let name = headers.get(b"x-envoy-upstream-healthchecked-cluster").unwrap_or_default();
            if !matcher.matches(name) {
                return failed(false);
            }
        }
        Answer::Passed { degraded: headers.contains(b"x-envoy-degraded") }
    }
}

// === impl HttpProbe ===

impl HttpProbe {
    pub(super) fn new() -> Self {
        Self { connection: None, http2: None }
    }

    /// Asks once. Whoever gives up waiting has to call [`Self::close`].
    pub(super) async fn check(
        &mut self,
        spec: &HttpSpec,
        connector: &Connector,
        host: &Host,
        reuse: bool,
        stats: &HealthCheckStats,
    ) -> Answer {
        let response = if spec.config.http2 {
            self.ask_http2(spec, connector, host).await
        } else {
            self.ask(spec, connector, host).await
        };
        let Ok(response) = response else {
            self.close();
            return Answer::Failed(Failure::Network);
        };
        if !reuse || !response.keep_alive {
            self.close();
        }
        spec.judge(host, &response, stats)
    }

    /// Lets the connection go.
    pub(super) fn close(&mut self) {
        (self.connection, self.http2) = (None, None);
    }

    async fn ask_http2(&mut self, spec: &HttpSpec, connector: &Connector, host: &Host) -> io::Result<Response> {
        let request = encode_http2(&spec.headers(host)).map_err(io::Error::other)?;
        let connection = match self.http2.take() {
            Some(connection) if connection.is_usable() => connection,
            _ => Http2Client::open(connector, host).await?,
        };
        let connection = self.http2.insert(connection);
        let answer = connection.ask(request, spec.config.send.clone(), spec.body_limit()).await;
        let Http2Response { status, headers, body, .. } = answer.map_err(io::Error::other)?;
        Ok(Response { status, headers, keep_alive: true, body })
    }

    async fn ask(&mut self, spec: &HttpSpec, connector: &Connector, host: &Host) -> io::Result<Response> {
        let mut request = spec.request(host).ok_or(io::ErrorKind::InvalidInput)?;
        // A host that has closed meanwhile, or that speaks without being asked, is connected to anew.
        let connection = match self.connection.take().and_then(Connection::if_silent) {
            Some(connection) => connection,
            None => Connection::open(connector, host, spec.options.clone()).await?,
        };
        let connection = self.connection.insert(connection);
        connection.decoder.expect_response(spec.config.method.as_bytes(), false);
        while !request.is_empty() {
            if connection.stream.write_buf(&mut request).await? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        connection.response(spec.body_limit()).await
    }
}

// === impl Connection ===

impl Connection {
    async fn open(connector: &Connector, host: &Host, options: ResponseOptions) -> io::Result<Self> {
        let stream = connector.connect(host).await?;
        Ok(Self { stream, decoder: ResponseDecoder::new(options), input: BytesMut::new() })
    }

    /// The connection, if nothing has come that nobody asked for.
    fn if_silent(mut self) -> Option<Self> {
        let stirred = self.stream.poll_stirred(&mut Context::from_waker(Waker::noop()));
        (self.input.is_empty() && stirred.is_pending()).then_some(self)
    }

    /// The whole response, with up to `limit` bytes of its body.
    async fn response(&mut self, limit: usize) -> io::Result<Response> {
        let mut response = None;
        loop {
            let invalid = |_| io::Error::from(io::ErrorKind::InvalidData);
            let event = match self.decoder.decode(&mut self.input).map_err(invalid)? {
                Some(event) => event,
                None if self.stream.read_buf(&mut self.input).await? > 0 => continue,
                None => match self.decoder.finish().map_err(invalid)? {
                    Some(event) => event,
                    None => return Err(io::ErrorKind::UnexpectedEof.into()),
                },
            };
            match (event, &mut response) {
                (Event::Head(head), _) if head.is_informational() => {}
                (Event::Head(head), _) => {
                    let ResponseHead { headers, status, end_stream: ended, keep_alive, .. } = head;
                    let new = Response { status, headers, keep_alive, body: BytesMut::new() };
                    if ended {
                        return Ok(new);
                    }
                    response = Some(new);
                }
                (Event::Data(data), Some(response)) => response.add(&data, limit),
                (Event::Trailers(_) | Event::End, Some(_)) => {
                    return response.ok_or_else(|| io::ErrorKind::InvalidData.into());
                }
                (Event::Data(_) | Event::Trailers(_) | Event::End, None) => {}
            }
        }
    }
}

// === impl Response ===

impl Response {
    fn add(&mut self, data: &Bytes, limit: usize) {
        let room = limit.saturating_sub(self.body.len()).min(data.len());
        self.body.extend_from_slice(data.get(..room).unwrap_or_default());
    }
}
