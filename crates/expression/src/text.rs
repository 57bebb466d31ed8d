//! Numbers and strings as text.

/// A double as C's `%g` writes it: six significant digits (what Envoy 1.40 was observed to do).
pub(crate) fn double(value: f64) -> String {
    if value.is_nan() {
        return if value.is_sign_negative() { "-nan".to_owned() } else { "nan".to_owned() };
    }
    if value.is_infinite() {
        return if value < 0.0 { "-inf".to_owned() } else { "inf".to_owned() };
    }
    if value == 0.0 {
        return if value.is_sign_negative() { "-0".to_owned() } else { "0".to_owned() };
    }
    let scientific = format!("{value:.5e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..6).contains(&exponent) {
        let decimals = usize::try_from(5 - exponent).unwrap_or_default();
        return trimmed(&format!("{value:.decimals$}")).to_owned();
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

/// White space as C knows it.
pub(crate) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t'..='\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_have_six_digits() {
        let all = [1.5, 1e30, 0.1, 1.0, 123_456.0, 1_234_567.0, 0.000_1, 0.000_01, -2.5, 1.234_567_89, 1e-7];
        let texts =
            ["1.5", "1e+30", "0.1", "1", "123456", "1.23457e+06", "0.0001", "1e-05", "-2.5", "1.23457", "1e-07"];
        assert_eq!(all.map(double), texts);
    }
}
