//! Numbers as Envoy's formats print them.

use std::fmt::{self, Display, Formatter};

/// The shortest text that reads as the same number (`{}` of C++'s fmt).
pub(crate) struct Shortest(pub(crate) f64);

/// The shortest text there is, with an exponent if that is shorter (C++'s `std::to_chars`); null for no number.
pub(crate) struct Json(pub(crate) f64);

/// As C's `%.<digits>g`.
pub(crate) struct General {
    pub(crate) value: f64,
    pub(crate) digits: usize,
}

/// From here on the shortest text has an exponent.
const EXPONENT_FROM: f64 = 1e16;

impl Display for Shortest {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0.is_nan() {
            f.write_str("nan")
        } else if self.0.abs() >= EXPONENT_FROM {
            let text = format!("{:e}", self.0);
            let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            write!(f, "{digits}e+{exponent}")
        } else {
            self.0.fmt(f)
        }
    }
}

impl Display for Json {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.0.is_finite() {
            return f.write_str("null");
        }
        let plain = self.0.to_string();
        let scientific = format!("{:e}", self.0);
        let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
        let scientific = format!("{digits}e{sign}{exponent:0>2}");
        f.write_str(if scientific.len() < plain.len() { &scientific } else { &plain })
    }
}

impl Display for General {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { value, digits } = *self;
        if value.is_nan() {
            return f.write_str("nan");
        }
        let scientific = format!("{value:.*e}", digits.saturating_sub(1));
        let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        let exponent: i32 = exponent.parse().unwrap_or_default();
        match usize::try_from(exponent) {
            Ok(whole) if whole < digits => f.write_str(trim(&format!("{value:.*}", digits - 1 - whole))),
            Err(_) if exponent >= -4 => {
                let decimals = digits - 1 + exponent.unsigned_abs() as usize;
                f.write_str(trim(&format!("{value:.decimals$}")))
            }
            _ => {
                let sign = if exponent < 0 { '-' } else { '+' };
                write!(f, "{}e{sign}{:02}", trim(mantissa), exponent.unsigned_abs())
            }
        }
    }
}

/// Without zeros at the end of a fraction.
fn trim(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_envoys() {
        let general = |value, digits| General { value, digits }.to_string();
        assert_eq!(general(1_800_000.0, 6), "1.8e+06");
        assert_eq!([0.0, 0.5, 25.0, 600_000.0, 1e-5].map(|v| general(v, 6)), ["0", "0.5", "25", "600000", "1e-05"]);
        assert_eq!(general(0.95, 32), "0.94999999999999995559107901499374");
        assert_eq!(general(1.01, 32), "1.0100000000000000088817841970013");
        assert_eq!(general(215.470_987_397_867_33, 32), "215.47098739786733290202391799539");
        assert_eq!(general(3_600_000.0, 32), "3600000");
        assert_eq!(general(f64::NAN, 32), "nan");
        let json = |value| Json(value).to_string();
        assert_eq!(
            [10_000.0, 1e5, 3e5, 1.8e6, 0.1, 1e-5].map(json),
            ["10000", "1e+05", "3e+05", "1800000", "0.1", "1e-05"]
        );
        assert_eq!([0.0, 43.2, f64::NAN].map(json), ["0", "43.2", "null"]);
        let shortest = |value| Shortest(value).to_string();
        assert_eq!(
            [0.0, 0.1, 43.2, 1e15, 1e16, 1.5e20].map(shortest),
            ["0", "0.1", "43.2", "1000000000000000", "1e+16", "1.5e+20"]
        );
    }
}
