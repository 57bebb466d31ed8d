//! Functions beyond the standard library, which Envoy gives to filters.

use bytes::Bytes;

use super::strings::regex;
use crate::evaluate::{Evaluated, State};
use crate::{Environment, EvaluateError, Value};

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extension {
    RegexExtract,
}

// === impl Extension ===

impl Extension {
    pub(super) fn method(_name: &str, _count: usize, _environment: &Environment) -> Option<Self> {
        None
    }

    pub(super) fn qualified(namespace: &str, name: &str, count: usize, environment: &Environment) -> Option<Self> {
        match (namespace, name, count) {
            ("re", "extract", 3) if environment.regex_functions => Some(Self::RegexExtract),
            _ => None,
        }
    }
}

pub(super) fn call(extension: Extension, arguments: &[Value], state: &State<'_>) -> Evaluated {
    match (extension, arguments) {
        (Extension::RegexExtract, [Value::String(text), Value::String(pattern), Value::String(rewrite)]) => {
            state.budget.steps(2_000)?;
            let pattern = regex(pattern).ok_or(EvaluateError::InvalidArgument)?;
            let found = pattern.captures(text).ok_or(EvaluateError::InvalidArgument)?;
            let mut out = Vec::new();
            let mut rest = rewrite.iter();
            while let Some(byte) = rest.next() {
                match (byte, rest.as_slice().first()) {
                    (b'\\', Some(digit @ b'0'..=b'9')) => {
                        rest.next();
                        let group = found.get(usize::from(digit - b'0')).ok_or(EvaluateError::InvalidArgument)?;
                        out.extend_from_slice(group.as_bytes());
                    }
                    (b'\\', Some(b'\\')) => {
                        rest.next();
                        out.push(b'\\');
                    }
                    (b'\\', _) => return Err(EvaluateError::InvalidArgument),
                    _ => out.push(*byte),
                }
            }
            Ok(Value::String(Bytes::from(out)))
        }
        _ => Err(EvaluateError::NoMatchingOverload),
    }
}
