//! `%START_TIME(…)%` and its like.

use std::io::Write as _;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use sandgate_filter::TlsInfo;

use crate::format::Rendered;
use crate::tls::Side;
use crate::{FormatContext, FormatError};

/// Which moment, in which zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    Start {
        local: bool,
    },
    Emit {
        local: bool,
    },
    /// Of a peer's certificate.
    Certificate {
        of: Side,
        end: bool,
    },
}

/// How a moment is written.
#[derive(Clone, Debug)]
pub(crate) struct TimeFormat {
    zone: TimeZone,
    /// Empty: the default.
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// A conversion of C's `strftime`.
    Conversion(String),
    /// `%s`
    Seconds,
    /// `%f`, `%3f`: digits of the second's fraction.
    Fraction(usize),
    /// `%E3S`, `%E*S`: seconds with that many digits of the fraction, or as many as it has.
    FractionalSeconds(Option<usize>),
    /// `%E3f`, `%E*f`
    AbslFraction(Option<usize>),
    /// `%Ez`, `%E*z`: the offset with colons.
    Offset {
        seconds: bool,
    },
    /// `%E4Y`
    Year4,
}

// === impl Clock ===

impl Clock {
    /// The command of that name, if it is one of these.
    pub(crate) fn find(name: &str) -> Option<Self> {
        Some(match name {
            "START_TIME" => Self::Start { local: false },
            "START_TIME_LOCAL" => Self::Start { local: true },
            "EMIT_TIME" => Self::Emit { local: false },
            "EMIT_TIME_LOCAL" => Self::Emit { local: true },
            "DOWNSTREAM_PEER_CERT_V_START" => Self::Certificate { of: Side::Downstream, end: false },
            "DOWNSTREAM_PEER_CERT_V_END" => Self::Certificate { of: Side::Downstream, end: true },
            "UPSTREAM_PEER_CERT_V_START" => Self::Certificate { of: Side::Upstream, end: false },
            "UPSTREAM_PEER_CERT_V_END" => Self::Certificate { of: Side::Upstream, end: true },
            _ => return None,
        })
    }

    pub(crate) fn is_local(self) -> bool {
        matches!(self, Self::Start { local: true } | Self::Emit { local: true })
    }

    pub(crate) fn render(self, context: &FormatContext<'_>, format: &TimeFormat, out: &mut Vec<u8>) -> Rendered {
        let moment = match self {
            Self::Start { .. } => context.info.start_time,
            Self::Emit { .. } => context.system_now(),
            Self::Certificate { of, end } => {
                let Some(peer) = of.tls(context).and_then(TlsInfo::peer) else { return Rendered::Absent };
                let seconds = if end { peer.not_after } else { peer.not_before };
                return Timestamp::from_second(seconds).map_or(Rendered::Absent, |moment| format.render(moment, out));
            }
        };
        Timestamp::try_from(moment).map_or(Rendered::Absent, |moment| format.render(moment, out))
    }
}

// === impl TimeFormat ===

impl TimeFormat {
    /// Reads a format; the empty one is Envoy's default, `%Y-%m-%dT%H:%M:%E3SZ`.
    pub(crate) fn parse(format: &str, local: bool) -> Result<Self, FormatError> {
        let zone = if local { TimeZone::system() } else { TimeZone::UTC };
        let mut pieces = Vec::new();
        let mut rest = format;
        while let Some(at) = rest.find('%') {
            let (before, conversion) = rest.split_at(at);
            push_text(&mut pieces, before);
            let length = conversion_length(conversion);
            let (conversion, after) = conversion.split_at(length);
            match piece(conversion)? {
                Piece::Text(text) => push_text(&mut pieces, &text),
                piece => pieces.push(piece),
            }
            rest = after;
        }
        push_text(&mut pieces, rest);
        Ok(Self { zone, pieces })
    }

    fn render(&self, moment: Timestamp, out: &mut Vec<u8>) -> Rendered {
        let zoned = moment.to_zoned(self.zone.clone());
        if self.pieces.is_empty() {
            default(&zoned, out);
        }
        for piece in &self.pieces {
            piece.render(&zoned, out);
        }
        Rendered::Text
    }
}

/// The usual format, without a detour.
fn default(time: &Zoned, out: &mut Vec<u8>) {
    let (year, month, day) = (time.year(), time.month(), time.day());
    let (hour, minute, second, millis) = (time.hour(), time.minute(), time.second(), time.millisecond());
    // Writing to a vector cannot fail.
    let _ = write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}");
    if time.time_zone() == &TimeZone::UTC {
        out.push(b'Z');
    } else {
        offset(time, false, b"", out);
    }
}

