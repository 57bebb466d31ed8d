//! From type to type.

use bytes::Bytes;

use crate::evaluate::Evaluated;
use crate::{EvaluateError, Value, text, time};

fn text_of(value: &[u8]) -> Result<&str, EvaluateError> {
    std::str::from_utf8(value).map_err(|_| EvaluateError::InvalidArgument)
}

pub(super) fn int(value: &Value) -> Evaluated {
    Ok(Value::Int(match value {
        Value::Int(value) => *value,
        Value::UInt(value) => i64::try_from(*value).map_err(|_| EvaluateError::Overflow)?,
        Value::Double(value) => truncated(*value).ok_or(EvaluateError::Overflow)?,
        Value::Bool(value) => i64::from(*value),
        Value::String(value) => {
            text_of(value)?.trim_matches(text::is_space).parse().map_err(|_| EvaluateError::InvalidArgument)?
        }
        Value::Timestamp(value) => {
            i64::try_from(value.div_euclid(time::SECOND)).map_err(|_| EvaluateError::Overflow)?
        }
        _ => return Err(EvaluateError::NoMatchingOverload),
    }))
}

pub(super) fn uint(value: &Value) -> Evaluated {
    Ok(Value::UInt(match value {
        Value::UInt(value) => *value,
        Value::Int(value) => u64::try_from(*value).map_err(|_| EvaluateError::Overflow)?,
        Value::Double(value) => truncated_unsigned(*value).ok_or(EvaluateError::Overflow)?,
        Value::String(value) => {
            text_of(value)?.trim_matches(text::is_space).parse().map_err(|_| EvaluateError::InvalidArgument)?
        }
        _ => return Err(EvaluateError::NoMatchingOverload),
    }))
}

#[expect(clippy::cast_precision_loss, reason = "what the language does")]
pub(super) fn double(value: &Value) -> Evaluated {
    Ok(Value::Double(match value {
        Value::Double(value) => *value,
        Value::Int(value) => *value as f64,
        Value::UInt(value) => *value as f64,
        Value::String(value) => {
            text_of(value)?.trim_matches(text::is_space).parse().map_err(|_| EvaluateError::InvalidArgument)?
        }
        _ => return Err(EvaluateError::NoMatchingOverload),
    }))
}

pub(super) fn string(value: &Value) -> Evaluated {
    Ok(match value {
        Value::String(_) => value.clone(),
        Value::Int(value) => Value::string(value.to_string()),
        Value::UInt(value) => Value::string(value.to_string()),
        Value::Double(value) => Value::string(text::double(*value)),
        Value::Bool(value) => Value::string(value.to_string()),
        Value::Bytes(value) => {
            text_of(value)?;
            Value::String(value.clone())
        }
        Value::Duration(value) if value.abs() <= time::MAX_DURATION => Value::string(time::duration_text(*value)),
        Value::Timestamp(value) if time::TIMESTAMPS.contains(value) => Value::string(time::json_timestamp(*value)),
        Value::Duration(_) | Value::Timestamp(_) => return Err(EvaluateError::Overflow),
        _ => return Err(EvaluateError::NoMatchingOverload),
    })
}

pub(super) fn bytes(value: &Value) -> Evaluated {
    match value {
        Value::Bytes(value) | Value::String(value) => Ok(Value::Bytes(value.clone())),
        _ => Err(EvaluateError::NoMatchingOverload),
    }
}

pub(super) fn bool(value: &Value) -> Evaluated {
    match value {
        Value::Bool(_) => Ok(value.clone()),
        Value::String(value) => match &value[..] {
            b"true" | b"True" | b"TRUE" | b"t" | b"1" => Ok(Value::Bool(true)),
            b"false" | b"False" | b"FALSE" | b"f" | b"0" => Ok(Value::Bool(false)),
            _ => Err(EvaluateError::InvalidArgument),
        },
        _ => Err(EvaluateError::NoMatchingOverload),
    }
}

pub(super) fn timestamp(value: &Value) -> Evaluated {
    match value {
        Value::Timestamp(_) => Ok(value.clone()),
        Value::Int(seconds) => Ok(Value::Timestamp(i128::from(*seconds) * time::SECOND)),
        Value::String(value) => parsed(value, time::parse_timestamp).map(Value::Timestamp),
        _ => Err(EvaluateError::NoMatchingOverload),
    }
}

pub(super) fn duration(value: &Value) -> Evaluated {
    match value {
        Value::Duration(_) => Ok(value.clone()),
        Value::String(value) => parsed(value, time::parse_duration).map(Value::Duration),
        _ => Err(EvaluateError::NoMatchingOverload),
    }
}

fn parsed(value: &Bytes, parse: fn(&str) -> Option<i128>) -> Result<i128, EvaluateError> {
    parse(text_of(value)?).ok_or(EvaluateError::InvalidArgument)
}

/// The least double that is too large for an `i64`, and its negative.
const INT_END: f64 = 9_223_372_036_854_775_808.0;
const UINT_END: f64 = 18_446_744_073_709_551_616.0;

#[expect(clippy::cast_possible_truncation, reason = "the range was looked at")]
fn truncated(value: f64) -> Option<i64> {
    (value > -INT_END && value < INT_END).then_some(value as i64)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was looked at")]
fn truncated_unsigned(value: f64) -> Option<u64> {
    (0.0..UINT_END).contains(&value).then_some(value as u64)
}

/// A double that is a whole number, as that.
pub(crate) fn exact_int(value: f64) -> Option<i64> {
    truncated(value).filter(|_| value.fract() == 0.0)
}

/// The same of those that are not negative.
pub(crate) fn exact_uint(value: f64) -> Option<u64> {
    truncated_unsigned(value).filter(|_| value.fract() == 0.0)
}
