//! Commands that take nothing.

use std::time::{Duration, Instant};

use sandgate_filter::{AttemptedHost, response_flag};

use crate::FormatContext;
use crate::format::Rendered;
use crate::grpc_status::GrpcStatusStyle;
use crate::header::HeadersOf;
use crate::operator::{self, Operator, Simple, not_empty, number, optional, text};
use crate::tls;

/// The command of that name, if it is one of these.
pub(crate) fn find(name: &str) -> Option<Operator> {
    if let Some((_, render)) = COMMANDS.iter().find(|(command, _)| *command == name) {
        return Some(Operator::Simple(*render));
    }
    match name {
        "GRPC_STATUS_NUMBER" => Some(Operator::GrpcStatus(GrpcStatusStyle::Number)),
        "REQUEST_HEADERS_BYTES" => Some(Operator::HeaderBytes(HeadersOf::Request)),
        "RESPONSE_HEADERS_BYTES" => Some(Operator::HeaderBytes(HeadersOf::Response)),
        "RESPONSE_TRAILERS_BYTES" => Some(Operator::HeaderBytes(HeadersOf::ResponseTrailers)),
        "HOSTNAME" => {
            let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
            Some(Operator::Constant(name))
        }
        name if ABSENT.contains(&name) => Some(Operator::Absent),
        name => tls::find(name).map(Operator::Tls),
    }
}

/// Known to Envoy and without a value here: they are about tracing, fingerprints of clients and other transports.
const ABSENT: &[&str] = &[
    "SPAN_ID",
    "TLS_JA3_FINGERPRINT",
    "TLS_JA4_FINGERPRINT",
    "TRACE_ID",
    "UPSTREAM_LOCAL_CLOSE_REASON",
    "ROUNDTRIP_DURATION",
];

