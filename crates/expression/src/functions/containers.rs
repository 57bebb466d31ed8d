//! `in`, `[]` and `size`.

use super::exact_int;
use crate::evaluate::{Evaluated, State};
use crate::value::equals;
use crate::{EvaluateError, Value, text};

pub(super) fn contains(element: &Value, container: &Value, state: &State<'_>) -> Evaluated {
    Ok(Value::Bool(match (container, element) {
        (Value::List(list), _) => {
            state.budget.steps(u32::try_from(list.len()).unwrap_or(u32::MAX))?;
            list.iter().any(|candidate| equals(candidate, element))
        }
        (Value::Map(map), Value::Bool(_) | Value::Int(_) | Value::UInt(_) | Value::Double(_) | Value::String(_)) => {
            map.get(element).is_some()
        }
        (Value::Attributes(branch), Value::String(name)) => {
            state.activation.attribute(*branch, name, state.environment).is_some()
        }
        (Value::Attributes(_), _) => false,
        _ => return Err(EvaluateError::NoMatchingOverload),
    }))
}

pub(super) fn index(container: &Value, key: &Value, state: &State<'_>) -> Evaluated {
    match (container, key) {
        (Value::List(list), key) => {
            let at = match key {
                Value::Int(at) => usize::try_from(*at).ok(),
                Value::UInt(at) => usize::try_from(*at).ok(),
                Value::Double(at) => {
                    let int = exact_int(*at).ok_or(EvaluateError::InvalidArgument)?;
                    usize::try_from(int).ok()
                }
                _ => return Err(EvaluateError::NoMatchingOverload),
            };
            at.and_then(|at| list.get(at)).cloned().ok_or(EvaluateError::NoSuchIndex)
        }
        (Value::Map(map), key) => map.get(key).cloned().ok_or(EvaluateError::NoSuchKey),
        (Value::Attributes(_), Value::String(name)) => state.select(container, name),
        _ => Err(EvaluateError::NoMatchingOverload),
    }
}

pub(super) fn size(value: &Value, state: &State<'_>) -> Evaluated {
    let size = match value {
        Value::String(value) => text::code_points(value),
        Value::Bytes(value) => value.len(),
        Value::List(list) => list.len(),
        Value::Map(map) => map.entries().len(),
        Value::Attributes(branch) if branch.is_headers() => match state.activation.headers(*branch) {
            Some(Value::Map(map)) => map.entries().len(),
            _ => 0,
        },
        Value::Attributes(_) => 0,
        _ => return Err(EvaluateError::NoMatchingOverload),
    };
    Ok(Value::Int(i64::try_from(size).unwrap_or(i64::MAX)))
}
