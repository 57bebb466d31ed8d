//! A response's head as it is decoded, held to what Envoy demands of it.

use sandgate_http::{HeaderMap, HeaderMapKind};

use super::field_rules as rules;
use super::head_limits::{FIELD, HeadLimits, RULE, Refusal, join_cookie};

/// What most heads have room in.
const FIELDS: usize = 24;
const BYTES: usize = 768;

/// What was asked for, as far as it says what a response may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Asked {
    Head,
    /// A connection of its own: what follows has no length.
    Connect,
    #[default]
    Other,
}

/// A head, field by field.
pub(crate) struct ResponseHead {
    limits: HeadLimits,
    asked: Asked,
    headers: HeaderMap,
    /// 0 before it has come.
    status: u16,
    /// All cookies: on their own they are one header, as a request's are.
    cookies: Option<Vec<u8>>,
    content_length: Option<u64>,
    /// A field has come that is no pseudo-field.
    regular: bool,
    refusal: Option<Refusal>,
}

/// A head that is one.
#[derive(Debug)]
pub(crate) struct ReadHead {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// How long the content is to be.
    pub(crate) content_length: Option<u64>,
}

// === impl ReadHead ===

impl ReadHead {
    /// Whether another head follows.
    pub(crate) fn is_informational(&self) -> bool {
        self.status < 200
    }
}

// === impl ResponseHead ===

impl ResponseHead {
    pub(crate) fn new(limits: HeadLimits, asked: Asked) -> Self {
        Self {
            limits,
            asked,
            headers: HeaderMap::with_capacity(HeaderMapKind::Response, FIELDS, BYTES),
            status: 0,
            cookies: None,
            content_length: None,
            regular: false,
            refusal: None,
        }
    }

    /// The next field.
    pub(crate) fn field(&mut self, name: &[u8], value: &[u8]) {
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
            b"content-length" => self.take_length(value)?,
            b"cookie" => join_cookie(&mut self.cookies, value),
            _ => self.headers.add(name, value),
        }
        Ok(())
    }

    /// 101 is no status over HTTP/2 (RFC 9113 §8.6), and nobody takes one below 100.
    fn take_pseudo(&mut self, name: &[u8], value: &[u8]) -> Result<(), Refusal> {
        if self.regular || name != b":status" || self.status != 0 {
            return Err(FIELD);
        }
        self.status = status(value).filter(|status| *status != 101).ok_or(FIELD)?;
        self.headers.append(name, value);
        Ok(())
    }

    /// What has no content has no length, but 304 and answers to HEAD may tell that of what they speak of.
    fn take_length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.content_length.is_some() {
            return Err(FIELD);
        }
        let length = rules::content_length(value).ok_or(FIELD)?;
        match self.status {
            204 if value == b"0" => return Ok(()),
            ..200 | 204 => return Err(FIELD),
            200..300 if self.asked == Asked::Connect => return Ok(()),
            _ => {}
        }
        self.content_length = Some(length);
        self.headers.append(b"content-length", value);
        Ok(())
    }

    /// All fields have come.
    pub(crate) fn finish(mut self, end_stream: bool) -> Result<ReadHead, Refusal> {
        if let Some(refusal) = self.refusal {
            return Err(refusal);
        }
        if self.status == 0 || self.status < 200 && end_stream {
            return Err(RULE);
        }
        if self.asked == Asked::Head || matches!(self.status, 204 | 304) {
            self.content_length = Some(0);
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
        Ok(ReadHead { status: self.status, headers: self.headers, content_length: self.content_length })
    }
}

