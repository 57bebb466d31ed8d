//! One value, and all that it can be read as.

use sandgate_config::model::{FractionalPercent, RuntimeValue};

/// A value of the runtime. What it cannot be read as is not there for who asks for that.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    /// As `/runtime` shows it.
    pub(super) raw: String,
    /// As a number.
    pub(super) number: Option<f64>,
    /// As a whole number that is not negative; a fraction is cut off.
    pub(super) integer: Option<u64>,
    /// As a switch.
    pub(super) boolean: Option<bool>,
    fraction: Option<FractionalPercent>,
}

// === impl Entry ===

impl Entry {
    /// Reads a value; `raw` is how it was written, if it was given as text.
    pub(super) fn new(value: &RuntimeValue, raw: Option<&str>) -> Self {
        let shown = |text: String| raw.map_or(text, str::to_owned);
        let mut entry = Self { raw: String::new(), number: None, integer: None, boolean: None, fraction: None };
        match value {
            RuntimeValue::Number(number) => {
                entry.raw = shown(six_digits(*number));
                entry.set_number(*number);
            }
            RuntimeValue::Bool(value) => {
                entry.raw = shown(value.to_string());
                entry.boolean = Some(*value);
            }
            RuntimeValue::Text(text) => {
                entry.raw = shown(text.clone());
                // A number with a point is a text in Envoy's YAML; a switch or a fraction in quotes is none, however.
                if let Some(number) = parse_number(&entry.raw) {
                    entry.set_number(number);
                }
            }
            RuntimeValue::Struct { fraction, debug } => {
                // Envoy puts a marker in front that says that nobody should read this, and varies it.
                entry.raw = shown(format!("goo.gle/debugonly  \n{debug}"));
                entry.fraction = *fraction;
            }
        }
        entry
    }

    /// As a fraction.
    pub(super) fn fraction(&self) -> Option<FractionalPercent> {
        self.fraction.or_else(|| {
            let percent = u32::try_from(self.integer?).unwrap_or(u32::MAX);
            Some(FractionalPercent { numerator: percent, denominator: 100 })
        })
    }

    fn set_number(&mut self, number: f64) {
        self.number = Some(number);
        if number < f64::from(i32::MAX) && number >= f64::from(i32::MIN) && number.fract() == 0.0 {
            self.boolean = Some(number != 0.0);
        }
        if number >= 0.0 {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "not negative; held at the end"
            )]
            let integer = number as u64;
            self.integer = Some(integer);
        }
    }
}

/// A number in any spelling that `absl::SimpleAtod` takes.
fn parse_number(text: &str) -> Option<f64> {
    let text = text.trim_ascii();
    let text = text.strip_prefix('+').filter(|rest| !rest.starts_with(['+', '-'])).unwrap_or(text);
    text.parse().ok()
}

/// A number as `absl::StrCat` writes it: six significant digits, like C's `%g`.
fn six_digits(number: f64) -> String {
    if number == 0.0 || !number.is_finite() {
        return if number == 0.0 { "0".to_owned() } else { number.to_string().to_lowercase() };
    }
    let scientific = format!("{number:.5e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trim = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if (-4..6).contains(&exponent) {
        let decimals = usize::try_from(5i32.saturating_sub(exponent)).unwrap_or(0);
        return trim(&format!("{number:.decimals$}"));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", trim(mantissa), exponent.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_with_six_digits() {
        for (number, text) in [
            (1.0, "1"),
            (-3.0, "-3"),
            (0.5, "0.5"),
            (0.0, "0"),
            (123_456.0, "123456"),
            (1_234_567.0, "1.23457e+06"),
            (0.000_012_5, "1.25e-05"),
            (0.1 + 0.2, "0.3"),
        ] {
            assert_eq!(six_digits(number), text);
        }
    }

    #[test]
    fn a_text_is_a_number_or_nothing() {
        for (text, number) in
            [("12.5", Some(12.5)), ("1e3", Some(1000.0)), ("+7", Some(7.0)), ("", None), ("0x10", None)]
        {
            let entry = Entry::new(&RuntimeValue::Text(text.to_owned()), None);
            assert_eq!((entry.number, entry.raw.as_str()), (number, text));
        }
        assert_eq!(Entry::new(&RuntimeValue::Text("true".to_owned()), None).boolean, None);
        assert_eq!(Entry::new(&RuntimeValue::Number(-1.0), None).integer, None);
        assert_eq!(Entry::new(&RuntimeValue::Number(2.9), None).integer, Some(2));
        assert_eq!(Entry::new(&RuntimeValue::Number(2.9), None).boolean, None);
    }
}
