//! Equality and order, which know numbers of different types as the numbers that they are.

use std::cmp::Ordering;

use crate::Value;

/// How much of two values is compared before they are taken for different: they may share parts many times over.
const MAX_DEPTH: u32 = 200;

/// Whether `a == b`. Values of types that have nothing to do with each other are not equal.
pub(crate) fn equals(a: &Value, b: &Value) -> bool {
    equals_at(a, b, 0)
}

fn equals_at(a: &Value, b: &Value, depth: u32) -> bool {
    if depth > MAX_DEPTH {
        return false;
    }
    match (a, b) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::String(a), Value::String(b))
        | (Value::Bytes(a), Value::Bytes(b))
        | (Value::Type(a), Value::Type(b)) => a == b,
        (Value::Duration(a), Value::Duration(b)) | (Value::Timestamp(a), Value::Timestamp(b)) => a == b,
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| equals_at(a, b, depth + 1))
        }
        (Value::Map(a), Value::Map(b)) => {
            let same =
                |(key, value): &(Value, Value)| b.get(key).is_some_and(|other| equals_at(value, other, depth + 1));
            a.entries().len() == b.entries().len() && a.entries().iter().all(same)
        }
        (Value::Message(a), Value::Message(b)) => a == b,
        // They cannot list their keys, and look empty (as in Envoy).
        (Value::Attributes(_), Value::Attributes(_)) => true,
        (Value::Attributes(_), Value::Map(map)) | (Value::Map(map), Value::Attributes(_)) => map.entries().is_empty(),
        _ => numbers(a, b) == Some(Some(Ordering::Equal)),
    }
}

/// How `a` and `b` are ordered: the outer `None` for types without an order, the inner one for what is no number.
pub(crate) fn order(a: &Value, b: &Value) -> Option<Option<Ordering>> {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => Some(Some(a.cmp(b))),
        (Value::String(a), Value::String(b)) | (Value::Bytes(a), Value::Bytes(b)) => Some(Some(a.cmp(b))),
        (Value::Duration(a), Value::Duration(b)) | (Value::Timestamp(a), Value::Timestamp(b)) => Some(Some(a.cmp(b))),
        _ => numbers(a, b),
    }
}

#[expect(clippy::cast_precision_loss, reason = "what the language does")]
fn numbers(a: &Value, b: &Value) -> Option<Option<Ordering>> {
    Some(match (a, b) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::UInt(a), Value::UInt(b)) => Some(a.cmp(b)),
        (Value::Int(a), Value::UInt(b)) => Some(i128::from(*a).cmp(&i128::from(*b))),
        (Value::UInt(a), Value::Int(b)) => Some(i128::from(*a).cmp(&i128::from(*b))),
        (Value::Double(a), Value::Double(b)) => a.partial_cmp(b),
        // As doubles: large integers lose digits (as in Envoy).
        (Value::Double(a), Value::Int(b)) => a.partial_cmp(&(*b as f64)),
        (Value::Double(a), Value::UInt(b)) => a.partial_cmp(&(*b as f64)),
        (Value::Int(a), Value::Double(b)) => (*a as f64).partial_cmp(b),
        (Value::UInt(a), Value::Double(b)) => (*a as f64).partial_cmp(b),
        _ => return None,
    })
}
