//! `%GRPC_STATUS%`.

use std::io::Write as _;

use crate::format::Rendered;
use crate::operator::text;
use crate::{FormatContext, FormatError};

/// How the status is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GrpcStatusStyle {
    Camel,
    Snake,
    Number,
}

const NAMES: [(&str, &str); 17] = [
    ("OK", "OK"),
    ("Canceled", "CANCELLED"),
    ("Unknown", "UNKNOWN"),
    ("InvalidArgument", "INVALID_ARGUMENT"),
    ("DeadlineExceeded", "DEADLINE_EXCEEDED"),
    ("NotFound", "NOT_FOUND"),
    ("AlreadyExists", "ALREADY_EXISTS"),
    ("PermissionDenied", "PERMISSION_DENIED"),
    ("ResourceExhausted", "RESOURCE_EXHAUSTED"),
    ("FailedPrecondition", "FAILED_PRECONDITION"),
    ("Aborted", "ABORTED"),
    ("OutOfRange", "OUT_OF_RANGE"),
    ("Unimplemented", "UNIMPLEMENTED"),
    ("Internal", "INTERNAL"),
    ("Unavailable", "UNAVAILABLE"),
    ("DataLoss", "DATA_LOSS"),
    ("Unauthenticated", "UNAUTHENTICATED"),
];

// === impl GrpcStatusStyle ===

impl GrpcStatusStyle {
    pub(crate) fn parse(parameters: &str) -> Result<Self, FormatError> {
        match parameters {
            "" | "CAMEL_STRING" => Ok(Self::Camel),
            "SNAKE_STRING" => Ok(Self::Snake),
            "NUMBER" => Ok(Self::Number),
            other => Err(FormatError::Parameter(format!(
                "GrpcStatusFormatter only supports CAMEL_STRING, SNAKE_STRING or NUMBER. Got: {other}"
            ))),
        }
    }

    pub(crate) fn render(self, context: &FormatContext<'_>, out: &mut Vec<u8>) -> Rendered {
        let Some(status) = context.grpc_status() else { return Rendered::Absent };
        let name = usize::try_from(status).ok().and_then(|status| NAMES.get(status));
        match (self, name) {
            (Self::Camel, Some((camel, _))) => text(out, camel.as_bytes()),
            (Self::Snake, Some((_, snake))) => text(out, snake.as_bytes()),
            // Writing to a vector cannot fail.
            _ => {
                let _ = write!(out, "{status}");
                if self == Self::Number { Rendered::Json } else { Rendered::Text }
            }
        }
    }
}

/// A status that is no number.
const INVALID: i64 = -1;

impl FormatContext<'_> {
    /// The gRPC status of a gRPC request: of the trailers, else of the headers, else what stands for the HTTP status.
    #[must_use]
    pub fn grpc_status(&self) -> Option<i64> {
        if !sandgate_filter::is_grpc_request(self.request_headers?) {
            return None;
        }
        self.response_grpc_status()
    }

    /// The same whatever the request is.
    #[must_use]
    pub fn response_grpc_status(&self) -> Option<i64> {
        let status = |headers: Option<&sandgate_http::HeaderMap>| {
            let value = headers?.get(b"grpc-status").filter(|value| !value.is_empty())?;
            let number = std::str::from_utf8(value).ok().and_then(|value| value.parse::<u32>().ok());
            Some(number.map_or(INVALID, i64::from))
        };
        status(self.response_trailers)
            .or_else(|| status(self.response_headers))
            .or_else(|| Some(sandgate_filter::grpc_status_from_http(self.info.response_code?).into()))
    }
}
