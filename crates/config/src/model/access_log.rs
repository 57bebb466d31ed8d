//! Access logs: what is written where, and when.

use std::sync::Arc;

use sandgate_expression::Expression;
use sandgate_formatter::{AccessLogType, Format, JsonFormat};

use super::{FractionalPercent, HeaderMatcher, MetadataMatcher, Origin, RuntimeUInt32, WasmPlugin};

/// Envoy's `envoy.config.accesslog.v3.AccessLog` with one of the loggers there are.
#[derive(Clone, Debug, PartialEq)]
pub struct AccessLog {
    /// What is written; all if there is none.
    pub filter: Option<AccessLogFilter>,
    /// What becomes of it.
    pub logger: AccessLogger,
    /// Where it stands.
    pub origin: Origin,
}

/// What becomes of an entry.
#[derive(Clone, Debug, PartialEq)]
pub enum AccessLogger {
    /// It is written as a line.
    Line {
        /// Where to.
        sink: AccessLogSink,
        /// How it looks.
        format: SubstitutionFormat,
    },
    /// `envoy.extensions.access_loggers.wasm.v3.WasmAccessLog`: a plugin's root context hears of it (`proxy_on_log`).
    Wasm(Arc<WasmPlugin>),
}

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AccessLogSink {
    /// `envoy.extensions.access_loggers.file.v3.FileAccessLog`: appended to this file, which is made if it is not there.
    File(String),
    /// `envoy.extensions.access_loggers.stream.v3.StdoutAccessLog`
    Stdout,
    /// `envoy.extensions.access_loggers.stream.v3.StderrAccessLog`
    Stderr,
}

/// Envoy's `envoy.config.core.v3.SubstitutionFormatString`, without the content type.
#[derive(Clone, Debug, PartialEq)]
pub enum SubstitutionFormat {
    /// Text with commands.
    Text(Format),
    /// JSON with commands in its strings.
    Json(JsonFormat),
}

/// Envoy's `envoy.config.accesslog.v3.AccessLogFilter`.
#[derive(Clone, Debug, PartialEq)]
pub enum AccessLogFilter {
    /// The response code; 0 if there was none.
    StatusCode(Comparison),
    /// Milliseconds from the first byte of the request to the end.
    Duration(Comparison),
    /// The health check filter has not answered it.
    NotHealthCheck,
    /// The request is to be traced: no request is, as there are no tracers.
    Traceable,
    /// A share of the requests.
    Runtime {
        /// Has the share while the process runs.
        key: String,
        /// Unless the runtime has a value.
        percent: FractionalPercent,
        /// Chosen at random rather than by the request id.
        independent: bool,
    },
    /// All of these; at least two.
    And(Vec<AccessLogFilter>),
    /// One of these; at least two.
    Or(Vec<AccessLogFilter>),
    /// A header of the request.
    Header(HeaderMatcher),
    /// Dynamic metadata of the stream.
    Metadata {
        /// What there has to be; `None` matches nothing.
        matcher: Option<MetadataMatcher>,
        /// Where nothing is at the matcher's path, this is the answer.
        if_missing: bool,
    },
    /// The response has one of these flags ([`sandgate_formatter`] has their names); with none, any flag.
    ResponseFlag(u64),
    /// The gRPC status is one of these.
    GrpcStatus {
        /// Bit *n* is status *n*.
        statuses: u32,
        /// It is none of them.
        exclude: bool,
    },
    /// This expression is true.
    Expression(Arc<Expression>),
    /// The entry is one of these kinds.
    LogType {
        /// The kinds of HTTP among those that are configured.
        types: Vec<AccessLogType>,
        /// It is none of them.
        exclude: bool,
    },
}

/// Envoy's `envoy.config.accesslog.v3.ComparisonFilter`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// How the value is compared.
    pub op: ComparisonOp,
    /// With what.
    pub value: RuntimeUInt32,
}

/// How a number is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComparisonOp {
    /// It is the same.
    Equal,
    /// It is as much or more.
    GreaterOrEqual,
    /// It is as much or less.
    LessOrEqual,
    /// It is another.
    NotEqual,
}

/// When entries are written besides the one at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccessLogOptions {
    /// One when the request's headers have come.
    pub on_new_request: bool,
    /// One when what follows the response's headers is not HTTP any more.
    pub on_tunnel: bool,
    /// One each time this has passed. At least 1 ms.
    pub interval: Option<std::time::Duration>,
}

// === impl AccessLog ===

impl AccessLog {
    /// The plugin that hears of entries, if it is one.
    #[must_use]
    pub fn wasm(&self) -> Option<&Arc<WasmPlugin>> {
        match &self.logger {
            AccessLogger::Wasm(plugin) => Some(plugin),
            AccessLogger::Line { .. } => None,
        }
    }
}
