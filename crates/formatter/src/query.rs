//! The path and its query.

use std::borrow::Cow;

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

    /// The first value of that name, decoded.
    pub(crate) fn render(&self, context: &FormatContext<'_>, out: &mut Vec<u8>) -> Rendered {
        let Some(query) = query(context) else { return Rendered::Absent };
        for pair in query.split(|byte| *byte == b'&') {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let name = halves.next().unwrap_or_default();
            if *decoded(name) == *self.0 {
                return text(out, &decoded(halves.next().unwrap_or_default()));
            }
        }
        Rendered::Absent
    }
}

/// `%QUERY_PARAMS%`.
pub(crate) fn all(context: &FormatContext<'_>, decode: bool, out: &mut Vec<u8>) -> Rendered {
    match query(context) {
        None => Rendered::Absent,
        Some(query) if decode => {
            decode_visible(query, out);
            Rendered::Text
        }
        Some(query) => text(out, query),
    }
}

/// What follows the path's first question mark.
fn query<'a>(context: &FormatContext<'a>) -> Option<&'a [u8]> {
    let path = context.request_headers?.get(b":path")?;
    let at = path.iter().position(|byte| *byte == b'?')?;
    path.get(at + 1..)
}

/// Percent-decoded; what is no escape stays as it is.
fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'%') {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        match escape(*byte, after) {
            Some((decoded, after)) => {
                out.push(decoded);
                rest = after;
            }
            None => {
                out.push(*byte);
                rest = after;
            }
        }
    }
    Cow::Owned(out)
}

/// Decodes what stands for a visible ASCII character, but not for a quotation mark, so that fields of a log line keep
/// apart. The percent sign of what is no escape is dropped if two more bytes follow (observed in Envoy 1.40).
fn decode_visible(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match escape(*byte, after) {
            Some((decoded, after)) if decoded.is_ascii_graphic() && decoded != b'"' => {
                out.push(decoded);
                rest = after;
            }
            None if *byte == b'%' && after.len() >= 2 => {}
            _ => out.push(*byte),
        }
    }
}

/// The byte that `%XX` stands for, and what follows.
fn escape(byte: u8, after: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, rest) = (byte == b'%').then(|| after.split_at_checked(2)).flatten()?;
    let digits = std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
    Some((u8::from_str_radix(digits, 16).ok()?, rest))
}
