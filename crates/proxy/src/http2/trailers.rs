//! Trailers as they are decoded, held to what Envoy demands of them.

use sandgate_http::{HeaderMap, HeaderMapKind};

use super::field_rules as rules;
use super::head_limits::{FIELD, HeadLimits, RULE, Refusal};

/// Trailers, field by field.
pub(crate) struct Trailers {
    limits: HeadLimits,
    trailers: HeaderMap,
    /// What a response's content must have been, if they say so.
    length: Option<u64>,
    refusal: Option<Refusal>,
}

// === impl Trailers ===

impl Trailers {
    /// `kind`: [`Plain`](HeaderMapKind::Plain) for those of a request.
    pub(crate) fn new(limits: HeadLimits, kind: HeaderMapKind) -> Self {
        Self { limits, trailers: HeaderMap::with_kind(kind), length: None, refusal: None }
    }

    /// The next field.
    pub(crate) fn field(&mut self, name: &[u8], value: &[u8]) {
        if self.refusal.is_none() {
            self.refusal = self.take(name, value).err();
        }
    }

    fn take(&mut self, name: &[u8], value: &[u8]) -> Result<(), Refusal> {
        self.limits.check_size(self.trailers.byte_size(), self.trailers.len(), name, value)?;
        self.limits.check_field(name, value)?;
        if name == b"content-length" {
            self.length = Some(rules::content_length(value).ok_or(FIELD)?);
        }
        self.trailers.add(name, value);
        Ok(())
    }

    /// All fields have come, behind so much content, if that is known.
    pub(crate) fn finish(self, end_stream: bool, content: Option<u64>) -> Result<HeaderMap, Refusal> {
        match self.refusal {
            Some(refusal) => Err(refusal),
            None if !end_stream || self.length.zip(content).is_some_and(|(length, content)| length != content) => {
                Err(RULE)
            }
            None if self.trailers.len() > self.limits.count => Err(Refusal::TooMany),
            None => Ok(self.trailers),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn trailers_are_fields_at_the_end() {
        let limits = HeadLimits { field: 100, bytes: 180, count: 8, connect: true, obs_text: true };
        let trailers = |fields: &[(&str, &str)], end_stream| {
            let mut trailers = Trailers::new(limits, HeaderMapKind::Plain);
            fields.iter().for_each(|(name, value)| trailers.field(name.as_bytes(), value.as_bytes()));
            let trailers = trailers.finish(end_stream, Some(7))?;
            let text = String::from_utf8_lossy;
            Ok(trailers.iter().map(|(name, value)| format!("{}: {}\n", text(name), text(value))).collect::<String>())
        };
        assert_eq!(trailers(&[("b", "1"), ("a", "2"), ("b", "3")], true).unwrap(), "b: 1\na: 2\nb: 3\n");
        assert_eq!(trailers(&[("b", "1")], false), Err(RULE));
        assert_eq!(trailers(&[("content-length", "7")], true).unwrap(), "content-length: 7\n");
        assert_eq!(trailers(&[("content-length", "8")], true), Err(RULE));
        for wrong in [(":path", "/"), (":weird", ""), ("A", ""), ("connection", "close"), ("content-length", "x")] {
            assert_eq!(trailers(&[wrong], true), Err(FIELD));
        }
        assert_eq!(trailers(&[("a", &"x".repeat(100))], true), Err(Refusal::FieldTooLarge));
        assert_eq!(trailers(&[("a", "1"); 9], true), Err(Refusal::TooMany));
    }
}
