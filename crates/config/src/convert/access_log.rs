//! Access logs and their filters.

use std::sync::Arc;

use prost_types::{Any, Struct};
use sandgate_expression::{CompileError, Environment, Expression};
use sandgate_filter::response_flag;
use sandgate_formatter::AccessLogType;

use super::{
    Context, matcher, substitution_format, type_name,
    wasm::{WASM_ACCESS_LOG, wasm_access_log},
};
use crate::{
    model::{
        AccessLog, AccessLogFilter, AccessLogSink, AccessLogger, Comparison, ComparisonOp, FractionalPercent,
        RuntimeUInt32, SubstitutionFormat,
    },
    proto::envoy::{
        config::accesslog::v3::{
            self as proto, access_log::ConfigType, access_log_filter::FilterSpecifier, comparison_filter::Op,
            extension_filter::ConfigType as ExtensionConfig,
        },
        extensions::access_loggers::{file::v3 as file, filters::cel::v3 as cel, stream::v3 as stream},
    },
};

const FILE: &str = "envoy.extensions.access_loggers.file.v3.FileAccessLog";
const STDOUT: &str = "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog";
/// An access log filter.
const EXPRESSION: &str = "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter";
const STDERR: &str = "envoy.extensions.access_loggers.stream.v3.StderrAccessLog";

/// Converts the list of access logs in `field`.
pub(super) fn access_logs(context: &mut Context<'_>, field: &str, messages: Vec<proto::AccessLog>) -> Vec<AccessLog> {
    context.list(field, messages, access_log)
}

/// A log to a file in Envoy's default format.
pub(super) fn default_file(context: &mut Context<'_>, path: String) -> Option<AccessLog> {
    let format = substitution_format::access_log_default(context)?;
    let logger = AccessLogger::Line { sink: AccessLogSink::File(path), format };
    Some(AccessLog { filter: None, logger, origin: context.origin() })
}

fn access_log(context: &mut Context<'_>, message: proto::AccessLog) -> Option<AccessLog> {
    let filter = message.filter.map(|message| context.field("filter", |context| filter(context, message)));
    let config = message.config_type.as_ref().map(|ConfigType::TypedConfig(config)| config);
    let logger = match config.map(|config| (type_name(config), config)) {
        Some((FILE, config)) => context.field("typed_config", |context| file_log(context, config)),
        Some((STDOUT, config)) => context.field("typed_config", |context| {
            let message: stream::StdoutAccessLog = context.unpack(config)?;
            use stream::stdout_access_log::AccessLogFormat;
            let format = message.access_log_format.map(|AccessLogFormat::LogFormat(format)| format);
            Some(AccessLogger::Line { sink: AccessLogSink::Stdout, format: stream_format(context, format)? })
        }),
        Some((STDERR, config)) => context.field("typed_config", |context| {
            let message: stream::StderrAccessLog = context.unpack(config)?;
            use stream::stderr_access_log::AccessLogFormat;
            let format = message.access_log_format.map(|AccessLogFormat::LogFormat(format)| format);
            Some(AccessLogger::Line { sink: AccessLogSink::Stderr, format: stream_format(context, format)? })
        }),
        Some((WASM_ACCESS_LOG, config)) => {
            wasm_access_log(context, config).map(|plugin| AccessLogger::Wasm(Arc::new(plugin)))
        }
        _ => {
            context.unknown_extension("access logger", &message.name, config);
            None
        }
    };
    let logger = logger?;
    let filter = match filter {
        None => None,
        Some(filter) => Some(filter?),
    };
    Some(AccessLog { filter, logger, origin: context.origin() })
}

fn file_log(context: &mut Context<'_>, config: &Any) -> Option<AccessLogger> {
    use file::file_access_log::AccessLogFormat;
    let message: file::FileAccessLog = context.unpack(config)?;
    let json = |context: &mut Context<'_>, field: &str, format: &Struct| {
        context.field(field, |context| substitution_format::json(context, format, false))
    };
    let format = match message.access_log_format {
        None => substitution_format::access_log_default(context),
        // An empty one is as none.
        Some(AccessLogFormat::Format(text)) if text.is_empty() => substitution_format::access_log_default(context),
        Some(AccessLogFormat::Format(text)) => {
            context.field("format", |context| substitution_format::text(context, &text, false))
        }
        Some(AccessLogFormat::JsonFormat(format)) => json(context, "json_format", &format),
        Some(AccessLogFormat::TypedJsonFormat(format)) => json(context, "typed_json_format", &format),
        Some(AccessLogFormat::LogFormat(format)) => {
            context.field("log_format", |context| substitution_format::format(context, format))
        }
    };
    Some(AccessLogger::Line { sink: AccessLogSink::File(message.path), format: format? })
}

fn stream_format(
    context: &mut Context<'_>,
    format: Option<crate::proto::envoy::config::core::v3::SubstitutionFormatString>,
) -> Option<SubstitutionFormat> {
    match format {
        None => substitution_format::access_log_default(context),
        Some(format) => context.field("log_format", |context| substitution_format::format(context, format)),
    }
}