/// Three digits that are no less than 100.
fn status(value: &[u8]) -> Option<u16> {
    let digits: &[u8; 3] = value.try_into().ok()?;
    let digit = |sum: u16, byte: &u8| byte.is_ascii_digit().then(|| sum * 10 + u16::from(byte - b'0'));
    digits.iter().try_fold(0, digit).filter(|status| *status >= 100)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    const LIMITS: HeadLimits = HeadLimits { field: 100, bytes: 180, count: 6, connect: false, obs_text: true };

    fn read(asked: Asked, fields: &[(&str, &str)], end_stream: bool) -> Result<ReadHead, Refusal> {
        let mut head = ResponseHead::new(LIMITS, asked);
        fields.iter().for_each(|(name, value)| head.field(name.as_bytes(), value.as_bytes()));
        head.finish(end_stream)
    }

    /// `status` with these fields, and content.
    fn with(status: &str, fields: &[(&str, &str)]) -> Result<ReadHead, Refusal> {
        read(Asked::Other, &[&[(":status", status)], fields].concat(), false)
    }

    fn lines(headers: &HeaderMap) -> String {
        let text = String::from_utf8_lossy;
        headers.iter().map(|(name, value)| format!("{}: {}\n", text(name), text(value))).collect()
    }

    #[test]
    fn fields_keep_their_order() {
        let head = with("200", &[("b", "1"), ("cookie", "x"), ("a", "é"), ("b", ""), ("cookie", "y")]).unwrap();
        assert_eq!(lines(&head.headers), ":status: 200\nb: 1\na: é\nb: \ncookie: x; y\n");
        assert_eq!((head.status, head.content_length, head.is_informational()), (200, None, false));
        assert!(with("103", &[("link", "x")]).unwrap().is_informational());
        assert_eq!(with("999", &[("te", "trailers"), ("host", "h")]).unwrap().status, 999);
    }

    #[test]
    fn fields_that_must_not_be() {
        for status in ["", "20", "2000", "2x0", "+20", "099", "000", "101"] {
            assert_eq!(with(status, &[]).err(), Some(FIELD), "{status}");
        }
        let wrong: [&[(&str, &str)]; 10] = [
            &[(":status", "200")],
            &[(":path", "/")],
            &[(":weird", "1")],
            &[("", "1")],
            &[("X", "1")],
            &[("x", "\0")],
            &[("connection", "close")],
            &[("te", "gzip")],
            &[("content-length", "")],
            &[("content-length", "0"), ("content-length", "0")],
        ];
        for fields in wrong {
            assert_eq!(with("200", fields).err(), Some(FIELD), "{fields:?}");
        }
        assert_eq!(read(Asked::Other, &[("a", "b"), (":status", "200")], true).err(), Some(FIELD));
    }

    #[test]
    fn heads_that_are_none() {
        let other = |fields| read(Asked::Other, fields, true).err();
        assert_eq!(other(&[("a", "b")]), Some(RULE));
        assert_eq!(other(&[(":status", "103")]), Some(RULE));
        assert_eq!(other(&[(":status", "200"), ("content-length", "1")]), Some(RULE));
        assert_eq!(other(&[(":status", "200"), ("content-length", "0")]), None);
    }

    #[test]
    fn what_has_no_content_has_no_length() {
        let length = |asked, status, length| {
            let read = read(asked, &[(":status", status), ("content-length", length)], false)?;
            Ok((read.content_length, read.headers.get(b"content-length").is_some()))
        };
        assert_eq!(length(Asked::Other, "200", "07"), Ok((Some(7), true)));
        assert_eq!(length(Asked::Other, "304", "7"), Ok((Some(0), true)));
        assert_eq!(length(Asked::Head, "200", "7"), Ok((Some(0), true)));
        assert_eq!(length(Asked::Other, "204", "0"), Ok((Some(0), false)));
        assert_eq!(length(Asked::Connect, "200", "7"), Ok((None, false)));
        assert_eq!(length(Asked::Connect, "400", "7"), Ok((Some(7), true)));
        for (status, value) in [("204", "7"), ("204", "00"), ("100", "0"), ("103", "7")] {
            assert_eq!(length(Asked::Other, status, value), Err(FIELD), "{status} {value}");
        }
    }

    #[test]
    fn heads_are_bounded() {
        let (long, longer) = ("x".repeat(80), "x".repeat(100));
        assert_eq!(with("200", &[("a", &longer)]).err(), Some(Refusal::FieldTooLarge));
        assert_eq!(with("200", &[("a", &long), ("cookie", &long), ("b", &long)]).err(), Some(Refusal::TooLarge));
        assert_eq!(with("200", &[("a", "1"); 5]).err(), None);
        assert_eq!(with("200", &[("a", "1"); 6]).err(), Some(Refusal::TooMany));
        assert_eq!(with("200", &[("a", "1"); 9]).err(), Some(Refusal::TooMany));
    }
}
