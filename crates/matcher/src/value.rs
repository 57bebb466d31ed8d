//! Values of metadata.

use sandgate_attributes::Value;
use sandgate_config::model::{self, DoubleMatcher};

use crate::StringMatcher;

/// A compiled `envoy.type.matcher.v3.ValueMatcher`.
#[derive(Clone, Debug)]
pub struct ValueMatcher {
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Null,
    Double(DoubleMatcher),
    String(StringMatcher),
    Bool(bool),
    Present(bool),
    ListOneOf(Box<ValueMatcher>),
    Or(Vec<ValueMatcher>),
}

// === impl ValueMatcher ===

impl ValueMatcher {
    /// Of a configuration.
    #[must_use]
    pub fn new(config: &model::ValueMatcher) -> Self {
        let kind = match config {
            model::ValueMatcher::Null => Kind::Null,
            model::ValueMatcher::Double(matcher) => Kind::Double(*matcher),
            model::ValueMatcher::String(matcher) => Kind::String(StringMatcher::new(matcher)),
            model::ValueMatcher::Bool(wanted) => Kind::Bool(*wanted),
            model::ValueMatcher::Present(wanted) => Kind::Present(*wanted),
            model::ValueMatcher::ListOneOf(matcher) => Kind::ListOneOf(Box::new(Self::new(matcher))),
            model::ValueMatcher::Or(matchers) => Kind::Or(matchers.iter().map(Self::new).collect()),
        };
        Self { kind }
    }

    /// Whether what is there, if anything is, is as wanted.
    #[must_use]
    pub fn matches(&self, value: Option<&Value<'_>>) -> bool {
        match (&self.kind, value) {
            // One that wants nothing to be there never matches (observed in Envoy 1.40).
            (Kind::Present(wanted), value) => *wanted && value.is_some(),
            (Kind::Or(matchers), value) => matchers.iter().any(|matcher| matcher.matches(value)),
            (Kind::Null, Some(Value::Null)) => true,
            (Kind::Double(DoubleMatcher::Exact(exact)), Some(Value::Double(number))) => exact == number,
            (Kind::Double(DoubleMatcher::Range { start, end }), Some(Value::Double(number))) => {
                start <= number && number < end
            }
            (Kind::String(matcher), Some(Value::String(text))) => matcher.matches(text),
            (Kind::Bool(wanted), Some(Value::Bool(flag))) => wanted == flag,
            (Kind::ListOneOf(matcher), Some(Value::List(items))) => {
                items.iter().any(|item| matcher.matches(Some(item)))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use sandgate_config::model::{StringMatcher as Text, StringPattern};

    use super::*;

    #[test]
    fn values_match_those_of_their_type() {
        let one = model::ValueMatcher::Double(DoubleMatcher::Exact(1.0));
        let range = model::ValueMatcher::Double(DoubleMatcher::Range { start: 0.0, end: 2.0 });
        let text = model::ValueMatcher::String(Text::new(StringPattern::Prefix("a".into())));
        let either = model::ValueMatcher::Or(vec![one.clone(), text.clone()]);
        let listed = model::ValueMatcher::ListOneOf(Box::new(text.clone()));
        let values = [
            Value::Null,
            Value::Double(1.0),
            Value::Double(2.0),
            Value::str("ab"),
            Value::List(vec![Value::str("ab")]),
        ];
        for (matcher, wanted) in [
            (model::ValueMatcher::Null, [true, false, false, false, false]),
            (one, [false, true, false, false, false]),
            (range, [false, true, false, false, false]),
            (text, [false, false, false, true, false]),
            (either, [false, true, false, true, false]),
            (listed, [false, false, false, false, true]),
            (model::ValueMatcher::Present(true), [true; 5]),
            (model::ValueMatcher::Present(false), [false; 5]),
            (model::ValueMatcher::Bool(true), [false; 5]),
        ] {
            let compiled = ValueMatcher::new(&matcher);
            assert_eq!(values.each_ref().map(|value| compiled.matches(Some(value))), wanted, "{matcher:?}");
            assert!(!compiled.matches(None), "{matcher:?}");
        }
    }
}