const COMMANDS: &[(&str, Simple)] = &[
    ("ACCESS_LOG_TYPE", |context, out| text(out, context.log_type.name().as_bytes())),
    ("BYTES_RECEIVED", |context, out| number(out, context.info.bytes_received)),
    ("BYTES_RETRANSMITTED", |_, out| number(out, 0)),
    ("BYTES_SENT", |context, out| number(out, context.info.bytes_sent)),
    ("CONNECTION_ID", |context, out| number(out, context.connection.id)),
    ("CONNECTION_TERMINATION_DETAILS", |context, out| {
        optional(out, context.info.connection_termination_details.as_deref().map(str::as_bytes))
    }),
    ("CUSTOM_FLAGS", |_, out| text(out, b"")),
    ("DOWNSTREAM_CX_RTT", |_, _| Rendered::Absent),
    ("DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED", |context, out| number(out, context.info.bytes.header_received)),
    ("DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_SENT", |context, out| number(out, context.info.bytes.header_sent)),
    ("DOWNSTREAM_DETECTED_CLOSE_TYPE", |_, out| text(out, b"Normal")),
    // Only addresses inside of the process have one.
    ("DOWNSTREAM_DIRECT_LOCAL_ADDRESS_ENDPOINT_ID", |_, out| text(out, b"")),
    ("DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID", |_, out| text(out, b"")),
    ("DOWNSTREAM_LOCAL_CLOSE_REASON", |context, out| {
        let reason = &context.info.local_close_reason;
        optional(out, Some(reason.as_bytes()).filter(|reason| !reason.is_empty()))
    }),
    ("DOWNSTREAM_HEADER_BYTES_RECEIVED", |context, out| number(out, context.info.bytes.header_received)),
    ("DOWNSTREAM_HEADER_BYTES_SENT", |context, out| number(out, context.info.bytes.header_sent)),
    // The handshake was over before the request began: the number is negative.
    ("DOWNSTREAM_HANDSHAKE_DURATION", |context, out| {
        let Some(complete) = context.connection.handshake_complete else { return Rendered::Absent };
        let before = context.info.start.saturating_duration_since(complete);
        let after = complete.saturating_duration_since(context.info.start);
        if before.as_millis() > 0 {
            out.push(b'-');
        }
        millis(out, Some(before + after))
    }),
    ("DOWNSTREAM_TRANSPORT_FAILURE_REASON", |context, out| {
        failure_reason(out, &context.connection.transport_failure_reason)
    }),
    ("DOWNSTREAM_WIRE_BYTES_RECEIVED", |context, out| number(out, context.info.bytes.wire_received)),
    ("DOWNSTREAM_WIRE_BYTES_SENT", |context, out| number(out, context.info.bytes.wire_sent)),
    ("DURATION", |context, out| millis(out, Some(context.duration()))),
    ("FILTER_CHAIN_NAME", |context, out| not_empty(out, Some(&context.connection.listener.filter_chain_name))),
    ("LISTENER_NAME", |context, out| not_empty(out, Some(&context.connection.listener.name))),
    ("LOCAL_REPLY_BODY", |context, out| text(out, context.local_reply_body)),
    ("PACKETS_RETRANSMITTED", |_, out| number(out, 0)),
    ("PROTOCOL", |context, out| optional(out, context.info.protocol.map(str::as_bytes))),
    ("REQUEST_DURATION", |context, out| since_start(context, out, context.info.last_downstream_rx)),
    ("REQUEST_TX_DURATION", |context, out| since_start(context, out, context.info.upstream.last_tx)),
    ("RESPONSE_CODE", |context, out| number(out, context.info.response_code.unwrap_or_default().into())),
    ("RESPONSE_DURATION", |context, out| since_start(context, out, context.info.upstream.first_rx)),
    ("RESPONSE_FLAGS", |context, out| flags(context, out, |flag| flag.short)),
    ("RESPONSE_FLAGS_LONG", |context, out| flags(context, out, |flag| flag.long)),
    ("RESPONSE_TX_DURATION", |context, out| {
        let from = context.info.upstream.first_rx;
        millis(out, context.info.last_downstream_tx.zip(from).map(|(to, from)| to.saturating_duration_since(from)))
    }),
    ("ROUTE_NAME", |context, out| not_empty(out, context.info.route_name.as_deref())),
    ("STREAM_ID", |context, out| {
        optional(out, context.request_headers.and_then(|headers| headers.get(b"x-request-id")))
    }),
    ("UNIQUE_ID", |_, out| {
        let id = uuid::Builder::from_random_bytes(fastrand::u128(..).to_ne_bytes()).into_uuid();
        text(out, id.hyphenated().encode_lower(&mut [0; 36]).as_bytes())
    }),
    ("UPSTREAM_CLUSTER", |context, out| {
        not_empty(out, context.info.cluster_alt_name.as_deref().or(context.info.cluster_name.as_deref()))
    }),
    ("UPSTREAM_CLUSTER_RAW", |context, out| not_empty(out, context.info.cluster_name.as_deref())),
    ("UPSTREAM_CONNECTION_ID", |context, out| number(out, context.info.upstream.connection_id.unwrap_or_default())),
    ("UPSTREAM_CONNECTION_IDS_ATTEMPTED", |context, out| {
        list(out, &context.info.connection_ids_attempted, |out, id| {
            number(out, *id);
        })
    }),
    ("UPSTREAM_CONNECTION_POOL_READY_DURATION", |context, out| millis(out, context.info.upstream.pool_ready)),
    ("UPSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED", |context, out| {
        number(out, context.info.upstream.bytes.header_received)
    }),
    ("UPSTREAM_DECOMPRESSED_HEADER_BYTES_SENT", |context, out| number(out, context.info.upstream.bytes.header_sent)),
    ("UPSTREAM_DETECTED_CLOSE_TYPE", |context, out| {
        optional(out, context.info.upstream.address.map(|_| b"Normal".as_slice()))
    }),
    ("UPSTREAM_HEADER_BYTES_RECEIVED", |context, out| number(out, context.info.upstream.bytes.header_received)),
    ("UPSTREAM_HEADER_BYTES_SENT", |context, out| number(out, context.info.upstream.bytes.header_sent)),
    ("UPSTREAM_HOST", |context, out| {
        context.info.upstream.address.map_or(Rendered::Absent, |address| operator::address(out, address))
    }),
    ("UPSTREAM_HOSTS_ATTEMPTED", |context, out| {
        hosts(context, out, |out, host| {
            operator::address(out, host.address);
        })
    }),
    ("UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT", |context, out| {
        hosts(context, out, |out, host| out.extend_from_slice(host.address.ip().to_string().as_bytes()))
    }),
    ("UPSTREAM_HOST_NAME", |context, out| {
        host(context).map_or(Rendered::Absent, |host| {
            host_name(out, &host);
            Rendered::Text
        })
    }),
    ("UPSTREAM_HOST_NAME_WITHOUT_PORT", |context, out| {
        host(context).map_or(Rendered::Absent, |host| {
            host_name_without_port(out, &host);
            Rendered::Text
        })
    }),
    ("UPSTREAM_HOST_NAMES_ATTEMPTED", |context, out| hosts(context, out, host_name)),
    ("UPSTREAM_HOST_NAMES_ATTEMPTED_WITHOUT_PORT", |context, out| hosts(context, out, host_name_without_port)),
    ("UPSTREAM_REMOTE_ADDRESS_ENDPOINT_ID", |context, out| {
        optional(out, context.info.upstream.remote_address.map(|_| b"".as_slice()))
    }),
    ("UPSTREAM_PROTOCOL", |context, out| optional(out, context.info.upstream.protocol.map(str::as_bytes))),
    ("UPSTREAM_REQUEST_ATTEMPT_COUNT", |context, out| number(out, context.info.upstream.attempt_count.into())),
    ("UPSTREAM_TRANSPORT_FAILURE_REASON", |context, out| {
        failure_reason(out, &context.info.upstream.transport_failure_reason)
    }),
    ("UPSTREAM_WIRE_BYTES_RECEIVED", |context, out| number(out, context.info.upstream.bytes.wire_received)),
    ("UPSTREAM_WIRE_BYTES_SENT", |context, out| number(out, context.info.upstream.bytes.wire_sent)),
    ("VIRTUAL_CLUSTER_NAME", |context, out| {
        optional(out, context.info.virtual_cluster_name.as_deref().map(str::as_bytes))
    }),
];

