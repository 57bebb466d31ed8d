//! What renders a command.

use std::io::Write as _;
use std::net::SocketAddr;

use crate::FormatContext;
use crate::address::AddressOf;
use crate::common_duration::CommonDuration;
use crate::expression::ExpressionOf;
use crate::filter_state::FilterState;
use crate::format::{Command, Rendered};
use crate::grpc_status::GrpcStatusStyle;
use crate::header::{HeaderOf, HeadersOf};
use crate::metadata::Metadata;
use crate::query::{self, Path, QueryParam};
use crate::time::{Clock, TimeFormat};
use crate::tls::Tls;

/// A function that appends a value.
pub(crate) type Simple = fn(&FormatContext<'_>, &mut Vec<u8>) -> Rendered;

/// What `%REQUESTED_SERVER_NAME%` tells.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ServerName {
    Seen,
    SeenFirst,
    HostFirst,
}

/// A command with its parameters.
#[derive(Clone, Debug)]
pub(crate) enum Operator {
    /// Known to Envoy, and always unknown here.
    Absent,
    Constant(String),
    Simple(Simple),
    Header(HeaderOf),
    HeaderBytes(HeadersOf),
    GrpcStatus(GrpcStatusStyle),
    ResponseCodeDetails {
        keep_spaces: bool,
    },
    RequestedServerName(ServerName),
    QueryParam(QueryParam),
    QueryParams {
        decode: bool,
    },
    Path(Path),
    CommonDuration(CommonDuration),
    Address(AddressOf),
    Tls(Tls),
    Time(Clock, TimeFormat),
    Metadata(Metadata),
    FilterState(FilterState),
    Expression(ExpressionOf),
    Coalesce(Vec<Command>),
}

// === impl Operator ===

impl Operator {
    /// Appends the value.
    pub(crate) fn render(&self, context: &FormatContext<'_>, out: &mut Vec<u8>) -> Rendered {
        match self {
            Self::Absent => Rendered::Absent,
            Self::Constant(text) => self::text(out, text.as_bytes()),
            Self::Simple(render) => render(context, out),
            Self::Header(header) => header.render(context, out),
            Self::HeaderBytes(of) => number(out, of.map(context).map_or(0, |headers| headers.byte_size() as u64)),
            Self::GrpcStatus(style) => style.render(context, out),
            Self::ResponseCodeDetails { keep_spaces } => response_code_details(context, *keep_spaces, out),
            Self::RequestedServerName(of) => requested_server_name(context, *of, out),
            Self::QueryParam(parameter) => parameter.render(context, out),
            Self::QueryParams { decode } => query::all(context, *decode, out),
            Self::Path(path) => path.render(context, out),
            Self::CommonDuration(duration) => duration.render(context, out),
            Self::Address(address) => address.render(context, out),
            Self::Tls(tls) => tls.render(context, out),
            Self::Time(clock, format) => clock.render(context, format, out),
            Self::Metadata(metadata) => metadata.render(context, out),
            Self::FilterState(state) => state.render(context, out),
            Self::Expression(expression) => expression.render(context, out),
            Self::Coalesce(commands) => crate::coalesce::render(commands, context, out),
        }
    }
}

/// Appends text.
pub(crate) fn text(out: &mut Vec<u8>, text: &[u8]) -> Rendered {
    out.extend_from_slice(text);
    Rendered::Text
}

/// Appends text that may be unknown.
pub(crate) fn optional(out: &mut Vec<u8>, value: Option<&[u8]>) -> Rendered {
    value.map_or(Rendered::Absent, |value| text(out, value))
}

/// Appends text that is unknown if it is empty.
pub(crate) fn not_empty(out: &mut Vec<u8>, value: Option<&str>) -> Rendered {
    optional(out, value.map(str::as_bytes).filter(|value| !value.is_empty()))
}

/// Appends a number.
pub(crate) fn number(out: &mut Vec<u8>, value: u64) -> Rendered {
    // Writing to a vector cannot fail.
    let _ = write!(out, "{value}");
    Rendered::Json
}

/// Appends address and port.
pub(crate) fn address(out: &mut Vec<u8>, value: SocketAddr) -> Rendered {
    let _ = write!(out, "{value}");
    Rendered::Text
}

/// White space in it would split the fields of a log line: it becomes `_`.
fn response_code_details(context: &FormatContext<'_>, keep_spaces: bool, out: &mut Vec<u8>) -> Rendered {
    let Some(details) = &context.info.response_code_details else { return Rendered::Absent };
    if keep_spaces {
        return text(out, details.as_bytes());
    }
    out.extend(details.bytes().map(|byte| if is_space(byte) { b'_' } else { byte }));
    Rendered::Text
}

/// What C calls a space.
fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

/// The name the client asked for before the handshake; the request's host stands in for it, or goes before it, where that
/// is asked for.
fn requested_server_name(context: &FormatContext<'_>, of: ServerName, out: &mut Vec<u8>) -> Rendered {
    let seen = Some(context.connection.requested_server_name.as_bytes()).filter(|name| !name.is_empty());
    let host =
        || context.request_headers.and_then(|headers| headers.get(b":authority")).filter(|host| !host.is_empty());
    match of {
        ServerName::Seen => optional(out, seen),
        ServerName::SeenFirst => optional(out, seen.or_else(host)),
        ServerName::HostFirst => optional(out, host().or(seen)),
    }
}
