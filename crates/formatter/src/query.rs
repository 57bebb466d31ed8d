//! The path and its query.

use crate::command::one_of;
use crate::format::Rendered;
use crate::operator::{optional, text};
use crate::{FormatContext, FormatError};

/// `%PATH(WQ:ORIG)%`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    query: bool,
    original: bool,
    current: bool,
}

/// `%QUERY_PARAM(x)%`.
#[derive(Clone, Debug)]
pub(crate) struct QueryParam(Box<[u8]>);

// === impl Path ===

impl Path {
    pub(crate) fn parse(parameters: &str) -> Result<Self, FormatError> {
        let mut options = parameters.split(':');
        let (query, source) = (options.next().unwrap_or_default(), options.next().unwrap_or_default());
        one_of("PATH", query, &["", "WQ", "NQ"])?;
        one_of("PATH", source, &["", "ORIG", "PATH", "ORIG_OR_PATH"])?;
        Ok(Self { query: query != "NQ", original: source != "PATH", current: source != "ORIG" })
    }

    pub(crate) fn render(&self, context: &FormatContext<'_>, out: &mut Vec<u8>) -> Rendered {
        let header = |name: &[u8], wanted: bool| {
            context.request_headers.filter(|_| wanted).and_then(|headers| headers.get(name))
        };
        let original = header(b"x-envoy-original-path", self.original).filter(|path| !path.is_empty());
        let path = original.or_else(|| header(b":path", self.current)).filter(|path| !path.is_empty());
        let path = path.map(|path| if self.query { path } else { path.split(|b| *b == b'?').next().unwrap_or(path) });
        optional(out, path)
    }
}

// === impl QueryParam ===

impl QueryParam {
    pub(crate) fn new(name: &str) -> Self {
        Self(name.as_bytes().into())
    }

    /// The first value of that name, not decoded.
    pub(crate) fn render(&self, context: &FormatContext<'_>, out: &mut Vec<u8>) -> Rendered {
        let Some(query) = query(context) else { return Rendered::Absent };
        let value = query.split(|byte| *byte == b'&').find_map(|pair| {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let name = halves.next()?;
            (name == &*self.0).then(|| halves.next().unwrap_or_default())
        });
        optional(out, value)
    }
}

/// `%QUERY_PARAMS%`.
pub(crate) fn all(context: &FormatContext<'_>, decode: bool, out: &mut Vec<u8>) -> Rendered {
    match query(context) {
        None => Rendered::Absent,
        Some(query) if decode => {
            percent_decode(query, out);
            Rendered::Text
        }
        Some(query) => text(out, query),
    }
}

/// What follows the path's first question mark, up to a fragment.
fn query<'a>(context: &FormatContext<'a>) -> Option<&'a [u8]> {
    let path = context.request_headers?.get(b":path")?;
    let at = path.iter().position(|byte| *byte == b'?')?;
    path.get(at + 1..)
}

fn percent_decode(encoded: &[u8], out: &mut Vec<u8>) {
    let mut rest = encoded;
    while let Some((byte, after)) = rest.split_first() {
        let decoded = (*byte == b'%').then(|| after.get(..2)).flatten().and_then(hex_byte);
        match decoded {
            Some(decoded) => {
                out.push(decoded);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                out.push(*byte);
                rest = after;
            }
        }
    }
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
    u8::from_str_radix(digits, 16).ok()
}
