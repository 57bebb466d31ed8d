//! `%REQ(x?y)%` and its like.

use sandgate_http::HeaderMap;

use crate::format::Rendered;
use crate::operator::optional;
use crate::{FormatContext, FormatError};

/// Which headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeadersOf {
    Request,
    Response,
    ResponseTrailers,
}

/// A header, or another one if the first is absent.
#[derive(Clone, Debug)]
pub(crate) struct HeaderOf {
    of: HeadersOf,
    name: Box<[u8]>,
    alternative: Box<[u8]>,
}

// === impl HeadersOf ===

impl HeadersOf {
    pub(crate) fn map<'a>(self, context: &FormatContext<'a>) -> Option<&'a HeaderMap> {
        match self {
            Self::Request => context.request_headers,
            Self::Response => context.response_headers,
            Self::ResponseTrailers => context.response_trailers,
        }
    }
}

// === impl HeaderOf ===

impl HeaderOf {
    pub(crate) fn parse(of: HeadersOf, parameters: &str) -> Result<Self, FormatError> {
        let mut names = parameters.split('?');
        let name = names.next().unwrap_or_default();
        let alternative = names.next().unwrap_or_default();
        if names.next().is_some() {
            return Err(FormatError::Alternatives(parameters.to_owned()));
        }
        if !is_name(name) || !is_name(alternative) {
            return Err(FormatError::HeaderName);
        }
        let lower = |name: &str| name.to_ascii_lowercase().into_bytes().into_boxed_slice();
        Ok(Self { of, name: lower(name), alternative: lower(alternative) })
    }

    /// The first line of that name; no other.
    pub(crate) fn render(&self, context: &FormatContext<'_>, out: &mut Vec<u8>) -> Rendered {
        let value = self.of.map(context).and_then(|headers| {
            headers
                .get(&self.name)
                .or_else(|| if self.alternative.is_empty() { None } else { headers.get(&self.alternative) })
        });
        optional(out, value)
    }
}

/// A token, with a colon before it or not; or nothing.
fn is_name(name: &str) -> bool {
    let token = name.strip_prefix(':').unwrap_or(name);
    token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}
