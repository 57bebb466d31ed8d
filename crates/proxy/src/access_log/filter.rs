//! Which entries are written.

use std::cmp::Ordering;
use std::sync::Arc;

use sandgate_config::model::{AccessLogFilter, Comparison, ComparisonOp, FractionalPercent};
use sandgate_expression::Expression;
use sandgate_formatter::{AccessLogType, FormatContext};
use sandgate_http::HeaderMap;
use sandgate_matcher::{HeaderMatcher, ValueMatcher};

use crate::runtime::Runtime;

/// A filter, ready for use.
pub(crate) struct LogFilter {
    kind: Kind,
    runtime: Arc<Runtime>,
}

enum Kind {
    StatusCode(Comparison),
    Duration(Comparison),
    NotHealthCheck,
    Never,
    Runtime { key: String, percent: FractionalPercent, independent: bool },
    And(Vec<LogFilter>),
    Or(Vec<LogFilter>),
    Header(HeaderMatcher),
    Metadata { namespace: String, path: Vec<String>, value: ValueMatcher, if_missing: bool },
    Constant(bool),
    ResponseFlag(u64),
    GrpcStatus { statuses: u32, exclude: bool },
    Expression(Arc<Expression>),
    LogType { types: Vec<AccessLogType>, exclude: bool },
}

/// gRPC's `UNKNOWN`.
const UNKNOWN: i64 = 2;

// === impl LogFilter ===

impl LogFilter {
    /// Of a configuration.
    pub(crate) fn new(config: &AccessLogFilter, runtime: &Arc<Runtime>) -> Self {
        let list = |filters: &[AccessLogFilter]| filters.iter().map(|filter| Self::new(filter, runtime)).collect();
        let kind = match config {
            AccessLogFilter::StatusCode(comparison) => Kind::StatusCode(comparison.clone()),
            AccessLogFilter::Duration(comparison) => Kind::Duration(comparison.clone()),
            AccessLogFilter::NotHealthCheck => Kind::NotHealthCheck,
            AccessLogFilter::Traceable => Kind::Never,
            AccessLogFilter::Runtime { key, percent, independent } => {
                Kind::Runtime { key: key.clone(), percent: *percent, independent: *independent }
            }
            AccessLogFilter::And(filters) => Kind::And(list(filters)),
            AccessLogFilter::Or(filters) => Kind::Or(list(filters)),
            AccessLogFilter::Header(matcher) => Kind::Header(HeaderMatcher::new(matcher)),
            AccessLogFilter::Metadata { matcher: None, if_missing } => Kind::Constant(*if_missing),
            AccessLogFilter::Metadata { matcher: Some(matcher), if_missing } => Kind::Metadata {
                namespace: matcher.filter.clone(),
                path: matcher.path.clone(),
                // The matcher's `invert` means nothing here, as in Envoy.
                value: ValueMatcher::new(&matcher.value),
                if_missing: *if_missing,
            },
            AccessLogFilter::ResponseFlag(flags) => Kind::ResponseFlag(*flags),
            AccessLogFilter::GrpcStatus { statuses, exclude } => {
                Kind::GrpcStatus { statuses: *statuses, exclude: *exclude }
            }
            AccessLogFilter::Expression(expression) => Kind::Expression(Arc::clone(expression)),
            AccessLogFilter::LogType { types, exclude } => Kind::LogType { types: types.clone(), exclude: *exclude },
        };
        Self { kind, runtime: Arc::clone(runtime) }
    }

    /// Whether an entry of this context is wanted.
    pub(crate) fn matches(&self, context: &FormatContext<'_>) -> bool {
        let info = context.info;
        match &self.kind {
            Kind::StatusCode(comparison) => self.compare(comparison, info.response_code.unwrap_or_default().into()),
            Kind::Duration(comparison) => self.compare(comparison, context.duration().as_millis()),
            Kind::NotHealthCheck => !info.health_check,
            Kind::Never => false,
            Kind::Runtime { key, percent, independent } => self.chosen(key, *percent, *independent, context),
            Kind::And(filters) => filters.iter().all(|filter| filter.matches(context)),
            Kind::Or(filters) => filters.iter().any(|filter| filter.matches(context)),
            Kind::Header(matcher) => match context.request_headers {
                Some(headers) => matcher.matches(headers),
                None => matcher.matches(&HeaderMap::new()),
            },
            Kind::Metadata { namespace, path, value, if_missing } => {
                let path = path.iter().map(String::as_bytes);
                match sandgate_attributes::metadata_value(&info.dynamic_metadata, namespace.as_bytes(), path) {
                    Some(found) => value.matches(Some(&found)),
                    None => *if_missing,
                }
            }
            Kind::Constant(answer) => *answer,
            Kind::ResponseFlag(0) => info.response_flags.0 != 0,
            Kind::ResponseFlag(flags) => info.has_response_flag(*flags),
            Kind::GrpcStatus { statuses, exclude } => {
                let status = context.response_grpc_status().unwrap_or(UNKNOWN);
                let bit = u32::try_from(status).ok().and_then(|status| 1u32.checked_shl(status));
                (bit.unwrap_or(0) & statuses != 0) != *exclude
            }
            Kind::Expression(expression) => context.with_activation(|activation| expression.matches(activation)),
            Kind::LogType { types, exclude } => types.contains(&context.log_type) != *exclude,
        }
    }

    fn compare(&self, comparison: &Comparison, value: u128) -> bool {
        let ordering = value.cmp(&self.runtime.uint32(&comparison.value).into());
        match comparison.op {
            ComparisonOp::Equal => ordering == Ordering::Equal,
            ComparisonOp::GreaterOrEqual => ordering != Ordering::Less,
            ComparisonOp::LessOrEqual => ordering != Ordering::Greater,
            ComparisonOp::NotEqual => ordering != Ordering::Equal,
        }
    }

    /// By the request id, so that all proxies on a request's way choose alike; by chance if there is none.
    fn chosen(&self, key: &str, percent: FractionalPercent, independent: bool, context: &FormatContext<'_>) -> bool {
        let id = context.request_headers.filter(|_| !independent).and_then(|headers| headers.get(b"x-request-id"));
        let random = id.and_then(request_id_number).unwrap_or_else(|| fastrand::u64(..));
        let buckets = u64::from(percent.denominator);
        let share = self.runtime.integer(key, percent.numerator.into()).min(buckets);
        random.checked_rem(buckets).is_some_and(|random| random < share)
    }
}

/// The first eight digits of a UUID.
fn request_id_number(id: &[u8]) -> Option<u64> {
    if id.len() < 8 {
        return None;
    }
    let digits = std::str::from_utf8(id.get(..8)?).ok()?;
    u64::from_str_radix(digits, 16).ok()
}
