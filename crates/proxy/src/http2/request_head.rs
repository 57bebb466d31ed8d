//! A request's head as it is decoded, held to what Envoy demands of it.

use sandgate_http::{HeaderMap, HeaderMapKind};

use super::field_rules as rules;
use super::head_limits::{FIELD, HeadLimits, RULE, Refusal, join_cookie};

/// What most heads have room in.
const FIELDS: usize = 24;
const BYTES: usize = 768;

const METHOD: u8 = 1;
const SCHEME: u8 = 2;
const PATH: u8 = 4;
const AUTHORITY: u8 = 8;
const PROTOCOL: u8 = 16;
const HOST: u8 = 32;
const CONNECT: u8 = 64;
const CONTENT_LENGTH: u8 = 128;

/// A head, field by field.
pub(super) struct RequestHead {
    limits: HeadLimits,
    headers: HeaderMap,
    /// All cookies: clients may send each for itself, elsewhere they are one header (RFC 9113 §8.2.3).
    cookies: Option<Vec<u8>>,
    content_length: Option<u64>,
    seen: u8,
    /// A field has come that is no pseudo-field.
    regular: bool,
    refusal: Option<Refusal>,
}

/// A head that is one.
pub(super) struct ReadHead {
    pub(super) headers: HeaderMap,
    /// How long the body is to be.
    pub(super) content_length: Option<u64>,
}

// === impl RequestHead ===

impl RequestHead {
    pub(super) fn new(limits: HeadLimits) -> Self {
        Self {
            limits,
            headers: HeaderMap::with_capacity(HeaderMapKind::Request, FIELDS, BYTES),
            cookies: None,
            content_length: None,
            seen: 0,
            regular: false,
            refusal: None,
        }
    }

    /// The next field.
    pub(super) fn field(&mut self, name: &[u8], value: &[u8]) {
        if self.refusal.is_none() {
            self.refusal = self.take(name, value).err();
        }
    }

    fn take(&mut self, name: &[u8], value: &[u8]) -> Result<(), Refusal> {
        let so_far = self.headers.byte_size() + self.cookies.as_ref().map_or(0, Vec::len);
        self.limits.check_size(so_far, self.headers.len(), name, value)?;
        if name.first() == Some(&b':') {
            return self.take_pseudo(name, value);
        }
        self.regular = true;
        self.limits.check_field(name, value)?;
        match name {
            b"host" => {
                self.once(HOST, rules::is_authority(value))?;
                if self.seen & AUTHORITY == 0 {
                    self.headers.append(b":authority", value);
                }
            }
            b"cookie" => join_cookie(&mut self.cookies, value),
            b"content-length" => {
                self.content_length = rules::content_length(value);
                self.once(CONTENT_LENGTH, self.content_length.is_some())?;
                self.headers.append(name, value);
            }
            _ => self.headers.add(name, value),
        }
        Ok(())
    }

    fn take_pseudo(&mut self, name: &[u8], value: &[u8]) -> Result<(), Refusal> {
        if self.regular {
            return Err(FIELD);
        }
        match name {
            b":method" => {
                self.once(METHOD, rules::is_method(value))?;
                self.seen |= if value == b"CONNECT" { CONNECT } else { 0 };
            }
            b":scheme" => self.once(SCHEME, rules::is_scheme(value))?,
            b":path" => self.once(PATH, rules::is_path(value))?,
            b":authority" => self.once(AUTHORITY, rules::is_authority(value))?,
            b":protocol" => self.once(PROTOCOL, self.limits.connect && !value.is_empty() && rules::is_value(value))?,
            _ => return Err(FIELD),
        }
        self.headers.append(name, value);
        Ok(())
    }

    fn once(&mut self, field: u8, valid: bool) -> Result<(), Refusal> {
        if !valid || self.seen & field != 0 {
            return Err(FIELD);
        }
        self.seen |= field;
        Ok(())
    }

    /// All fields have come.
    pub(super) fn finish(mut self, end_stream: bool) -> Result<ReadHead, Refusal> {
        if let Some(refusal) = self.refusal {
            return Err(refusal);
        }
        let has = |fields| self.seen & fields == fields;
        if has(CONNECT) && !has(PROTOCOL) {
            if self.seen & (SCHEME | PATH) != 0 || !has(AUTHORITY) {
                return Err(RULE);
            }
            self.content_length = None;
        } else if !has(METHOD | SCHEME | PATH)
            || self.seen & (AUTHORITY | HOST) == 0
            || has(PROTOCOL) && !has(CONNECT | AUTHORITY)
            || !self.has_good_path()
        {
            return Err(RULE);
        }
        if end_stream && self.content_length.is_some_and(|length| length > 0) {
            return Err(RULE);
        }
        if let Some(cookies) = &self.cookies {
            self.headers.append(b"cookie", cookies);
        }
        if self.headers.len() > self.limits.count {
            return Err(Refusal::TooMany);
        }
        Ok(ReadHead { headers: self.headers, content_length: self.content_length })
    }