/// Converts a filter.
pub(super) fn filter(context: &mut Context<'_>, message: proto::AccessLogFilter) -> Option<AccessLogFilter> {
    Some(match context.required("a filter", message.filter_specifier)? {
        FilterSpecifier::StatusCodeFilter(filter) => AccessLogFilter::StatusCode(comparison(filter.comparison)),
        FilterSpecifier::DurationFilter(filter) => AccessLogFilter::Duration(comparison(filter.comparison)),
        FilterSpecifier::NotHealthCheckFilter(_) => AccessLogFilter::NotHealthCheck,
        FilterSpecifier::TraceableFilter(_) => AccessLogFilter::Traceable,
        FilterSpecifier::RuntimeFilter(filter) => AccessLogFilter::Runtime {
            key: filter.runtime_key,
            percent: filter
                .percent_sampled
                .map_or(FractionalPercent { numerator: 0, denominator: 100 }, FractionalPercent::from),
            independent: filter.use_independent_randomness,
        },
        FilterSpecifier::AndFilter(filter) => {
            AccessLogFilter::And(context.field("and_filter", |context| filters(context, filter.filters)))
        }
        FilterSpecifier::OrFilter(filter) => {
            AccessLogFilter::Or(context.field("or_filter", |context| filters(context, filter.filters)))
        }
        FilterSpecifier::HeaderFilter(filter) => {
            let header = context.required("header", filter.header)?;
            AccessLogFilter::Header(context.field("header", |context| matcher::header(context, header))?)
        }
        FilterSpecifier::MetadataFilter(filter) => AccessLogFilter::Metadata {
            matcher: match filter.matcher {
                None => None,
                Some(message) => Some(context.field("matcher", |context| matcher::metadata(context, message))?),
            },
            if_missing: filter.match_if_key_not_found.unwrap_or(true),
        },
        FilterSpecifier::ResponseFlagFilter(filter) => AccessLogFilter::ResponseFlag(flags(&filter.flags)),
        FilterSpecifier::GrpcStatusFilter(filter) => AccessLogFilter::GrpcStatus {
            statuses: filter
                .statuses
                .iter()
                .fold(0, |bits, status| bits | 1u32.checked_shl(*status as u32).unwrap_or(0)),
            exclude: filter.exclude,
        },
        FilterSpecifier::ExtensionFilter(filter) => {
            let config = filter.config_type.as_ref().map(|ExtensionConfig::TypedConfig(config)| config);
            match config.map(|config| (type_name(config), config)) {
                Some((EXPRESSION, config)) => context.field("extension_filter", |context| {
                    context.field("typed_config", |context| expression(context, config))
                })?,
                _ => {
                    context.unknown_extension("access log filter", &filter.name, config);
                    return None;
                }
            }
        }
        FilterSpecifier::LogTypeFilter(filter) => AccessLogFilter::LogType {
            types: filter.types.into_iter().filter_map(log_type).collect(),
            exclude: filter.exclude,
        },
    })
}

fn expression(context: &mut Context<'_>, config: &Any) -> Option<AccessLogFilter> {
    let message: cel::ExpressionFilter = context.unpack(config)?;
    match Expression::parse(message.expression.as_bytes(), &Environment::filters()) {
        Ok(expression) => Some(AccessLogFilter::Expression(Arc::new(expression))),
        Err(CompileError::Syntax(what)) => {
            context.error_at("expression", format!("Not able to parse filter expression: {what}"));
            None
        }
        Err(CompileError::Unknown(what)) => {
            context.error_at("expression", format!("failed to create an expression: {what}"));
            None
        }
    }
}

fn filters(context: &mut Context<'_>, messages: Vec<proto::AccessLogFilter>) -> Vec<AccessLogFilter> {
    context.list("filters", messages, filter)
}

/// Rules have seen that all of it is there.
fn comparison(message: Option<proto::ComparisonFilter>) -> Comparison {
    let message = message.unwrap_or_default();
    let op = match Op::try_from(message.op) {
        Ok(Op::Ge) => ComparisonOp::GreaterOrEqual,
        Ok(Op::Le) => ComparisonOp::LessOrEqual,
        Ok(Op::Ne) => ComparisonOp::NotEqual,
        Ok(Op::Eq) | Err(_) => ComparisonOp::Equal,
    };
    Comparison { op, value: RuntimeUInt32::from(message.value.unwrap_or_default()) }
}

/// A rule has seen that the names are known.
fn flags(names: &[String]) -> u64 {
    let flags = response_flag::ALL.iter().filter(|flag| names.iter().any(|name| name == flag.short));
    flags.fold(0, |bits, flag| bits | flag.bit)
}

fn log_type(number: i32) -> Option<AccessLogType> {
    use AccessLogType::*;
    let all = [
        NotSet,
        DownstreamStart,
        DownstreamPeriodic,
        DownstreamEnd,
        UpstreamPoolReady,
        UpstreamPeriodic,
        UpstreamEnd,
        DownstreamTunnelSuccessfullyEstablished,
        TcpUpstreamConnected,
        TcpPeriodic,
        TcpConnectionEnd,
        TcpConnectionStart,
    ];
    all.into_iter().find(|kind| kind.number() == number)
}