fn push_text(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        Some(Piece::Text(last)) => last.push_str(text),
        _ if text.is_empty() => {}
        _ => pieces.push(Piece::Text(text.to_owned())),
    }
}

/// How many bytes the conversion at the beginning of `text` takes.
fn conversion_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let at = |index: usize| bytes.get(index).copied().unwrap_or_default();
    let mut end = 1;
    while b"-_0^#+".contains(&at(end)) {
        end += 1;
    }
    while at(end).is_ascii_digit() {
        end += 1;
    }
    if matches!(at(end), b'E' | b'O') {
        end += 1;
        while at(end).is_ascii_digit() || at(end) == b'*' {
            end += 1;
        }
    }
    let last = text.get(end..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
    (end + last).min(text.len())
}

fn piece(conversion: &str) -> Result<Piece, FormatError> {
    let (_, body) = conversion.split_at(1);
    let last = body.chars().last();
    if last == Some('n') {
        return Err(FormatError::NewlineInTime);
    }
    let digits = |text: &str| text.parse::<usize>().ok().filter(|digits| (1..=15).contains(digits));
    Ok(match body {
        "%" => Piece::Text("%".to_owned()),
        "s" => Piece::Seconds,
        "f" => Piece::Fraction(9),
        "Ez" => Piece::Offset { seconds: false },
        "E*z" => Piece::Offset { seconds: true },
        "E4Y" => Piece::Year4,
        "ET" => Piece::Text("T".to_owned()),
        "E*S" => Piece::FractionalSeconds(None),
        "E*f" => Piece::AbslFraction(None),
        _ => {
            let inner = |prefix, suffix| body.strip_prefix(prefix).and_then(|body: &str| body.strip_suffix(suffix));
            if let Some(digits) = inner("", 'f').and_then(digits).filter(|digits| *digits <= 9) {
                Piece::Fraction(digits)
            } else if let Some(digits) = inner("E", 'S').and_then(digits) {
                Piece::FractionalSeconds(Some(digits))
            } else if let Some(digits) = inner("E", 'f').and_then(digits) {
                Piece::AbslFraction(Some(digits))
            } else {
                // The C locale has no other forms for `E` and `O`.
                let plain: String = conversion.chars().filter(|c| !matches!(c, 'E' | 'O')).collect();
                let known = jiff::fmt::strtime::format(&plain, &Zoned::default()).is_ok();
                if known { Piece::Conversion(plain) } else { Piece::Text(conversion.to_owned()) }
            }
        }
    })
}

// === impl Piece ===

impl Piece {
    fn render(&self, time: &Zoned, out: &mut Vec<u8>) {
        let nanos = u32::try_from(time.subsec_nanosecond()).unwrap_or_default();
        match self {
            Self::Text(text) => out.extend_from_slice(text.as_bytes()),
            Self::Conversion(format) => {
                if let Ok(text) = jiff::fmt::strtime::format(format, time) {
                    out.extend_from_slice(text.as_bytes());
                }
            }
            Self::Seconds => {
                let _ = write!(out, "{}", time.timestamp().as_second());
            }
            Self::Fraction(digits) => fraction(nanos, *digits, out),
            Self::FractionalSeconds(digits) => {
                let _ = write!(out, "{:02}", time.second());
                let digits = digits.unwrap_or_else(|| significant(nanos));
                if digits > 0 {
                    out.push(b'.');
                    fraction(nanos, digits, out);
                }
            }
            Self::AbslFraction(digits) => {
                fraction(nanos, digits.unwrap_or_else(|| significant(nanos).max(1)), out);
            }
            Self::Offset { seconds } => offset(time, *seconds, b":", out),
            Self::Year4 => {
                let _ = write!(out, "{:04}", time.year());
            }
        }
    }
}

fn fraction(nanos: u32, digits: usize, out: &mut Vec<u8>) {
    let all = format!("{nanos:09}000000");
    out.extend_from_slice(all.get(..digits).unwrap_or(&all).as_bytes());
}

/// How many digits of a fraction are not trailing zeros.
fn significant(nanos: u32) -> usize {
    format!("{nanos:09}").trim_end_matches('0').len()
}

fn offset(time: &Zoned, seconds: bool, separator: &[u8], out: &mut Vec<u8>) {
    let total = time.offset().seconds();
    let sign = if total < 0 { '-' } else { '+' };
    let (hours, minutes) = (total.abs() / 3600, total.abs() / 60 % 60);
    let _ = write!(out, "{sign}{hours:02}");
    out.extend_from_slice(separator);
    let _ = write!(out, "{minutes:02}");
    if seconds {
        out.extend_from_slice(separator);
        let _ = write!(out, "{:02}", total.abs() % 60);
    }
}
