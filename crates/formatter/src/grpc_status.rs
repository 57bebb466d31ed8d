//! `%GRPC_STATUS%`.

use std::io::Write as _;

use crate::format::Rendered;
use crate::operator::{number, text};
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
        if self == Self::Number {
            return number(out, status);
        }
        let name = usize::try_from(status).ok().and_then(|status| NAMES.get(status));
        match name {
            Some((camel, _)) if self == Self::Camel => text(out, camel.as_bytes()),
            Some((_, snake)) => text(out, snake.as_bytes()),
            None => {
                let _ = write!(out, "{status}");
                Rendered::Text
            }
        }
    }
}

impl FormatContext<'_> {
    /// The gRPC status of a gRPC request: of the trailers, else of the headers, else what stands for the HTTP status.
    #[must_use]
    pub fn grpc_status(&self) -> Option<u64> {
        if !sandgate_filter::is_grpc_request(self.request_headers?) {
            return None;
        }
        let status = |headers: Option<&sandgate_http::HeaderMap>| {
            let value = headers?.get(b"grpc-status").filter(|value| !value.is_empty())?;
            Some(std::str::from_utf8(value).ok().and_then(|value| value.parse().ok()).unwrap_or(UNKNOWN))
        };
        status(self.response_trailers).or_else(|| status(self.response_headers)).or_else(|| {
            match self.info.response_code? {
                200 => None,
                code => Some(sandgate_filter::grpc_status_from_http(code).into()),
            }
        })
    }
}

const UNKNOWN: u64 = 2;
