//! What heads and trailers may have, and why one is refused.

use sandgate_config::model::Http2Options;

use super::field_rules as rules;

/// What no field may be larger than: the limit of Envoy's codec.
const DEFAULT_FIELD_LIMIT: usize = 64 * 1024;

/// Details of a message in which a name or a value must not be, or must not be there; observed in Envoy 1.40, as the next.
pub(crate) const INVALID_FIELD: &str = "http2.invalid.header.field";
/// Details of a message whose fields are in order, but which is none.
pub(crate) const VIOLATION: &str = "http2.violation.of.messaging.rule";

pub(super) const FIELD: Refusal = Refusal::Invalid(INVALID_FIELD);
pub(super) const RULE: Refusal = Refusal::Invalid(VIOLATION);

/// Why a message is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is none: the connection ends, unless told otherwise. With the details of Envoy's access log.
    Invalid(&'static str),
    /// A field is too large for the codec: the connection ends.
    FieldTooLarge,
    /// All fields are too large, as below: the stream is reset.
    TooLarge,
    TooMany,
    Underscore,
}

/// What a head may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadLimits {
    /// Bytes of a field.
    pub(super) field: usize,
    /// Bytes of all.
    pub(super) bytes: usize,
    pub(super) count: usize,
    /// `:protocol` may be there.
    pub(super) connect: bool,
    pub(super) obs_text: bool,
}

// === impl HeadLimits ===

impl HeadLimits {
    /// `kb` is what all fields may have, `count` how many there may be.
    pub(crate) fn new(options: &Http2Options, kb: u32, count: u32) -> Self {
        Self {
            field: options.max_header_field_size_kb.map_or(DEFAULT_FIELD_LIMIT, |kb| kb as usize * 1024),
            bytes: kb as usize * 1024,
            count: count as usize,
            connect: options.allow_connect,
            obs_text: !options.disallow_obs_text,
        }
    }

    /// Whether a field other than a pseudo-field may be there.
    pub(super) fn check_field(&self, name: &[u8], value: &[u8]) -> Result<(), Refusal> {
        if !rules::is_name(name) || rules::is_of_connection(name, value) {
            return Err(FIELD);
        }
        let valid = rules::is_value(value) && (self.obs_text || value.is_ascii());
        valid.then_some(()).ok_or(FIELD)
    }

    /// Few bytes on the wire can become very many: they are not kept.
    pub(super) fn check_size(&self, so_far: usize, count: usize, name: &[u8], value: &[u8]) -> Result<(), Refusal> {
        let size = name.len() + value.len();
        if size > self.field {
            return Err(Refusal::FieldTooLarge);
        }
        if so_far + size > self.bytes {
            return Err(Refusal::TooLarge);
        }
        if count > self.count { Err(Refusal::TooMany) } else { Ok(()) }
    }
}

/// Joins cookies, which peers may send each for itself: elsewhere they are one header (RFC 9113 §8.2.3).
pub(super) fn join_cookie(cookies: &mut Option<Vec<u8>>, value: &[u8]) {
    match cookies {
        Some(cookies) => {
            cookies.extend_from_slice(b"; ");
            cookies.extend_from_slice(value);
        }
        None => *cookies = Some(value.to_vec()),
    }
}
