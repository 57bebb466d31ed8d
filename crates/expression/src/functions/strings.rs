//! Strings and patterns.

use regex::bytes::{Regex, RegexBuilder};

use crate::evaluate::{Evaluated, State};
use crate::{EvaluateError, Value};

/// Memory that a compiled pattern may take.
const PATTERN_BYTES: usize = 256 << 10;

/// Steps that compiling a pattern is worth.
const PATTERN_STEPS: u32 = 2_000;

pub(super) fn contains(text: &Value, part: &Value) -> Evaluated {
    match (text, part) {
        (Value::String(text), Value::String(part)) => {
            Ok(Value::Bool(part.is_empty() || text.windows(part.len()).any(|window| window == part)))
        }
        _ => Err(EvaluateError::NoMatchingOverload),
    }
}

pub(super) fn matches(text: &[u8], pattern: &[u8], state: &State<'_>) -> Evaluated {
    state.budget.steps(PATTERN_STEPS.saturating_add(u32::try_from(pattern.len()).unwrap_or(u32::MAX)))?;
    let pattern = regex(pattern).ok_or(EvaluateError::InvalidArgument)?;
    Ok(Value::Bool(pattern.is_match(text)))
}

/// A pattern in the syntax of RE2.
pub(crate) fn regex(pattern: &[u8]) -> Option<Regex> {
    let pattern = sandgate_re2::translate(std::str::from_utf8(pattern).ok()?);
    RegexBuilder::new(&pattern).size_limit(PATTERN_BYTES).dfa_size_limit(PATTERN_BYTES).build().ok()
}
