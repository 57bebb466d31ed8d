//! Heads to bytes, as Envoy writes them: names in lower case, its own reason phrases, framing headers last.

use super::body_encoder::BodyEncoder;
use super::chars::{breaks_line, has_control, is_name, is_space};
use super::connection::is_upgrade;
use super::encode_error::EncodeError;
use super::framing::parse_length;
use super::number::write_number;
use super::reason::reason_phrase;
use crate::write_buffer::Tail;
use crate::{HeaderMap, WriteBuffer};

/// What else decides how a response head is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct ResponseEncodeOptions {
    /// The request was HEAD: no body is written, whatever the framing headers say.
    pub head_request: bool,
    /// The request was CONNECT: what follows a 2xx is written as it is.
    pub connect_request: bool,
    /// The request asked for another protocol: what follows a response that speaks of it, too, is written as it is.
    pub upgrade: bool,
    /// The request was HTTP/1.0: no chunks, the end of the connection ends the body.
    pub http_10: bool,
    /// No body and no trailers follow.
    pub end_stream: bool,
    /// Trailers are written (`enable_trailers`), else dropped.
    pub enable_trailers: bool,
}

/// What else decides how a request head is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestEncodeOptions {
    /// It asks for another protocol: what follows is written as it is, whatever its length.
    pub upgrade: bool,
    /// No body and no trailers follow.
    pub end_stream: bool,
    /// Trailers are written (`enable_trailers`), else dropped.
    pub enable_trailers: bool,
}

const CONTENT_LENGTH: &[u8] = b"content-length";

/// How the body's end is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyFraming {
    /// No body may be written.
    Never,
    /// So many bytes.
    Length(u64),
    Chunked,
    /// As it is, to the end of the connection.
    Raw,
}

/// Writes the request line and headers.
///
/// `transfer-encoding` in the map is not written: this function decides on chunks. `content-length` is, and the body is held to it.
///
/// # Errors
/// A missing `:method`, `:path` (or `:authority` for CONNECT); a name or value that must not reach the wire, among them a
/// `content-length` that is no number. Nothing is written then.
pub fn encode_request(
    headers: &HeaderMap,
    options: RequestEncodeOptions,
    out: &mut WriteBuffer,
) -> Result<BodyEncoder, EncodeError> {
    let method = headers.get(b":method").ok_or(EncodeError::MissingHeader(":method"))?;
    let connect = method == b"CONNECT";
    let target = match (connect, headers.get(b":authority"), headers.get(b":path")) {
        (true, None, _) => return Err(EncodeError::MissingHeader(":authority")),
        (true, Some(_), Some(_)) => return Err(EncodeError::MissingHeader(":protocol")),
        (true, Some(authority), None) => authority,
        (false, _, path) => path.ok_or(EncodeError::MissingHeader(":path"))?,
    };
    check_word(":method", method)?;
    check_word(if connect { ":authority" } else { ":path" }, target)?;
    let length = check(headers, |value| breaks_line(value) || has_control(value))?;

    let mut tail = out.tail();
    let out = &mut tail;
    for part in [method, b" ", target, b" HTTP/1.1\r\n"] {
        out.extend_from_slice(part);
    }
    write_fields(headers, out);
    let bodiless = connect || matches!(method, b"GET" | b"HEAD" | b"DELETE" | b"TRACE");
    let framing = match length {
        _ if options.upgrade => BodyFraming::Raw,
        Some(length) => BodyFraming::Length(length),
        None if options.end_stream => {
            if !bodiless {
                out.extend_from_slice(b"content-length: 0\r\n");
            }
            BodyFraming::Never
        }
        None if connect => BodyFraming::Raw,
        None => {
            out.extend_from_slice(b"transfer-encoding: chunked\r\n");
            BodyFraming::Chunked
        }
    };
    out.extend_from_slice(b"\r\n");
    Ok(BodyEncoder::new(framing, options.enable_trailers))
}

