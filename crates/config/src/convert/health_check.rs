//! Active health checks.

use std::time::Duration;

use bytes::Bytes;

use super::{Context, address::endpoint_address, matcher, type_name};
use crate::{
    model::{
        EndpointAddress, EndpointHealthCheck, GrpcHealthCheck, HealthCheck, HealthCheckKind, HttpHealthCheck,
        TcpHealthCheck, UpstreamHttpProtocol,
    },
    proto::envoy::{
        config::{
            core::v3::{
                self as proto, RequestMethod, TypedExtensionConfig,
                health_check::{HealthChecker, HttpHealthCheck as HttpMessage, Payload, TcpHealthCheck as TcpMessage},
            },
            endpoint::v3::endpoint::HealthCheckConfig,
        },
        extensions::health_check::event_sinks::file::v3::HealthCheckEventFileSink,
        r#type::v3::{CodecClientType, Int64Range},
    },
};

const FILE_SINK: &str = "envoy.extensions.health_check.event_sinks.file.v3.HealthCheckEventFileSink";
/// What Envoy keeps of a response's body unless it is told otherwise.
const RESPONSE_BUFFER_SIZE: u64 = 1024;

/// Converts the checks of a cluster: one, or none.
pub(super) fn health_check(
    context: &mut Context<'_>,
    messages: Vec<proto::HealthCheck>,
    protocol: UpstreamHttpProtocol,
) -> Option<HealthCheck> {
    if messages.len() > 1 {
        context.error_at("health_checks", "more than one health check of a cluster is not implemented");
        return None;
    }
    let health_check = context.list("health_checks", messages, one).pop()?;
    if matches!(health_check.kind, HealthCheckKind::Grpc(_)) && protocol != UpstreamHttpProtocol::Http2 {
        context.error_at("health_checks", "the cluster must support HTTP/2 for gRPC healthchecking");
    }
    Some(health_check)
}

fn one(context: &mut Context<'_>, message: proto::HealthCheck) -> Option<HealthCheck> {
    let mut time = |name: &str, value| context.duration(name, value);
    let interval = time("interval", message.interval).unwrap_or_default();
    let no_traffic_interval =
        time("no_traffic_interval", message.no_traffic_interval).unwrap_or(Duration::from_secs(60));
    let unhealthy_interval = time("unhealthy_interval", message.unhealthy_interval).unwrap_or(interval);
    let (timeout, initial_jitter, interval_jitter) = (
        time("timeout", message.timeout).unwrap_or_default(),
        time("initial_jitter", message.initial_jitter).unwrap_or_default(),
        time("interval_jitter", message.interval_jitter).unwrap_or_default(),
    );
    let no_traffic_healthy_interval =
        time("no_traffic_healthy_interval", message.no_traffic_healthy_interval).unwrap_or(no_traffic_interval);
    let unhealthy_edge_interval =
        time("unhealthy_edge_interval", message.unhealthy_edge_interval).unwrap_or(unhealthy_interval);
    let healthy_edge_interval = time("healthy_edge_interval", message.healthy_edge_interval).unwrap_or(interval);
    let mut event_log_paths = event_sinks(context, message.event_logger);
    if !message.event_log_path.is_empty() {
        event_log_paths.push(message.event_log_path);
    }
    let kind = match message.health_checker {
        Some(HealthChecker::HttpHealthCheck(message)) => {
            HealthCheckKind::Http(Box::new(context.field("http_health_check", |context| http(context, message))?))
        }
        Some(HealthChecker::TcpHealthCheck(message)) => {
            HealthCheckKind::Tcp(context.field("tcp_health_check", |context| tcp(context, message))?)
        }
        Some(HealthChecker::GrpcHealthCheck(message)) => {
            HealthCheckKind::Grpc(GrpcHealthCheck { service_name: message.service_name, authority: message.authority })
        }
        None => {
            // The rules, or what refuses other kinds, have said so.
            return None;
        }
    };
    Some(HealthCheck {
        alpn_protocols: message.tls_options.map(|options| options.alpn_protocols).unwrap_or_default(),
        timeout,
        interval,
        initial_jitter,
        interval_jitter,
        interval_jitter_percent: message.interval_jitter_percent,
        unhealthy_threshold: message.unhealthy_threshold.unwrap_or_default(),
        healthy_threshold: message.healthy_threshold.unwrap_or_default(),
        reuse_connection: message.reuse_connection.unwrap_or(true),
        no_traffic_interval,
        no_traffic_healthy_interval,
        unhealthy_interval,
        unhealthy_edge_interval,
        healthy_edge_interval,
        event_log_paths,
        always_log_failures: message.always_log_health_check_failures,
        always_log_success: message.always_log_health_check_success,
        kind,
        origin: context.origin(),
    })
}

