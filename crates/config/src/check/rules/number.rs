//! Rules for numbers, and for durations as numbers of nanoseconds.

use prost_reflect::{DynamicMessage, ReflectMessage as _, Value};

use super::Broken;

/// Checks bounds and lists. `read` takes a number out of a rule, `show` writes one.
pub(super) fn check<T: PartialOrd + Copy>(
    rules: &DynamicMessage,
    value: T,
    read: impl Fn(&Value) -> Option<T>,
    show: impl Fn(&T) -> String,
) -> Broken {
    let bound = |name: &str| {
        let field = rules.descriptor().get_field_by_name(name).filter(|field| rules.has_field(field))?;
        read(&rules.get_field(&field))
    };
    let mut broken = Broken::new();
    if let Some(wanted) = bound("const").filter(|wanted| *wanted != value) {
        broken.push(format!("value must equal {}", show(&wanted)));
    }
    let lower = bound("gt").map(|bound| (bound, value > bound, "greater than", '('));
    let lower = lower.or_else(|| bound("gte").map(|bound| (bound, value >= bound, "greater than or equal to", '[')));
    let upper = bound("lt").map(|bound| (bound, value < bound, "less than", ')'));
    let upper = upper.or_else(|| bound("lte").map(|bound| (bound, value <= bound, "less than or equal to", ']')));
    match (lower, upper) {
        // The wrong way round, the bounds exclude what is between them.
        (Some((low, above, ..)), Some((high, below, ..))) if low > high && !above && !below => {
            broken.push(format!("value must be outside of {} to {}", show(&high), show(&low)));
        }
        (Some((low, above, _, open)), Some((high, below, _, close))) if low <= high && !(above && below) => {
            broken.push(format!("value must be inside range {open}{}, {}{close}", show(&low), show(&high)));
        }
        (Some((bound, false, words, _)), None) | (None, Some((bound, false, words, _))) => {
            broken.push(format!("value must be {words} {}", show(&bound)));
        }
        _ => {}
    }
    let listed = |name: &str| {
        let values = rules.get_field_by_name(name);
        let values = values.as_deref().and_then(Value::as_list).unwrap_or_default();
        (!values.is_empty()).then(|| values.iter().filter_map(&read).any(|listed| listed == value))
    };
    if listed("in") == Some(false) || listed("not_in") == Some(true) {
        broken.push("value is not in the list of allowed ones".to_owned());
    }
    broken
}
