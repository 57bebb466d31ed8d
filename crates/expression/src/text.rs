//! Numbers and strings as text.

/// A double as `string()` has it: as many digits as it takes (observed in Envoy 1.40).
pub(crate) fn double(value: f64) -> String {
    if value.is_nan() {
        return if value.is_sign_negative() { "-nan(ind)".to_owned() } else { "nan".to_owned() };
    }
    written(value, &format!("{value:e}"), |_| format!("{value}"))
}

/// A double as access logs have it: as C's `%g` writes it, with six digits.
pub(crate) fn short_double(value: f64) -> String {
    if value.is_nan() {
        return if value.is_sign_negative() { "-nan".to_owned() } else { "nan".to_owned() };
    }
    written(value, &format!("{value:.5e}"), |exponent| {
        let decimals = usize::try_from(5 - exponent).unwrap_or_default();
        trimmed(&format!("{value:.decimals$}")).to_owned()
    })
}

/// `scientific`, in C's notation; or `plain`, when that is short.
fn written(value: f64, scientific: &str, plain: impl FnOnce(i32) -> String) -> String {
    if value.is_infinite() {
        return if value < 0.0 { "-inf".to_owned() } else { "inf".to_owned() };
    }
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific.to_owned() };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..6).contains(&exponent) {
        return plain(exponent);
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", trimmed(digits), exponent.abs())
}

fn trimmed(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

/// How many code points a string has; a byte that is no part of one counts as one.
pub(crate) fn code_points(text: &[u8]) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    text.utf8_chunks().map(|chunk| chunk.valid().chars().count() + chunk.invalid().len()).sum()
}

/// Bytes in Base64, padded.
pub(crate) fn base64(bytes: &[u8]) -> String {
    base64::Engine::encode(&base64::prelude::BASE64_STANDARD, bytes)
}

/// White space as C knows it.
pub(crate) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t'..='\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_have_as_many_digits_as_it_takes() {
        let all = [1.5, 1e30, 0.1 + 0.2, 1.0, 123_456.7, 1_234_567.5, 0.000_1, 0.000_01, -0.0, 5e-324];
        let texts = [
            "1.5",
            "1e+30",
            "0.30000000000000004",
            "1",
            "123456.7",
            "1.2345675e+06",
            "0.0001",
            "1e-05",
            "-0",
            "5e-324",
        ];
        assert_eq!(all.map(double), texts);
        assert_eq!([double(f64::NAN), double(f64::NEG_INFINITY)], ["nan", "-inf"]);
    }

    #[test]
    fn doubles_of_access_logs_have_six_digits() {
        let all = [1.5, 1e30, 0.1, 1.0, 123_456.0, 1_234_567.0, 0.000_1, 0.000_01, -2.5, 1.234_567_89, 1e-7];
        let texts =
            ["1.5", "1e+30", "0.1", "1", "123456", "1.23457e+06", "0.0001", "1e-05", "-2.5", "1.23457", "1e-07"];
        assert_eq!(all.map(short_double), texts);
    }
}