    /// A path is absolute, or OPTIONS asks about the server as a whole.
    fn has_good_path(&self) -> bool {
        let path = self.headers.get(b":path").unwrap_or_default();
        path.starts_with(b"/") || path == b"*" && self.headers.get(b":method") == Some(b"OPTIONS")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    const LIMITS: HeadLimits = HeadLimits { field: 100, bytes: 180, count: 8, connect: true, obs_text: true };
    const GET: [(&str, &str); 4] = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")];

    fn head(fields: &[(&str, &str)], end_stream: bool) -> Result<ReadHead, Refusal> {
        let mut head = RequestHead::new(LIMITS);
        fields.iter().for_each(|(name, value)| head.field(name.as_bytes(), value.as_bytes()));
        head.finish(end_stream)
    }

    /// GET with these fields, too.
    fn with(fields: &[(&str, &str)]) -> Result<ReadHead, Refusal> {
        head(&[&GET, fields].concat(), true)
    }

    fn lines(headers: &HeaderMap) -> String {
        let text = String::from_utf8_lossy;
        headers.iter().map(|(name, value)| format!("{}: {}\n", text(name), text(value))).collect()
    }

    #[test]
    fn fields_keep_their_order() {
        let fields = [(":path", "/<é>"), (":authority", "a"), (":scheme", "http"), (":method", "GET")];
        let more = [("x", "1"), ("y", "2"), ("cookie", "a=b"), ("host", "other"), ("x", "3"), ("cookie", "c=d")];
        let head = head(&[&fields[..], &more].concat(), true).unwrap();
        let expected = ":path: /<é>\n:authority: a\n:scheme: http\n:method: GET\nx: 1\ny: 2\nx: 3\ncookie: a=b; c=d\n";
        assert_eq!(lines(&head.headers), expected);
    }

    #[test]
    fn a_host_is_an_authority() {
        let head = head(&[(":method", "GET"), (":scheme", "http"), (":path", "/"), ("host", "h")], true).unwrap();
        assert_eq!(head.headers.get(b":authority"), Some(&b"h"[..]));
    }

    #[test]
    fn fields_that_must_not_be() {
        let wrong: [&[(&str, &str)]; 16] = [
            &[(":method", "GET")],
            &[(":status", "200")],
            &[(":weird", "1")],
            &[("x", "1"), (":protocol", "x")],
            &[("", "1")],
            &[("X", "1")],
            &[("x:a", "1")],
            &[("x", "\0")],
            &[("x", "a\nb")],
            &[("host", "a b")],
            &[("host", "a"), ("host", "a")],
            &[("content-length", "+1")],
            &[("content-length", "0"), ("content-length", "0")],
            &[("connection", "close")],
            &[("te", "gzip")],
            &[(":protocol", "")],
        ];
        for fields in wrong {
            assert_eq!(with(fields).err(), Some(FIELD), "{fields:?}");
        }
    }

    #[test]
    fn heads_that_are_none() {
        let without = |name: &str| GET.into_iter().filter(|(other, _)| *other != name).collect::<Vec<_>>();
        for name in [":method", ":scheme", ":path", ":authority"] {
            assert_eq!(head(&without(name), true).err(), Some(RULE), "{name}");
        }
        assert_eq!(with(&[(":protocol", "x")]).err(), Some(RULE));
        assert_eq!(with(&[("content-length", "1")]).err(), Some(RULE));
        let path = |method, path| head(&[(":method", method), (":path", path), GET[1], GET[3]], true).err();
        assert_eq!((path("GET", "*"), path("GET", "a"), path("OPTIONS", "*")), (Some(RULE), Some(RULE), None));
        let connect = (":method", "CONNECT");
        assert!(head(&[connect, GET[3]], false).is_ok());
        assert_eq!(head(&[connect], false).err(), Some(RULE));
        assert_eq!(head(&[connect, GET[1], GET[2], GET[3]], false).err(), Some(RULE));
        assert!(head(&[connect, GET[1], GET[2], GET[3], (":protocol", "x")], false).is_ok());
    }

    #[test]
    fn heads_are_bounded() {
        let (long, longer) = ("x".repeat(80), "x".repeat(100));
        assert_eq!(with(&[("a", &longer)]).err(), Some(Refusal::FieldTooLarge));
        assert_eq!(with(&[("a", &long), ("b", &long)]).err(), Some(Refusal::TooLarge));
        assert_eq!(with(&[("cookie", &long), ("cookie", &long)]).err(), Some(Refusal::TooLarge));
        assert_eq!(with(&[("a", "1"); 4]).err(), None);
        assert_eq!(with(&[("a", "1"); 5]).err(), Some(Refusal::TooMany));
    }
}