fn event_sinks(context: &mut Context<'_>, messages: Vec<TypedExtensionConfig>) -> Vec<String> {
    context.list("event_logger", messages, |context, message| {
        let config = message.typed_config.as_ref();
        match config.map(|config| (type_name(config), config)) {
            Some((FILE_SINK, config)) => context.field("typed_config", |context| {
                context.unpack::<HealthCheckEventFileSink>(config).map(|sink| sink.event_log_path)
            }),
            _ => {
                context.unknown_extension("health check event sink", &message.name, config);
                None
            }
        }
    })
}

fn http(context: &mut Context<'_>, message: HttpMessage) -> Option<HttpHealthCheck> {
    let method = match RequestMethod::try_from(message.method).ok()? {
        RequestMethod::MethodUnspecified => "GET",
        method => method.as_str_name(),
    };
    let http2 = message.codec_client_type == i32::from(CodecClientType::Http2);
    if !http2 && message.codec_client_type != i32::from(CodecClientType::Http1) {
        context.error_at("codec_client_type", "HTTP/3 health checks are not implemented");
    }
    let send = message.send.and_then(|payload| context.field("send", |context| payload_bytes(context, payload)));
    if send.is_some() && matches!(method, "GET" | "HEAD" | "DELETE" | "TRACE") {
        let message = format!(
            "HTTP health check cannot specify a request payload with method '{method}'. Only methods that support a \
             request body (POST, PUT, PATCH, OPTIONS) can be used with payload."
        );
        context.error_at("send", message);
    }
    let receive = receive(context, message.receive);
    let response_buffer_size = message.response_buffer_size.unwrap_or(RESPONSE_BUFFER_SIZE);
    let wanted: u64 = receive.iter().map(|bytes| bytes.len() as u64).sum();
    if response_buffer_size != 0 && wanted > response_buffer_size {
        let message = format!(
            "The expected response length '{wanted}' is over than http health response buffer size '{response_buffer_size}'"
        );
        context.error_at("receive", message);
    }
    let service_name_matcher = message
        .service_name_matcher
        .and_then(|message| context.field("service_name_matcher", |context| matcher::string(context, message)));
    let mut expected_statuses = statuses(context, "expected_statuses", "expected", message.expected_statuses);
    if expected_statuses.is_empty() {
        expected_statuses.push((200, 201));
    }
    Some(HttpHealthCheck {
        host: message.host,
        http2,
        path: message.path,
        method,
        send: send.filter(|bytes| !bytes.is_empty()),
        receive,
        response_buffer_size,
        expected_statuses,
        retriable_statuses: statuses(context, "retriable_statuses", "retriable", message.retriable_statuses),
        service_name_matcher,
    })
}

fn statuses(context: &mut Context<'_>, field: &str, what: &str, ranges: Vec<Int64Range>) -> Vec<(u16, u16)> {
    context.list(field, ranges, |context, Int64Range { start, end }| {
        let problem = if start >= end {
            format!("expecting start < end, but found start={start} and end={end}")
        } else if start < 100 {
            format!("expecting start >= 100, but found start={start}")
        } else if end > 600 {
            format!("expecting end <= 600, but found end={end}")
        } else {
            return Some((u16::try_from(start).ok()?, u16::try_from(end).ok()?));
        };
        context.error(format!("Invalid http {what} status range: {problem}"));
        None
    })
}

fn tcp(context: &mut Context<'_>, message: TcpMessage) -> Option<TcpHealthCheck> {
    let send = message.send.and_then(|payload| match payload {
        // Envoy sends nothing but text here.
        Payload { payload: Some(proto::health_check::payload::Payload::Binary(_)) } => None,
        payload => context.field("send", |context| payload_bytes(context, payload)),
    });
    Some(TcpHealthCheck { send, receive: receive(context, message.receive) })
}

fn receive(context: &mut Context<'_>, payloads: Vec<Payload>) -> Vec<Bytes> {
    context
        .list("receive", payloads, |context, payload| payload_bytes(context, payload).filter(|bytes| !bytes.is_empty()))
}

/// Bytes as they are, or in hexadecimal digits.
fn payload_bytes(context: &mut Context<'_>, payload: Payload) -> Option<Bytes> {
    use proto::health_check::payload::Payload::{Binary, Text};
    match payload.payload? {
        Binary(bytes) => Some(bytes.into()),
        Text(text) => {
            let bytes = hex(&text).filter(|bytes| !bytes.is_empty());
            if bytes.is_none() {
                context.error_at("text", format!("invalid hex string '{text}'"));
            }
            bytes.map(Bytes::from)
        }
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

/// Where and how one endpoint is checked.
pub(super) fn endpoint(context: &mut Context<'_>, message: HealthCheckConfig) -> EndpointHealthCheck {
    let address = message.address.and_then(|address| {
        match context.field("address", |context| endpoint_address(context, address, false))? {
            EndpointAddress::Ip(address) => Some(address),
            EndpointAddress::Name { .. } => None,
        }
    });
    EndpointHealthCheck {
        // A rule has seen to the range.
        port: u16::try_from(message.port_value).ok().filter(|port| *port > 0),
        address,
        hostname: message.hostname,
        disabled: message.disable_active_health_check,
    }
}
