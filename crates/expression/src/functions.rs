//! The functions and operators of the language.

mod arithmetic;
mod containers;
mod convert;
mod extensions;
mod strings;
mod times;

use crate::evaluate::{Evaluated, State};
use crate::value::{equals, order};
use crate::{Environment, EvaluateError, Value};

pub(crate) use convert::{exact_int, exact_uint};
pub(crate) use strings::regex;

/// A function by its name; its overloads are told apart by the values it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Negate,
    Not,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Index,
    Size,
    Contains,
    StartsWith,
    EndsWith,
    Matches,
    Int,
    UInt,
    Double,
    String,
    Bytes,
    Bool,
    Dyn,
    Type,
    Timestamp,
    Duration,
    Time(times::Part),
    Extension(extensions::Extension),
}

// === impl Function ===

impl Function {
    /// The function of that name for that many arguments, the target of a method being one.
    pub(crate) fn resolve(name: &str, is_method: bool, count: usize, environment: &Environment) -> Option<Self> {
        let both = match (name, count) {
            ("size", 1) => Some(Self::Size),
            ("contains", 2) => Some(Self::Contains),
            ("startsWith", 2) => Some(Self::StartsWith),
            ("endsWith", 2) => Some(Self::EndsWith),
            ("matches", 2) => Some(Self::Matches),
            _ => None,
        };
        if both.is_some() {
            return both;
        }
        if is_method {
            let time = times::Part::named(name).filter(|_| count <= 2).map(Self::Time);
            return time.or_else(|| extensions::Extension::method(name, count, environment).map(Self::Extension));
        }
        Some(match (name, count) {
            ("_+_", 2) => Self::Add,
            ("_-_", 2) => Self::Subtract,
            ("_*_", 2) => Self::Multiply,
            ("_/_", 2) => Self::Divide,
            ("_%_", 2) => Self::Modulo,
            ("-_", 1) => Self::Negate,
            ("!_", 1) => Self::Not,
            ("_==_", 2) => Self::Equal,
            ("_!=_", 2) => Self::NotEqual,
            ("_<_", 2) => Self::Less,
            ("_<=_", 2) => Self::LessOrEqual,
            ("_>_", 2) => Self::Greater,
            ("_>=_", 2) => Self::GreaterOrEqual,
            ("@in" | "_in_" | "in", 2) => Self::In,
            ("_[_]", 2) => Self::Index,
            ("int", 1) => Self::Int,
            ("uint", 1) => Self::UInt,
            ("double", 1) => Self::Double,
            ("string", 1) if environment.string_conversion => Self::String,
            ("bytes", 1) => Self::Bytes,
            ("bool", 1) => Self::Bool,
            ("dyn", 1) => Self::Dyn,
            ("type", 1) => Self::Type,
            ("timestamp", 1) => Self::Timestamp,
            ("duration", 1) => Self::Duration,
            _ => return None,
        })
    }

    /// The function `namespace.name`.
    pub(crate) fn qualified(namespace: &str, name: &str, count: usize, environment: &Environment) -> Option<Self> {
        extensions::Extension::qualified(namespace, name, count, environment).map(Self::Extension)
    }
}

/// Calls a function.
pub(crate) fn call(function: Function, arguments: &[Value], state: &State<'_>) -> Evaluated {
    match (function, arguments) {
        (Function::Not, [Value::Bool(value)]) => Ok(Value::Bool(!value)),
        (Function::Equal, [a, b]) => Ok(Value::Bool(equal(a, b, state))),
        (Function::NotEqual, [a, b]) => Ok(Value::Bool(!equal(a, b, state))),
        (Function::Less, [a, b]) => compare(a, b, |o| o.is_lt()),
        (Function::LessOrEqual, [a, b]) => compare(a, b, |o| o.is_le()),
        (Function::Greater, [a, b]) => compare(a, b, |o| o.is_gt()),
        (Function::GreaterOrEqual, [a, b]) => compare(a, b, |o| o.is_ge()),
        (Function::Add, [a, b]) => arithmetic::add(a, b, state),
        (Function::Subtract, [a, b]) => arithmetic::subtract(a, b),
        (Function::Multiply, [a, b]) => arithmetic::multiply(a, b),
        (Function::Divide, [a, b]) => arithmetic::divide(a, b),
        (Function::Modulo, [a, b]) => arithmetic::modulo(a, b),
        (Function::Negate, [a]) => arithmetic::negate(a),
        (Function::In, [element, container]) => containers::contains(element, container, state),
        (Function::Index, [container, key]) => containers::index(container, key, state),
        (Function::Size, [value]) => containers::size(value, state),
        (Function::Contains, [a, b]) => strings::contains(a, b),
        (Function::StartsWith, [Value::String(a), Value::String(b)]) => Ok(Value::Bool(a.starts_with(b))),
        (Function::EndsWith, [Value::String(a), Value::String(b)]) => Ok(Value::Bool(a.ends_with(b))),
        (Function::Matches, [Value::String(text), Value::String(pattern)]) => strings::matches(text, pattern, state),
        (Function::Int, [value]) => convert::int(value),
        (Function::UInt, [value]) => convert::uint(value),
        (Function::Double, [value]) => convert::double(value),
        (Function::String, [value]) => convert::string(value),
        (Function::Bytes, [value]) => convert::bytes(value),
        (Function::Bool, [value]) => convert::bool(value),
        (Function::Dyn, [value]) => Ok(value.clone()),
        (Function::Type, [value]) => Ok(Value::Type(value.type_name())),
        (Function::Timestamp, [value]) => convert::timestamp(value),
        (Function::Duration, [value]) => convert::duration(value),
        (Function::Time(part), arguments) => times::part(part, arguments),
        (Function::Extension(extension), arguments) => extensions::call(extension, arguments, state),
        _ => Err(EvaluateError::NoMatchingOverload),
    }
}

/// Branches of the attribute tree are compared as the maps that they look like.
fn equal(a: &Value, b: &Value, state: &State<'_>) -> bool {
    let is_branch = |value: &Value| matches!(value, Value::Attributes(_) | Value::List(_) | Value::Map(_));
    if is_branch(a) && is_branch(b) {
        return equals(&state.settled(a.clone()), &state.settled(b.clone()));
    }
    equals(a, b)
}

fn compare(a: &Value, b: &Value, test: fn(std::cmp::Ordering) -> bool) -> Evaluated {
    let order = order(a, b).ok_or(EvaluateError::NoMatchingOverload)?;
    Ok(Value::Bool(order.is_some_and(test)))
}