/// Writes the status line and headers of a response.
///
/// `transfer-encoding` in the map is not written: this function decides on chunks. `content-length` is, and the body is held to it.
/// Responses that have no body by definition (1xx, 204, 304, and those to HEAD) get none.
///
/// # Errors
/// A missing `:status` or one that is no number; a name or value that must not reach the wire, among them a `content-length` that is
/// no number. Nothing is written then.
pub fn encode_response(
    headers: &HeaderMap,
    options: ResponseEncodeOptions,
    out: &mut WriteBuffer,
) -> Result<BodyEncoder, EncodeError> {
    let status = headers.get(b":status").and_then(parse_length).ok_or(EncodeError::MissingHeader(":status"))?;
    let length = check(headers, breaks_line)?;

    let mut tail = out.tail();
    let out = &mut tail;
    out.extend_from_slice(if options.http_10 { b"HTTP/1.0 " } else { b"HTTP/1.1 " });
    write_number(status, out);
    out.extend_from_slice(b" ");
    out.extend_from_slice(u32::try_from(status).map_or("Unknown", reason_phrase).as_bytes());
    out.extend_from_slice(b"\r\n");
    write_fields(headers, out);
    let raw = options.connect_request && (200..300).contains(&status) || options.upgrade && is_upgrade(headers);
    let never = status < 200 || status == 204 || status == 304;
    let framing = match length {
        _ if raw => BodyFraming::Raw,
        // Below 100 is no status at all, and no reader can know whether it has a body: only a length makes one.
        Some(length) if !never || status < 100 => BodyFraming::Length(length),
        _ if never => BodyFraming::Never,
        _ if options.end_stream && !options.head_request => {
            out.extend_from_slice(b"content-length: 0\r\n");
            BodyFraming::Never
        }
        _ if options.http_10 => BodyFraming::Raw,
        _ => {
            out.extend_from_slice(b"transfer-encoding: chunked\r\n");
            BodyFraming::Chunked
        }
    };
    out.extend_from_slice(b"\r\n");
    let framing = if options.head_request { BodyFraming::Never } else { framing };
    Ok(BodyEncoder::new(framing, options.enable_trailers))
}

/// Writes the interim response `100 Continue`.
pub fn encode_continue(out: &mut WriteBuffer) {
    out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
}

/// Checks all names and values; the content length, if there is one.
fn check(headers: &HeaderMap, bad_value: impl Fn(&[u8]) -> bool) -> Result<Option<u64>, EncodeError> {
    if let Some(name) = headers.unchecked_names().find(|name| !name.starts_with(b":") && !is_name(name)) {
        return Err(EncodeError::InvalidName(String::from_utf8_lossy(name).into_owned()));
    }
    if bad_value(headers.raw_bytes())
        && let Some((name, _)) = headers.iter().find(|(_, value)| bad_value(value))
    {
        return Err(EncodeError::InvalidValue(String::from_utf8_lossy(name).into_owned()));
    }
    if !headers.contains(CONTENT_LENGTH) {
        return Ok(None);
    }
    let mut lengths = headers.get_all(CONTENT_LENGTH).map(parse_length);
    match (lengths.next(), lengths.next()) {
        (Some(Some(length)), None) => Ok(Some(length)),
        _ => Err(EncodeError::InvalidValue("content-length".to_owned())),
    }
}

/// A word of the request line must not be able to end it, or to look like two.
fn check_word(name: &'static str, word: &[u8]) -> Result<(), EncodeError> {
    if word.is_empty() || word.iter().any(|byte| is_space(*byte)) {
        return Err(EncodeError::InvalidValue(name.to_owned()));
    }
    Ok(())
}

/// Writes header lines; `:authority` as `host`, no other pseudo header, and not what the encoder decides on.
fn write_fields(headers: &HeaderMap, out: &mut Tail<'_>) {
    for (name, value) in headers.iter() {
        match name {
            b":authority" => write_field(b"host", value, out),
            [b':', ..] | b"transfer-encoding" => {}
            _ => write_field(name, value, out),
        }
    }
}

pub(super) fn write_field(name: &[u8], value: &[u8], out: &mut Tail<'_>) {
    for part in [name, b": ", value, b"\r\n"] {
        out.extend_from_slice(part);
    }
}