fn millis(out: &mut Vec<u8>, duration: Option<Duration>) -> Rendered {
    match duration {
        Some(duration) => number(out, u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)),
        None => Rendered::Absent,
    }
}

/// Spaces would split the fields of a log line.
fn failure_reason(out: &mut Vec<u8>, reason: &str) -> Rendered {
    if reason.is_empty() {
        return Rendered::Absent;
    }
    out.extend(reason.bytes().map(|byte| if byte == b' ' { b'_' } else { byte }));
    Rendered::Text
}

fn since_start(context: &FormatContext<'_>, out: &mut Vec<u8>, moment: Option<Instant>) -> Rendered {
    millis(out, moment.map(|moment| moment.saturating_duration_since(context.info.start)))
}

/// All flags, with commas; `-` if there is none.
fn flags(context: &FormatContext<'_>, out: &mut Vec<u8>, name: fn(&response_flag::Flag) -> &'static str) -> Rendered {
    let before = out.len();
    for flag in response_flag::ALL {
        if context.info.has_response_flag(flag.bit) {
            if out.len() > before {
                out.push(b',');
            }
            out.extend_from_slice(name(flag).as_bytes());
        }
    }
    if out.len() == before {
        out.push(b'-');
    }
    Rendered::Text
}

fn host(context: &FormatContext<'_>) -> Option<AttemptedHost> {
    let upstream = &context.info.upstream;
    Some(AttemptedHost { address: upstream.address?, name: upstream.host_name.clone().unwrap_or_default() })
}

/// The host's name, or its address if it has none.
fn host_name(out: &mut Vec<u8>, host: &AttemptedHost) {
    if host.name.is_empty() {
        operator::address(out, host.address);
    } else {
        out.extend_from_slice(host.name.as_bytes());
    }
}

fn host_name_without_port(out: &mut Vec<u8>, host: &AttemptedHost) {
    if host.name.is_empty() {
        let ip = host.address.ip();
        let text = if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() };
        out.extend_from_slice(text.as_bytes());
    } else {
        let (name, port) = host.name.rsplit_once(':').unwrap_or((&host.name, ""));
        let has_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        out.extend_from_slice(if has_port { name } else { &host.name }.as_bytes());
    }
}

fn hosts(context: &FormatContext<'_>, out: &mut Vec<u8>, write: fn(&mut Vec<u8>, &AttemptedHost)) -> Rendered {
    list(out, &context.info.hosts_attempted, write)
}

/// All items, with commas; absent if there are none.
fn list<T>(out: &mut Vec<u8>, items: &[T], write: impl Fn(&mut Vec<u8>, &T)) -> Rendered {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    if items.is_empty() { Rendered::Absent } else { Rendered::Text }
}
