//! `+ - * / %`

use bytes::Bytes;

use crate::evaluate::{Evaluated, State};
use crate::{EvaluateError, Value};

fn int(value: Option<i64>) -> Evaluated {
    value.map(Value::Int).ok_or(EvaluateError::Overflow)
}

fn uint(value: Option<u64>) -> Evaluated {
    value.map(Value::UInt).ok_or(EvaluateError::Overflow)
}

pub(super) fn add(a: &Value, b: &Value, state: &State<'_>) -> Evaluated {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => int(a.checked_add(*b)),
        (Value::UInt(a), Value::UInt(b)) => uint(a.checked_add(*b)),
        (Value::Double(a), Value::Double(b)) => Ok(Value::Double(a + b)),
        (Value::Duration(a), Value::Duration(b)) => Ok(Value::Duration(a.saturating_add(*b))),
        (Value::Timestamp(a), Value::Duration(b)) | (Value::Duration(a), Value::Timestamp(b)) => {
            Ok(Value::Timestamp(a.saturating_add(*b)))
        }
        (Value::String(a), Value::String(b)) => joined(a, b, state).map(Value::String),
        (Value::Bytes(a), Value::Bytes(b)) => joined(a, b, state).map(Value::Bytes),
        (Value::List(a), Value::List(b)) if state.environment.concatenation => {
            state.budget.bytes(size_of::<Value>() * (a.len() + b.len()))?;
            Ok(Value::list(a.iter().chain(b.iter()).cloned().collect()))
        }
        _ => Err(EvaluateError::NoMatchingOverload),
    }
}

fn joined(a: &Bytes, b: &Bytes, state: &State<'_>) -> Result<Bytes, EvaluateError> {
    if !state.environment.concatenation {
        return Err(EvaluateError::NoMatchingOverload);
    }
    state.budget.bytes(a.len() + b.len())?;
    Ok(Bytes::from([a.as_ref(), b].concat()))
}

pub(super) fn subtract(a: &Value, b: &Value) -> Evaluated {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => int(a.checked_sub(*b)),
        (Value::UInt(a), Value::UInt(b)) => uint(a.checked_sub(*b)),
        (Value::Double(a), Value::Double(b)) => Ok(Value::Double(a - b)),
        (Value::Duration(a), Value::Duration(b)) | (Value::Timestamp(a), Value::Timestamp(b)) => {
            Ok(Value::Duration(a.saturating_sub(*b)))
        }
        (Value::Timestamp(a), Value::Duration(b)) => Ok(Value::Timestamp(a.saturating_sub(*b))),
        _ => Err(EvaluateError::NoMatchingOverload),
    }
}

pub(super) fn multiply(a: &Value, b: &Value) -> Evaluated {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => int(a.checked_mul(*b)),
        (Value::UInt(a), Value::UInt(b)) => uint(a.checked_mul(*b)),
        (Value::Double(a), Value::Double(b)) => Ok(Value::Double(a * b)),
        _ => Err(EvaluateError::NoMatchingOverload),
    }
}

pub(super) fn divide(a: &Value, b: &Value) -> Evaluated {
    match (a, b) {
        (Value::Int(_), Value::Int(0)) | (Value::UInt(_), Value::UInt(0)) => Err(EvaluateError::DivisionByZero),
        (Value::Int(a), Value::Int(b)) => int(a.checked_div(*b)),
        (Value::UInt(a), Value::UInt(b)) => uint(a.checked_div(*b)),
        (Value::Double(a), Value::Double(b)) => Ok(Value::Double(a / b)),
        _ => Err(EvaluateError::NoMatchingOverload),
    }
}

pub(super) fn modulo(a: &Value, b: &Value) -> Evaluated {
    match (a, b) {
        (Value::Int(_), Value::Int(0)) | (Value::UInt(_), Value::UInt(0)) => Err(EvaluateError::DivisionByZero),
        (Value::Int(a), Value::Int(b)) => int(a.checked_rem(*b)),
        (Value::UInt(a), Value::UInt(b)) => uint(a.checked_rem(*b)),
        _ => Err(EvaluateError::NoMatchingOverload),
    }
}

pub(super) fn negate(a: &Value) -> Evaluated {
    match a {
        Value::Int(a) => int(a.checked_neg()),
        Value::Double(a) => Ok(Value::Double(-a)),
        _ => Err(EvaluateError::NoMatchingOverload),
    }
}
